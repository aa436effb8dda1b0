import { Writer } from '@flotilla/base';
import { MoveAnswer, MoveStep, Op, ReadKind, type Result, Status, sessionLimits } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { NewerFormatError } from './errors.ts';
import { GROUP_SHARD, GroupKind, KeySpace } from './keys.ts';
import { Shard, ShardState } from './shard.ts';
import { readShard, writeShard } from './shard-record.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { Move } from './testing/move.ts';
import { bytes, command, PREFIX, Rig, sessionOf } from './testing/rig.ts';

const MOVE = { moveId: 5, shard: 0 };

/** A rig whose shard 0 was served and gave itself away. */
function frozen(): Rig {
  const rig = Rig.serving();
  rig.put('k', 'v');
  rig.step({ step: MoveStep.beginExport, ...MOVE, epoch: 2 });
  rig.step({ step: MoveStep.freeze, ...MOVE, epoch: 2, pos: 1, target: 9 });
  return rig;
}

function gone(): Rig {
  const rig = frozen();
  rig.step({ step: MoveStep.forget, ...MOVE });
  return rig;
}

function importing(): Rig {
  const rig = new Rig();
  rig.step({ step: MoveStep.beginImport, ...MOVE, epoch: 1, sourceGid: 3, sourceIncarnation: 11, base: 17 });
  return rig;
}

/** A rig that serves shard 0 with the record `k`, brought by a group whose log was so far ahead. */
function brought(aheadMs: number): Rig {
  const source = new Rig({ gid: 3 });
  source.activate(0, 1, 0);
  source.put('k', 'v', { epoch: 0 });
  source.now += aheadMs;
  const rig = new Rig();
  new Move(source, rig, { epoch: 0 }).run();
  return rig;
}

describe('first assignment', () => {
  test('an absent shard begins to serve, empty', () => {
    const rig = new Rig();
    expect(rig.activate(2, 8, 3)).toBe(MoveAnswer.active);
    expect([...rig.group.shards()]).toEqual([
      {
        shard: 2,
        state: ShardState.serving,
        fence: 8,
        moveId: 8,
        hintGid: 0,
        hintEpoch: 0,
        epoch: 3,
        generation: 1,
        revision: 0,
        timeFloor: 0,
        recordCount: 0,
        recordBytes: 0,
        rowCount: 0,
        openExport: undefined,
        staging: undefined,
      },
    ]);
  });

  test('a repeat is answered as the first, and changes nothing', () => {
    const rig = Rig.serving();
    rig.put('k', 'v');
    const before = rig.dump();
    expect(rig.activate(0, 1)).toBe(MoveAnswer.active);
    expect(rig.dump()).toEqual(before);
    rig.restart();
    expect(rig.activate(0, 1)).toBe(MoveAnswer.active);
    expect(rig.get('k')).toMatchObject({ status: Status.record });
  });

  test('another move cannot activate what is served', () => {
    const rig = Rig.serving();
    expect(rig.activate(0, 2)).toBe(MoveAnswer.stale);
    expect(rig.activate(0, 0)).toBe(MoveAnswer.stale);
    expect([...rig.group.shards()][0]).toMatchObject({ moveId: 1, fence: 1 });
  });

  test('a late repeat does not revive a shard that went', () => {
    const rig = gone();
    expect(rig.activate(0, 1)).toBe(MoveAnswer.stale);
    expect(rig.get('k').status).toBe(Status.wrongGroup);
    expect(rig.activate(0, 6, 7)).toBe(MoveAnswer.active);
    // The new copy has a generation of its own and does not see the old one's keys.
    expect(rig.read({ kind: ReadKind.get, epoch: 7, key: bytes('k') })).toEqual({ status: Status.absent });
  });

  test('a frozen or importing shard is not activated', () => {
    expect(frozen().activate(0, 99)).toBe(MoveAnswer.stale);
    expect(importing().activate(0, 99)).toBe(MoveAnswer.stale);
  });

  test('a shard that the cluster does not have is not activated', () => {
    const rig = new Rig({ shardCount: 4 });
    expect(rig.activate(4, 1)).toBe(MoveAnswer.stale);
    expect(rig.activate(3, 1)).toBe(MoveAnswer.active);
  });
});

describe('a shard that is not served here', () => {
  const hint = { gid: 9, epoch: 2 };
  const cases: readonly [string, Rig, Result['status'], object][] = [
    ['never seen', new Rig(), Status.wrongGroup, { gid: 0, epoch: 0 }],
    ['gone', gone(), Status.wrongGroup, hint],
    ['frozen', frozen(), Status.moved, hint],
    ['importing', importing(), Status.notReady, { retryAfterMs: 10 }],
  ];

  test.each(cases)('that is %s refuses commands and reads, and nothing changes', (_, rig, status, rest) => {
    const before = rig.dump();
    expect(rig.put('k', 'w')).toEqual({ status, ...rest });
    expect(rig.run({ op: Op.deleteRange, key: bytes('') })).toEqual({ status, ...rest });
    expect(rig.get('k')).toEqual({ status, ...rest });
    expect(rig.read({ kind: ReadKind.scan })).toEqual({ status, ...rest });
    // The time of the log goes on; the shard does not.
    rig.time([{ shard: 0, items: 5 }], rig.now + sessionLimits.life);
    expect(rig.group.dueAt()).toBeUndefined();
    expect(withoutStamp(rig.dump())).toEqual(withoutStamp(before));
  });

  test('another epoch is told the own one', () => {
    const rig = Rig.serving();
    const wrong = { status: Status.wrongGroup, gid: 7, epoch: 1 };
    expect(rig.put('k', 'v', { epoch: 0 })).toEqual(wrong);
    expect(rig.put('k', 'v', { epoch: 2 })).toEqual(wrong);
    expect(rig.read({ kind: ReadKind.get, epoch: 2, key: bytes('k') })).toEqual(wrong);
  });

  test('all fields of a state come back after a restart', () => {
    for (const rig of [frozen(), importing(), gone()]) {
      rig.group.flush();
      rig.group.durable(rig.index);
      const before = rig.dump();
      const stored = new Shard(0, new KeySpace(PREFIX));
      readShard(rig.store.get(stored.key) as Uint8Array, stored);
      const out = new Writer(256);
      writeShard(out, stored);
      expect(out.finish()).toEqual(rig.store.get(stored.key));
      rig.restart();
      expect(rig.dump()).toEqual(before);
    }
  });
});

/** Everything but the group's own record, which holds the highest stamp. */
function withoutStamp(dump: readonly string[]): readonly string[] {
  const own = `ffff${'00'.repeat(8)}01 `;
  return dump.filter((line) => !line.startsWith(own));
}

describe('time that came with a shard', () => {
  const ahead = 500_000;

  test('is the time of its commands and reads while the group is behind', () => {
    // Put with a time to live here, moved, and read in a group whose log is behind: it must not live again.
    const rig = brought(ahead);
    expect(rig.put('t', 'v', { flags: 16, ttl: 10 })).toMatchObject({ status: Status.ok });
    rig.now += ahead;
    rig.put('other', 'x', {});
    expect(rig.get('t')).toMatchObject({ status: Status.record });
    rig.now += 10;
    rig.put('other', 'x', {});
    expect(rig.get('t')).toEqual({ status: Status.absent });
  });

  test('keeps an expired session expired', () => {
    // Row removed there at its end of life; here the log is behind, and the session would look young.
    const rig = brought(sessionLimits.life);
    const session = sessionOf(1_000_000, 3);
    const answer = rig.batch([command({ key: bytes('k') })], { session });
    expect(answer).toEqual([{ status: Status.sessionExpired }]);
  });

  test('lets sessions be opened by it, not by the log', () => {
    const rig = brought(ahead);
    const session = sessionOf(1_000_000 + ahead + sessionLimits.skewMax, 3);
    expect(rig.batch([command({})], { session })).toMatchObject([{ status: Status.ok }]);
  });

  test('makes what it has passed due at once', () => {
    const rig = brought(sessionLimits.life);
    expect(rig.group.dueAt()).toBe(0);
    const entry = rig.group.timeEntry(rig.now);
    expect(entry).toBeDefined();
    rig.apply(entry as Uint8Array);
    expect([...rig.group.shards()][0]).toMatchObject({ rowCount: 0, recordCount: 1 });
    expect(rig.group.dueAt()).toBeUndefined();
  });
});

describe('stored formats', () => {
  test('a group or shard record of a newer format stops the replica with a reason', () => {
    const keys = new KeySpace(PREFIX);
    for (const key of [keys.head(GROUP_SHARD, 0, GroupKind.group), new Shard(0, keys).key]) {
      const store = new MemoryStore();
      store.put(key, new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 0]));
      expect(() => new Rig({ store })).toThrow(NewerFormatError);
      expect(() => new Rig({ store })).toThrow(/needs a newer version/);
    }
  });

  test('two replicas of a group in one store do not see each other', () => {
    const store = new MemoryStore();
    const one = Rig.serving([0], { store, prefix: bytes('one') });
    const two = Rig.serving([0], { store, prefix: bytes('two') });
    one.put('k', '1');
    expect(two.get('k')).toEqual({ status: Status.absent });
    two.put('k', '2');
    one.restart();
    expect(one.get('k')).toMatchObject({ value: bytes('1') });
  });
});
