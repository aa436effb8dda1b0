import { CorruptionError, Prng, Writer, Xxh64 } from '@flotilla/base';
import {
  beginEntry,
  type EntryBody,
  MoveAnswer,
  type MoveEntry,
  MoveStep,
  readResult,
  Status,
  sealDelta,
  sealPage,
} from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { DataGroup, moveEntry, timeEntry } from './data-group.ts';
import { NewerFormatError } from './errors.ts';
import { RottenStore } from './testing/memory-store.ts';
import { batchOf, bytes, command, PREFIX, Rig, sessionOf } from './testing/rig.ts';

function stampedBatch(rig: Rig): Uint8Array {
  const commands = [
    command({ value: bytes('abc') }),
    command({ op: 3, flags: 16, ttl: 50, value: bytes('d'), seqOffset: 1 }),
    command({ op: 5, key: bytes('a'), value: bytes('b'), seqOffset: 2 }),
    command({
      op: 4,
      key: bytes('n'),
      flags: 12,
      version: 3,
      expected: bytes('1'),
      value: bytes('2'),
      seqOffset: 3,
    }),
  ];
  return batchOf(commands, sessionOf(rig.now), 5);
}

/** Steps that fit after one another, and others, for two shards. */
function stepsOfMoves(stamp: number): Uint8Array[] {
  const zero = { hi: 0, lo: 0 };
  const digests = { records: zero, rows: zero };
  const nothing = new Uint8Array(0);
  const steps: MoveEntry[] = [];
  for (const shard of [0, 1]) {
    const of = { moveId: 9, shard };
    const page = { ...of, cursor: nothing, view: 5, next: nothing, isLast: true, items: nothing };
    const delta = { ...of, from: 5, to: 6, items: nothing };
    steps.push(
      { step: MoveStep.activateEmpty, ...of, epoch: 1 },
      { step: MoveStep.beginExport, ...of, moveId: 10, epoch: 2 },
      { step: MoveStep.trimExport, ...of, moveId: 10, to: 3 },
      { step: MoveStep.freeze, ...of, moveId: 10, epoch: 2, pos: 3, target: 8 },
      { step: MoveStep.cancel, ...of },
      { step: MoveStep.forget, ...of, moveId: 10 },
      { step: MoveStep.beginImport, ...of, epoch: 2, sourceGid: 3, sourceIncarnation: 1, base: 5 },
      { step: MoveStep.importChunk, ...of, page: sealPage(page, new Xxh64()) },
      { step: MoveStep.importDelta, ...of, delta: sealDelta(delta, new Xxh64()) },
      { step: MoveStep.activate, ...of, revision: 6, time: 5, digests },
      { step: MoveStep.abort, ...of },
    );
  }
  return steps.map((step) => moveEntry(step, stamp));
}

describe('an entry that nobody should have proposed', () => {
  test('in an unknown format stops the replica before anything changes', () => {
    const rig = Rig.serving();
    const before = rig.dump();
    for (const format of [0, 2, 255]) {
      const entry = stampedBatch(rig);
      entry[0] = format;
      expect(() => rig.apply(entry)).toThrow(NewerFormatError);
      expect(() => rig.apply(entry)).toThrow(/needs a newer version/);
    }
    expect(rig.dump()).toEqual(before);
  });

  test('without any bytes is Raft’s own and changes nothing', () => {
    const rig = Rig.serving();
    const before = rig.dump();
    expect(rig.apply(new Uint8Array(0)).remaining).toBe(0);
    expect(rig.dump()).toEqual(before);
  });

  test('cut off anywhere is refused whole, command by command', () => {
    const rig = Rig.serving();
    const before = rig.dump();
    const entry = stampedBatch(rig);
    for (let length = 1; length < entry.length; length++) {
      const answer = rig.apply(entry.slice(0, length));
      // A head that is cut off says nothing about commands.
      if (length < 13) {
        expect(answer.remaining).toBe(0);
        continue;
      }
      for (let at = 0; at < 4; at++) expect(readResult(answer).status).toBe(Status.refused);
      answer.expectEnd();
    }
    expect(rig.dump()).toEqual(before);
  });

  test('with bytes too many is refused whole', () => {
    const rig = Rig.serving();
    const before = rig.dump();
    for (const entry of [
      stampedBatch(rig),
      timeEntry([{ shard: 0, items: 1 }], rig.now),
      moveEntry({ step: 1, moveId: 9, shard: 1, epoch: 1 }, rig.now),
    ]) {
      rig.apply(new Uint8Array([...entry, 0]));
    }
    expect(rig.dump()).toEqual(before);
  });

  test('of an unknown kind or move step is refused', () => {
    const rig = Rig.serving();
    const before = rig.dump();
    const out = new Writer(64);
    beginEntry(out, 9 as EntryBody, 2);
    const answer = rig.apply(out.finish());
    expect([readResult(answer).status, readResult(answer).status]).toEqual([Status.refused, Status.refused]);
    const step = moveEntry({ step: 1, moveId: 9, shard: 1, epoch: 1 }, rig.now);
    step[12] = 200;
    expect(rig.apply(step).u8()).toBe(MoveAnswer.stale);
    expect(rig.dump()).toEqual(before);
  });

  test('with a stamp of the past does not turn time back', () => {
    const rig = Rig.serving();
    rig.put('k', 'v', { flags: 16, ttl: 10 });
    rig.now += 10;
    rig.put('other', 'v');
    rig.put('third', 'v', {});
    rig.batch([command({ key: bytes('late') })], { stamp: 5 });
    expect(rig.group.lastStamp).toBe(rig.now);
    expect(rig.get('k')).toEqual({ status: Status.absent });
  });

  test('with a stamp at the end of all numbers is applied', () => {
    const rig = Rig.serving();
    rig.put('k', 'v', { flags: 16, ttl: 10 });
    const late = Number.MAX_SAFE_INTEGER;
    rig.batch([command({ flags: 16, ttl: late })], { stamp: late, session: sessionOf(2 ** 48 - 1) });
    rig.time([{ shard: 0, items: 100 }], late);
    expect(rig.group.lastStamp).toBe(late);
    rig.restart();
    expect(rig.group.lastStamp).toBe(late);
  });

  test.each([41, 42, 43])('of any bytes at all neither throws nor divides two replicas (seed %i)', (seed) => {
    const random = new Prng(seed);
    const one = Rig.serving();
    const two = Rig.serving([0], { prefix: bytes('another-replica') });
    const good = [stampedBatch(one), timeEntry([{ shard: 0, items: 3 }], one.now), ...stepsOfMoves(one.now)];
    for (let round = 0; round < 6000; round++) {
      const base = good[random.below(good.length)] as Uint8Array;
      let entry = base.slice();
      if (random.chance(0.2)) entry = entry.slice(0, random.below(entry.length + 1));
      if (random.chance(0.1)) entry = Uint8Array.from({ length: random.below(200) }, () => random.below(256));
      for (let left = random.below(4); left > 0 && entry.length > 1; left--) {
        entry[1 + random.below(entry.length - 1)] = random.below(256);
      }
      if (entry.length > 0) entry[0] = 1;
      // A stamp far ahead would expire every session for the rest of the run.
      if (entry.length >= 12 && random.chance(0.9)) entry.fill(0, 4, 12);
      one.apply(entry);
      two.index++;
      two.group.apply(two.index, entry, undefined);
    }
    expect(one.dump()).toEqual(two.dump());
    expect(one.group.digest(0)).toEqual(two.group.digest(0));
  });
});

test('a store that finds damage stops the replica', () => {
  const options = { gid: 7, store: new RottenStore(), prefix: PREFIX, shardCount: 4 };
  const rig = new Rig();
  expect(() => new DataGroup({ ...options, hasher: rig.hasher }).load()).toThrow(CorruptionError);
});
