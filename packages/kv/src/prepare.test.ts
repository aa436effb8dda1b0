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

function keyOutside(rig: Rig, shard: number): Uint8Array {
  for (let at = 0; ; at++) {
    const key = bytes(`k${at}`);
    if (shardOf(key, rig.shardCount, rig.hasher) !== shard) return key;
  }
}

function keyInside(rig: Rig, shard: number, skip = 0): Uint8Array {
  for (let at = 0, left = skip; ; at++) {
    const key = bytes(`k${at}`);
    if (shardOf(key, rig.shardCount, rig.hasher) === shard && left-- === 0) return key;
  }
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
    const elsewhere = keyOutside(rig, 0);
    const entry = batchOf(
      [command({ key: elsewhere }), command({ seqOffset: 1, key: bytes('b') })],
      session,
      0,
    );
    expect(prepareBatch(entry, rig.now)).toBeUndefined();
    refuseCommand(entry, readEntryHead(entry), 0);
    const answer = rig.apply(entry);
    expect(readResult(answer)).toEqual({
      status: Status.refused,
      why: 'its key does not belong to shard 0',
    });
    expect(readResult(answer)).toMatchObject({ status: Status.ok, version: 1 });
    expect(rig.read({ key: elsewhere })).toEqual({ status: Status.absent });
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

describe('a leader that slows writers down', () => {
  test('asks once for each command that could be executed, with its shard and weight', () => {
    const rig = new Rig();
    const asked: [number, number][] = [];
    const placement = { shardCount: rig.shardCount, hasher: rig.hasher };
    const commands = [
      command({ key: keyInside(rig, 0), value: bytes('x'.repeat(100)) }),
      command({ key: keyOutside(rig, 0), seqOffset: 1 }),
      command({ key: EMPTY_BYTES, seqOffset: 2 }),
      command({ op: Op.deleteRange, shard: 1, key: bytes('a'), seqOffset: 3 }),
    ];
    const entry = batchOf(commands, session, 0);
    const admits = (shard: number, weight: number): boolean => {
      asked.push([shard, weight]);
      return shard === 0;
    };
    expect(prepareBatch(entry, 5, placement, admits)).toBeUndefined();
    expect(asked.map(([shard]) => shard)).toEqual([0, 1]);
    expect(asked[0]?.[1]).toBeGreaterThan(100);
    expect(asked[0]?.[1]).toBeLessThan(200);
    expect(refusals(entry)).toEqual([false, true, true, true]);
  });

  test('refuses for a while, without a trace, and executes the same command afterwards', () => {
    const rig = Rig.serving([0, 1]);
    const commands = [
      command({ key: keyInside(rig, 0), value: bytes('1') }),
      command({ key: keyInside(rig, 0, 1), value: bytes('2'), seqOffset: 1 }),
      command({ op: Op.deleteRange, key: bytes('x'), seqOffset: 2 }),
      command({ key: EMPTY_BYTES, seqOffset: 3 }),
    ];
    const send = (admits: boolean): unknown[] => {
      const entry = batchOf(commands, sessionOf(rig.now, 4), 0);
      expect(prepareBatch(entry, rig.now, undefined, () => admits)).toBeUndefined();
      const answer = rig.apply(entry);
      return commands.map(() => readResult(answer));
    };
    const before = rig.dump();
    const wait = { status: Status.throttled, retryAfterMs: 100 };
    expect(send(false)).toEqual([wait, wait, wait, { status: Status.refused, why: 'an empty key' }]);
    expect(rig.dump()).toEqual(before);
    expect(send(true)).toMatchObject([
      { status: Status.ok, version: 1 },
      { status: Status.ok, version: 2 },
      { status: Status.rangeDeleted, version: 3 },
      { status: Status.refused },
    ]);
    // What was executed meanwhile is held back as well: nothing says so sooner than a retry that is let in.
    expect(send(false)).toMatchObject([wait, wait, wait, { status: Status.refused }]);
  });

  test('is overruled by where the shard is', () => {
    const rig = new Rig();
    const entry = batchOf([command({ key: keyInside(rig, 0) })], session, 0);
    expect(prepareBatch(entry, rig.now, undefined, () => false)).toBeUndefined();
    expect(readResult(rig.apply(entry))).toMatchObject({ status: Status.wrongGroup });
  });
});

describe('the load of a shard', () => {
  test('counts reads and commands of this replica since it was loaded, with their bytes', () => {
    const rig = Rig.serving([0, 1, 2]);
    rig.put('abc', '12345');
    rig.put('d', 'x', { shard: 1 });
    rig.put('gone', 'x', { epoch: 9 });
    expect([...rig.group.loads()]).toEqual([
      { shard: 0, operations: 1, bytes: 8 },
      { shard: 1, operations: 1, bytes: 2 },
    ]);
    rig.get('abc');
    const [first] = [...rig.group.loads()];
    expect(first?.operations).toBe(2);
    expect(first?.bytes).toBeGreaterThan(8 + 3 + 5);
    rig.restart();
    expect([...rig.group.loads()]).toEqual([]);
  });
});
