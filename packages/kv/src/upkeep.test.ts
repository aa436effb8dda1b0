import { Flag, limits, Op, Status, sessionLimits } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { bytes, command, Rig, sessionOf } from './testing/rig.ts';

function status(rig: Rig, number = 0): { revision: number; recordCount: number; rowCount: number } {
  const found = [...rig.group.shards()].find((shard) => shard.shard === number);
  if (found === undefined) throw new Error(`shard ${number} is not known`);
  return found;
}

/** What a leader does when something is due. */
function keepUp(rig: Rig): boolean {
  const entry = rig.group.timeEntry(rig.now);
  if (entry !== undefined) rig.apply(entry);
  return entry !== undefined;
}

function fill(rig: Rig, count: number, ttl: number, shard = 0, tag = 1): void {
  for (let at = 0; at < count; at += 4000) {
    const puts = Array.from({ length: Math.min(4000, count - at) }, (_, offset) =>
      command({ shard, key: bytes(`k${at + offset}`), flags: Flag.ttl, ttl, seqOffset: offset }),
    );
    rig.batch(puts, { session: sessionOf(rig.now, tag), floor: at });
  }
}

describe('what falls due', () => {
  test('a group without anything that ends is never due', () => {
    const rig = Rig.serving();
    expect(rig.group.dueAt()).toBeUndefined();
    expect(rig.group.timeEntry(rig.now + sessionLimits.life)).toBeUndefined();
  });

  test('a group is due at the earliest record or row, also after a restart', () => {
    const rig = Rig.serving([0, 1]);
    const begin = rig.now;
    rig.put('a', 'x');
    expect(rig.group.dueAt()).toBe(begin + sessionLimits.life);
    rig.put('b', 'x', { shard: 1, flags: Flag.ttl, ttl: 500 });
    expect(rig.group.dueAt()).toBe(begin + 500);
    rig.restart();
    expect(rig.group.dueAt()).toBe(begin + 500);
    expect(rig.group.timeEntry(begin + 499)).toBeUndefined();
  });

  test('an expired record goes by an entry alone, and under a revision of its own', () => {
    const rig = Rig.serving();
    rig.put('a', 'x', { flags: Flag.ttl, ttl: 500 });
    rig.put('b', 'x', { flags: Flag.ttl, ttl: 500 });
    rig.now += 500;
    expect(status(rig)).toMatchObject({ recordCount: 2, revision: 2 });
    expect(keepUp(rig)).toBe(true);
    expect(status(rig)).toMatchObject({ recordCount: 0, revision: 3 });
    expect(rig.group.digest(0)?.records).toEqual({ hi: 0, lo: 0 });
    expect(keepUp(rig)).toBe(false);
  });

  test('a time entry that finds nothing takes no revision, but moves the time of the log', () => {
    const rig = Rig.serving();
    rig.put('a', 'x', { flags: Flag.ttl, ttl: 500 });
    rig.time([{ shard: 0, items: 10 }], rig.now + 499);
    expect(status(rig)).toMatchObject({ recordCount: 1, revision: 1 });
    expect(rig.group.lastStamp).toBe(rig.now + 499);
  });

  test('a record that was put again without a time, or with a later one, stays', () => {
    const rig = Rig.serving();
    for (const key of ['a', 'b', 'c']) rig.put(key, 'x', { flags: Flag.ttl, ttl: 500 });
    rig.put('a', 'y');
    rig.put('b', 'y', { flags: Flag.ttl, ttl: 900 });
    rig.run({ op: Op.delete, key: bytes('c') });
    rig.now += 500;
    // The hint says that something may be due; a closer look finds nothing, and finds the next time.
    expect(keepUp(rig)).toBe(false);
    expect(rig.group.dueAt()).toBe(rig.now + 400);
    expect(rig.get('a')).toMatchObject({ status: Status.record });
    expect(rig.get('b')).toMatchObject({ status: Status.record });
  });

  test('an old row goes with its results, and its session stays expired', () => {
    const rig = Rig.serving();
    rig.put('a', 'x');
    rig.now += sessionLimits.life;
    expect(keepUp(rig)).toBe(true);
    expect(status(rig)).toMatchObject({ rowCount: 0, revision: 2, recordCount: 1 });
    expect(rig.group.digest(0)?.rows).toEqual({ hi: 0, lo: 0 });
    expect(rig.group.dueAt()).toBeUndefined();
  });

  test('a row that was made and falls due before anything was flushed is removed all the same', () => {
    const rig = Rig.serving();
    rig.put('a', 'x');
    rig.time([{ shard: 0, items: 5 }], rig.now + sessionLimits.life);
    expect(status(rig)).toMatchObject({ rowCount: 0 });
    rig.restart();
    expect(status(rig)).toMatchObject({ rowCount: 0, revision: 2 });
    expect(rig.group.digest(0)?.rows).toEqual({ hi: 0, lo: 0 });
  });
});

describe('the limit of a time entry', () => {
  test('takes 1,000 items, the earliest first, and leaves the rest for the next', () => {
    const rig = Rig.serving();
    fill(rig, limits.timeEntryItems + 1, 10);
    rig.now += 10;
    expect(keepUp(rig)).toBe(true);
    expect(status(rig).recordCount).toBe(1);
    expect(keepUp(rig)).toBe(true);
    expect(status(rig).recordCount).toBe(0);
    expect(keepUp(rig)).toBe(false);
  });

  test('records go before rows, and both count', () => {
    const rig = Rig.serving();
    fill(rig, 3, sessionLimits.life);
    rig.now += sessionLimits.life;
    rig.time([{ shard: 0, items: 3 }]);
    expect(status(rig)).toMatchObject({ recordCount: 0, rowCount: 1 });
    rig.time([{ shard: 0, items: 3 }]);
    expect(status(rig)).toMatchObject({ rowCount: 0 });
  });

  test('a shard with much to remove does not keep others waiting', () => {
    const rig = Rig.serving([0, 1]);
    fill(rig, 2500, 10, 0, 1);
    fill(rig, 10, 10, 1, 2);
    rig.now += 10;
    keepUp(rig);
    keepUp(rig);
    expect(status(rig, 1).recordCount).toBe(0);
    expect(status(rig, 0).recordCount).toBeLessThan(2500);
  });

  test('an entry over the limit, or of unknown shards, removes nothing', () => {
    const rig = Rig.serving();
    rig.put('a', 'x', { flags: Flag.ttl, ttl: 1 });
    rig.now += 1;
    rig.time([{ shard: 0, items: limits.timeEntryItems + 1 }]);
    rig.time([
      { shard: 0, items: limits.timeEntryItems },
      { shard: 0, items: 1 },
    ]);
    rig.time([{ shard: 3, items: 1 }]);
    rig.time([{ shard: 999, items: 1 }]);
    expect(status(rig)).toMatchObject({ recordCount: 1, revision: 1 });
  });
});
