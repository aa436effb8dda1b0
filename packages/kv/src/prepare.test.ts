import { EMPTY_BYTES, Prng, Reader, Writer, Xxh64 } from '@flotilla/base';
import {
  beginEntry,
  EntryBody,
  isRefused,
  limits,
  Op,
  readEntryHead,
  readResult,
  refuseCommand,
  Status,
  sessionLimits,
  shardOf,
} from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { moveEntry, timeEntry } from './data-group.ts';
import { prepareBatch } from './prepare.ts';
import { batchOf, bytes, command, Rig, sessionOf } from './testing/rig.ts';

const session = sessionOf(1_000_000);

function refusals(entry: Uint8Array): boolean[] {
  const head = readEntryHead(entry);
  return Array.from({ length: head.count }, (_, at) => isRefused(entry, head, at));
}

describe('preparing a batch', () => {
  test('fills in the stamp and leaves good commands alone', () => {
    const entry = batchOf([command({}), command({ seqOffset: 1 })], session, 0);
    expect(prepareBatch(entry, 123_456_789_012)).toBeUndefined();
    expect(readEntryHead(entry).stamp).toBe(123_456_789_012);
    expect(refusals(entry)).toEqual([false, false]);
  });

  test('marks what breaks a limit, whatever the client wrote there', () => {
    const entry = batchOf(
      [command({}), command({ key: EMPTY_BYTES }), command({ op: 99 as Op }), command({ flags: 64 })],
      session,
      0,
    );
    refuseCommand(entry, readEntryHead(entry), 0);
    expect(prepareBatch(entry, 5)).toBeUndefined();
    expect(refusals(entry)).toEqual([false, true, true, true]);
  });

  test('with a placement, marks a key that belongs to another shard', () => {
    const hasher = new Xxh64();
    const shard = shardOf(bytes('k'), 16, hasher);
    const at = (number: number, op: Op = Op.put) => command({ op, shard: number });
    const entry = batchOf(
      [at(shard), at((shard + 1) % 16), at(15, Op.deleteRange), at(16, Op.deleteRange)],
      session,
      0,
    );
    expect(prepareBatch(entry, 5, { shardCount: 16, hasher })).toBeUndefined();
    expect(refusals(entry)).toEqual([false, true, false, true]);
  });

  test('takes a full batch and refuses one command more', () => {
    const full = Array.from({ length: limits.batchCommands }, (_, at) => command({ seqOffset: at }));
    expect(prepareBatch(batchOf(full, session, 0), 5)).toBeUndefined();
    expect(prepareBatch(batchOf([...full, command({})], session, 0), 5)).toMatch(/4097 commands/);
    expect(prepareBatch(batchOf([], session, 0), 5)).toMatch(/0 commands/);
  });

  test('takes the largest entry and refuses one byte more', () => {
    const sized = (bytesOfLast: number): Uint8Array => {
      const value = new Uint8Array(limits.valueBytes);
      const parts = [0, 1, 2].map((seqOffset) => command({ value, seqOffset }));
      return batchOf([...parts, command({ value: new Uint8Array(bytesOfLast), seqOffset: 3 })], session, 0);
    };
    const rest = limits.batchBytes - sized(0).length;
    expect(prepareBatch(sized(rest), 5)).toBeUndefined();
    expect(prepareBatch(sized(rest + 1), 5)).toMatch(/4194305 bytes/);
  });

  test('refuses whole what it cannot walk to the end', () => {
    const good = batchOf([command({}), command({ seqOffset: 1 })], session, 0);
    for (let length = 0; length < good.length; length++) {
      expect(prepareBatch(good.slice(0, length), 5), `${length} bytes`).toBeTypeOf('string');
    }
    const long = new Uint8Array(good.length + 1);
    long.set(good);
    expect(prepareBatch(long, 5)).toMatch(/too many/);
  });

  test('refuses other formats and kinds, and a floor at the end of all numbers', () => {
    const other = batchOf([command({})], session, 0);
    other[0] = 2;
    expect(prepareBatch(other, 5)).toMatch(/entry format 2/);
    expect(prepareBatch(moveEntry({ step: 1, moveId: 1, shard: 0, epoch: 1 }, 5), 5)).toMatch(/kind 3/);
    expect(prepareBatch(timeEntry([], 5), 5)).toMatch(/kind 2/);
    const last = Number.MAX_SAFE_INTEGER - sessionLimits.window;
    expect(prepareBatch(batchOf([command({})], session, last), 5)).toBeUndefined();
    expect(prepareBatch(batchOf([command({})], session, last + 1), 5)).toMatch(/floor/);
  });

  test('what is marked is refused at apply, and nothing else', () => {
    const rig = Rig.serving();
    const entry = batchOf([command({}), command({ seqOffset: 1, key: bytes('b') })], session, 0);
    expect(prepareBatch(entry, rig.now)).toBeUndefined();
    refuseCommand(entry, readEntryHead(entry), 0);
    const answer = rig.apply(entry);
    expect(readResult(answer)).toMatchObject({ status: Status.refused });
    expect(readResult(answer)).toMatchObject({ status: Status.ok, version: 1 });
    expect(rig.get('k')).toEqual({ status: Status.absent });
  });

  test('whatever it takes can be applied to the end', () => {
    const random = new Prng(3);
    const rig = Rig.serving();
    const good = batchOf(
      [command({ value: bytes('abc') }), command({ op: Op.append, seqOffset: 1 })],
      session,
      3,
    );
    let taken = 0;
    for (let round = 0; round < 5000; round++) {
      const entry = good.slice();
      for (let left = 1 + random.below(3); left > 0; left--)
        entry[random.below(entry.length)] = random.below(256);
      if (prepareBatch(entry, rig.now) !== undefined) continue;
      taken++;
      const answer = rig.apply(entry);
      for (let at = readEntryHead(entry).count; at > 0; at--) readResult(answer);
      answer.expectEnd();
    }
    expect(taken).toBeGreaterThan(100);
  });

  test('a head alone is not a batch', () => {
    const out = new Writer(64);
    beginEntry(out, EntryBody.clientBatch, 1);
    expect(prepareBatch(out.finish(), 5)).toBeTypeOf('string');
    expect(new Reader(out.finish()).u8()).toBe(1);
  });
});
