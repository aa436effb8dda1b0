import { compareBytes, DecodeError, Prng, Reader, Writer } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import {
  beginEntry,
  clearLeaderPart,
  ENTRY_FORMAT,
  ENTRY_HEAD_BYTES,
  EntryBody,
  isRefused,
  makeSession,
  readBatchHead,
  readEntryHead,
  refuseCommand,
  refusedBytes,
  SESSION_BYTES,
  sessionOpenedAt,
  stampEntry,
  writeBatchHead,
} from './entry.ts';
import { limits } from './limits.ts';
import { MoveStep, readMoveEntry, writeMoveEntry } from './move-entries.ts';
import { readTimeBody, writeTimeBody } from './time-entries.ts';

function entryOf(count: number, kind: EntryBody = EntryBody.clientBatch): Uint8Array {
  const out = new Writer(8);
  out.u32(0xdead_beef);
  const at = beginEntry(out, kind, count);
  out.u8(0x77);
  return out.finish().slice(at);
}

describe('the head of an entry', () => {
  test.each([0, 1, 7, 8, 9, 4096, 0xffff])('leaves one bit for each of %i commands', (count) => {
    const entry = entryOf(count);
    const head = readEntryHead(entry);
    expect(head).toEqual({
      format: ENTRY_FORMAT,
      kind: EntryBody.clientBatch,
      count,
      stamp: 0,
      refusedAt: ENTRY_HEAD_BYTES,
      bodyAt: ENTRY_HEAD_BYTES + refusedBytes(count),
    });
    expect(entry[head.bodyAt]).toBe(0x77);
  });

  test('begins without refusals, whatever the writer held before', () => {
    const out = new Writer(64);
    out.raw(new Uint8Array(64).fill(0xff));
    out.reset();
    beginEntry(out, EntryBody.clientBatch, 20);
    const entry = out.finish();
    const head = readEntryHead(entry);
    for (let at = 0; at < 20; at++) expect(isRefused(entry, head, at)).toBe(false);
  });

  test('takes a stamp in place, also inside a larger frame', () => {
    const frame = new Uint8Array(100);
    const entry = frame.subarray(13, 13 + 20);
    entry.set(entryOf(3).subarray(0, 14));
    for (const stamp of [0, 1, 0xffff_ffff, 0x1_0000_0000, 1_790_000_000_000, 2 ** 53 - 1]) {
      stampEntry(entry, stamp);
      expect(readEntryHead(entry).stamp).toBe(stamp);
    }
    expect(frame.subarray(0, 13)).toEqual(new Uint8Array(13));
  });

  test('marks exactly the commands that were refused', () => {
    const entry = entryOf(17);
    const head = readEntryHead(entry);
    const refused = [0, 7, 8, 16];
    for (const at of refused) refuseCommand(entry, head, at);
    for (let at = 0; at < 17; at++) expect(isRefused(entry, head, at)).toBe(refused.includes(at));
    expect(entry[head.bodyAt]).toBe(0x77);
  });

  test('is cleared of what only a leader may say', () => {
    const entry = entryOf(9);
    const clean = entry.slice();
    stampEntry(entry, 12345);
    for (let at = 0; at < 9; at++) refuseCommand(entry, readEntryHead(entry), at);
    clearLeaderPart(entry, readEntryHead(entry));
    expect(entry).toEqual(clean);
  });

  test('that is cut off cannot be read', () => {
    const entry = entryOf(9).slice(0, 14);
    for (let length = 0; length < entry.length; length++) {
      expect(() => readEntryHead(entry.slice(0, length))).toThrow(DecodeError);
    }
  });
});

describe('a session id', () => {
  test('says when it was opened', () => {
    const random = new Prng(1);
    for (const openedAt of [0, 255, 256, 1_790_000_000_123, 2 ** 48 - 1]) {
      const session = makeSession(openedAt, random);
      expect(session).toHaveLength(SESSION_BYTES);
      expect(sessionOpenedAt(session)).toBe(openedAt);
    }
    expect(sessionOpenedAt(makeSession(17.9, random))).toBe(17);
  });

  test('orders sessions by their time', () => {
    const random = new Prng(2);
    const early = makeSession(0xffff, random);
    const late = makeSession(0x1_0000, random);
    expect(compareBytes(early, late)).toBeLessThan(0);
  });

  test('differs between two sessions of the same ms', () => {
    const random = new Prng(3);
    expect(makeSession(5, random)).not.toEqual(makeSession(5, random));
  });

  test('of another length is not one', () => {
    expect(() => sessionOpenedAt(new Uint8Array(15))).toThrow(DecodeError);
  });

  test('stands at the head of a batch with its floor', () => {
    const out = new Writer(8);
    const head = { session: makeSession(99, new Prng(4)), floor: 2 ** 53 - 1 };
    writeBatchHead(out, head);
    expect(readBatchHead(new Reader(out.finish()))).toEqual(head);
  });
});

describe('a time entry', () => {
  function roundTrip(shares: readonly { readonly shard: number; readonly items: number }[]): unknown {
    const out = new Writer(8);
    writeTimeBody(out, shares);
    return readTimeBody(new Reader(out.finish()));
  }

  test('comes back as it was, up to 1,000 items', () => {
    for (const shares of [[], [{ shard: 4095, items: 1000 }], Array(1000).fill({ shard: 1, items: 1 })]) {
      expect(roundTrip(shares)).toEqual(shares);
    }
  });

  test('of one item or shard more cannot be read', () => {
    expect(() => roundTrip([{ shard: 1, items: limits.timeEntryItems + 1 }])).toThrow(/1001 items/);
    expect(() => roundTrip(Array(limits.timeEntryItems + 1).fill({ shard: 1, items: 0 }))).toThrow(
      /1001 shards/,
    );
  });
});

describe('a move entry', () => {
  const step = {
    step: MoveStep.activateEmpty,
    moveId: 2 ** 53 - 1,
    shard: 4095,
    epoch: 0xffff_ffff,
  } as const;

  test('comes back as it was', () => {
    const out = new Writer(8);
    writeMoveEntry(out, step);
    expect(readMoveEntry(new Reader(out.finish()))).toEqual(step);
  });

  test('of an unknown step cannot be read', () => {
    const out = new Writer(8);
    writeMoveEntry(out, step);
    out.patchU8(0, 99);
    expect(() => readMoveEntry(new Reader(out.finish()))).toThrow(/move step 99/);
  });
});
