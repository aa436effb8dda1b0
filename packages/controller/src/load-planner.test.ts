import { Prng } from '@flotilla/base';
import { limits } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { levelLoads, loadLimits } from './load-planner.ts';
import { decodeLoads, encodeLoads, LOAD_MAX, loadOf } from './loads.ts';

interface Placed {
  readonly gid: number;
  readonly load: number;
  readonly mayMove?: boolean;
}

/** Homes after levelling, with the checks that hold in every case. */
function level(shards: readonly Placed[], groups: readonly number[]) {
  const homes = shards.map((shard) => shard.gid);
  const loads = shards.map((shard) => shard.load);
  const mayMove = shards.map((shard) => shard.mayMove ?? true);
  const moved = levelLoads({ homes, loads, mayMove, groups });
  expect(moved.size).toBeLessThanOrEqual(loadLimits.movesMax);
  const after = homes.map((home, shard) => moved.get(shard) ?? home);
  for (const [shard, gid] of moved) {
    expect(mayMove[shard]).toBe(true);
    expect(gid).not.toBe(homes[shard]);
    expect(groups).toContain(gid);
  }
  const counts = (of: readonly number[]) =>
    groups.map((gid) => of.filter((home) => home === gid).length).sort((left, right) => left - right);
  expect(counts(after)).toEqual(counts(homes));
  const bears = (of: readonly number[]): readonly number[] =>
    groups.map((gid) => loads.reduce((sum, load, shard) => sum + (of[shard] === gid ? load : 0), 0));
  expect(Math.max(...bears(after))).toBeLessThanOrEqual(Math.max(...bears(homes)));
  return { moved, after, before: bears(homes), bears: bears(after) };
}

function mean(loads: readonly number[]): number {
  return loads.reduce((sum, load) => sum + load, 0) / loads.length;
}

function placed(byGroup: Readonly<Record<number, readonly number[]>>): readonly Placed[] {
  return Object.entries(byGroup).flatMap(([gid, loads]) => loads.map((load) => ({ gid: Number(gid), load })));
}

test('nothing moves as long as no group bears more than 1.25 times the mean, and something does one above', () => {
  const rest = [1000, 1000, 1000, 1000];
  // 5,000 on 3 groups of 4,000 in the mean is exactly 1.25.
  expect(
    level(
      placed({ 1: [2000, 1000, 1000, 1000], 2: [500, 1000, 1000, 1000], 3: [500, ...rest.slice(1)] }),
      [1, 2, 3],
    ).moved.size,
  ).toBe(0);
  const above = level(
    placed({ 1: [2001, 1000, 1000, 1000], 2: [500, 1000, 1000, 1000], 3: [500, ...rest.slice(1)] }),
    [1, 2, 3],
  );
  expect(above.moved.size).toBeGreaterThan(0);
  expect(Math.max(...above.bears)).toBeLessThan(5001);
});

test('four hot shards of one group come to be on four groups, for as many cold ones', () => {
  const cold = [1, 2, 3, 4];
  const { after, moved } = level(
    placed({ 1: [1000, 1000, 1000, 1000], 2: cold, 3: cold, 4: cold }),
    [1, 2, 3, 4],
  );
  expect(moved.size).toBe(6);
  expect(new Set(after.slice(0, 4))).toEqual(new Set([1, 2, 3, 4]));
});

test('a group with one shard more gives it away without an exchange', () => {
  const { moved } = level(placed({ 1: [500, 500, 500], 2: [100, 100] }), [1, 2]);
  expect([...moved.values()]).toEqual([2]);
});

test('one hot shard stays alone where it is, and the others are looked at without its group', () => {
  const { after, moved } = level(placed({ 1: [10_000, 0], 2: [1000, 1000], 3: [0, 0] }), [1, 2, 3]);
  expect(after[0]).toBe(1);
  expect(moved.size).toBe(2);
  expect(new Set(after.slice(2, 4))).toEqual(new Set([2, 3]));
});

test('a group that is set aside does not make the others be levelled more eagerly', () => {
  const { moved } = level(placed({ 1: [10_000, 500], 2: [600, 600], 3: [400, 400] }), [1, 2, 3]);
  // Only the exchange that relieves group 1; 1,200 and 900 are within 1.25 times their mean.
  expect([...moved]).toEqual([
    [1, 3],
    [4, 1],
  ]);
});

test('one call sets aside at most 64 groups that cannot be relieved', () => {
  const max = loadLimits.asideMax;
  const around = (giants: number) => {
    const groups = Array.from({ length: giants + 33 }, (_, at) => at + 1);
    const loads = groups.map((gid): [number, readonly number[]] => {
      if (gid <= giants) return [gid, [10_000, 0]];
      return [gid, gid === giants + 1 ? [1000, 1000] : [0, 0]];
    });
    return level(placed(Object.fromEntries(loads)), groups).moved.size;
  };
  expect([around(max), around(max + 1)]).toEqual([2, 0]);
});

test('gains of less than a hundredth of what a group bears too much are not worth a copy', () => {
  expect(level(placed({ 1: [10_000, 40], 2: [0, 1], 3: [0, 1] }), [1, 2, 3]).moved.size).toBe(0);
});

test('what may not move stays', () => {
  const shards = placed({ 1: [1000, 1000], 2: [0, 0] });
  expect(level(shards, [1, 2]).moved.size).toBe(2);
  expect(
    level(
      shards.map((shard) => ({ ...shard, mayMove: shard.gid === 2 })),
      [1, 2],
    ).moved.size,
  ).toBe(0);
});

test('an exchange that does not fit the moves that are left is not begun', () => {
  const { moved } = level(
    placed({ 1: new Array<number>(65).fill(20), 2: new Array<number>(64).fill(10) }),
    [1, 2],
  );
  // One move, and as many exchanges as fit.
  expect(moved.size).toBe(loadLimits.movesMax - 1);
});

test('one call moves 16 shards at most, and further calls go on until it is level', () => {
  const shards = placed({ 1: new Array<number>(64).fill(20), 2: new Array<number>(64).fill(10) });
  let now = shards;
  let calls = 0;
  for (;;) {
    const { after, moved } = level(now, [1, 2]);
    if (moved.size === 0) break;
    if (calls === 0) expect(moved.size).toBe(loadLimits.movesMax);
    now = now.map((shard, at) => ({ ...shard, gid: after[at] as number }));
    expect(++calls).toBeLessThan(10);
  }
  const { before } = level(now, [1, 2]);
  expect(Math.max(...before)).toBeLessThanOrEqual(1.25 * mean(before));
});

test('over random loads it keeps counts, never makes the heaviest heavier, and leaves no hot pair beside a cold group', () => {
  const random = new Prng(21);
  for (let run = 0; run < 300; run++) {
    const groups = Array.from({ length: 2 + random.below(5) }, (_, at) => at + 1);
    const shards = Array.from({ length: groups.length * (1 + random.below(6)) }, (_, at) => ({
      gid: groups[at % groups.length] as number,
      load: random.chance(0.2) ? 500 + random.below(500) : random.below(20),
    }));
    const { after, bears, before, moved } = level(shards, groups);
    if (Math.max(...before) <= 1.25 * mean(before)) expect(moved.size).toBe(0);
    if (moved.size === 0 || moved.size >= loadLimits.movesMax - 1) continue;
    const hot = groups.map(
      (gid) => shards.filter((shard, at) => after[at] === gid && shard.load >= 500).length,
    );
    const isLevel = Math.max(...bears) <= 1.25 * mean(bears);
    if (!isLevel) expect(Math.max(...hot) > 1 && Math.min(...hot) === 0).toBe(false);
  }
});

test('the same loads give the same moves, whatever the order in which groups are named', () => {
  const random = new Prng(22);
  for (let run = 0; run < 50; run++) {
    const groups = [1, 2, 3, 4];
    const homes = Array.from({ length: 40 }, (_, at) => groups[at % 4] as number);
    const input = { homes, loads: homes.map(() => random.below(1000)), mayMove: homes.map(() => true) };
    const one = levelLoads({ ...input, groups });
    expect([...levelLoads({ ...input, groups: [...groups].reverse() })]).toEqual([...one]);
  }
});

test('the largest cluster is levelled in bounded time and exact numbers', () => {
  const groups = Array.from({ length: 64 }, (_, at) => at + 1);
  const shards = Array.from({ length: limits.shardCountMax }, (_, at) => ({
    gid: (at % 64) + 1,
    load: at % 64 === 0 ? LOAD_MAX : LOAD_MAX - 1,
  }));
  expect(level(shards, groups).moved.size).toBe(0);
});

test('loads travel as a column of whole numbers, cut to what their fields hold', () => {
  const loads = [
    { operations: 1.6, bytes: 2 ** 40 + 0.4, cpuMs: 0.4 },
    { operations: -3, bytes: Number.NaN, cpuMs: Number.POSITIVE_INFINITY },
    { operations: 2 ** 33, bytes: 2 ** 60, cpuMs: 7 },
  ];
  const column = encodeLoads(loads);
  expect(column).toHaveLength(48);
  expect(decodeLoads(column)).toEqual([
    { operations: 2, bytes: 2 ** 40, cpuMs: 0 },
    { operations: 0, bytes: 0, cpuMs: 2 ** 32 - 1 },
    { operations: 2 ** 32 - 1, bytes: Number.MAX_SAFE_INTEGER, cpuMs: 7 },
  ]);
  expect(() => decodeLoads(column.subarray(1))).toThrow('not loads of shards');
  expect(() => decodeLoads(new Uint8Array(16).fill(0xff))).toThrow();
  const most = new Uint8Array(16 * limits.shardCountMax);
  expect(decodeLoads(most)).toHaveLength(limits.shardCountMax);
  expect(() => decodeLoads(new Uint8Array(most.length + 16))).toThrow('not loads of shards');
});

test('a GiB weighs as much as a thousand operations a second, a millisecond of processor as fifty', () => {
  const none = { operations: 0, bytes: 0, cpuMs: 0 };
  expect(loadOf({ ...none, operations: 1024 })).toBe(1024);
  expect(loadOf({ ...none, bytes: 2 ** 30 })).toBe(1024);
  expect(loadOf({ ...none, bytes: 2 ** 20 - 1 })).toBe(0);
  expect(loadOf({ ...none, cpuMs: 20 })).toBe(1000);
  expect(loadOf({ operations: LOAD_MAX, bytes: 2 ** 20, cpuMs: 0 })).toBe(LOAD_MAX);
});
