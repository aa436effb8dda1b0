import { EMPTY_CONFIG } from '@flotilla/controller';
import { type ClusterConfig, type ClusterPolicy, defaultPolicy, PLAN_MOVES_MAX } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { makeMovePlan, shardLoads } from './move-plan.ts';
import type { ReplicaReport, ShardReport, StoreReport } from './report.ts';

const rate = { operations: 10, cpuMs: 2 };

function group(gid: number, storeId: string) {
  return { gid, incarnation: 1, leaving: false, replicas: [{ raftId: 1, storeId, storeIncarnation: 'i' }] };
}

function configOf(owners: readonly number[], policy: Partial<ClusterPolicy> = {}): ClusterConfig {
  const shards = owners.map((owner) => ({ owner, epoch: 1, intent: undefined, pinned: false }));
  const groups = [group(1, 's1'), group(2, 's2'), group(3, 's2')];
  return { ...EMPTY_CONFIG, number: 9, shards, groups, policy: { ...defaultPolicy, ...policy } };
}

function leader(gid: number, serving: readonly ShardReport[]): ReplicaReport {
  const where = { term: 1, commitIndex: 1, appliedIndex: 1, matches: new Map<number, number>() };
  return { gid, incarnation: 1, raftId: 1, role: 'leader', ...where, serving, frozen: [], broken: '' };
}

function reportsOf(...replicas: readonly ReplicaReport[]): ReadonlyMap<string, StoreReport> {
  return new Map([['s1', { storeId: 's1', aheadMs: 0, replicas, stuck: [] }]]);
}

function serving(bytes: readonly number[]): ShardReport[] {
  return bytes.map((each, shard) => ({ shard, bytes: each, rate }));
}

describe('a plan', () => {
  test('sizes each shard by what its leader says, and nothing where nobody serves yet', () => {
    const reports = reportsOf(leader(1, serving([100, 200, 300])));
    const moves = [
      { shard: 0, from: 1, to: 2 },
      { shard: 2, from: 1, to: 2 },
      { shard: 3, from: 0, to: 2 },
      { shard: 4, from: 1, to: 2 },
    ];
    expect(makeMovePlan(moves, { config: configOf([]), reports })).toEqual({
      moves: moves.map((move, at) => ({ ...move, bytes: [100, 300, 0, 0][at] })),
      ...{ count: 4, bytes: 400, seconds: 1 },
    });
  });

  test('counts all moves and names the first', () => {
    const moves = Array.from({ length: PLAN_MOVES_MAX + 20 }, (_, shard) => ({ shard, from: 0, to: 2 }));
    const plan = makeMovePlan(moves, { config: configOf([]), reports: new Map() });
    expect(plan.count).toBe(PLAN_MOVES_MAX + 20);
    expect(plan.moves).toHaveLength(PLAN_MOVES_MAX);
  });

  test('without moves takes no time', () => {
    expect(makeMovePlan([], { config: configOf([]), reports: new Map() }).seconds).toBe(0);
  });

  test('takes its time from the pace of the policy and the stores that take in', () => {
    const gib = 1_000_000_000;
    const reports = reportsOf(leader(1, serving([gib, gib])));
    const seconds = (targets: readonly number[], policy: Partial<ClusterPolicy>, known = reports) => {
      const moves = targets.map((to, shard) => ({ shard, from: 1, to }));
      return makeMovePlan(moves, { config: configOf([1, 1], policy), reports: known }).seconds;
    };
    expect(seconds([2], { moveBytesPerSecond: 10_000_000 })).toBe(101);
    expect(seconds([2], { moveBytesPerSecond: 0 })).toBe(26);
    // Groups 2 and 3 would be led by the same store, until one of them is led elsewhere.
    expect(seconds([2, 3], { moveBytesPerSecond: 10_000_000 })).toBe(201);
    const apart = reportsOf(leader(1, serving([gib, gib])), leader(3, []));
    expect(seconds([2, 3], { moveBytesPerSecond: 10_000_000 }, apart)).toBe(101);
    // Groups that are not founded yet are taken for groups on stores of their own.
    expect(seconds([8, 9], { moveBytesPerSecond: 10_000_000 })).toBe(101);
  });
});

describe('loads for the controller', () => {
  test('are those that the leaders measured, and none of a shard that nobody has', () => {
    const reports = reportsOf(leader(1, serving([100, 200])));
    expect(shardLoads(configOf([1, 1, 0]), reports)).toEqual([
      { ...rate, bytes: 100 },
      { ...rate, bytes: 200 },
      { operations: 0, bytes: 0, cpuMs: 0 },
    ]);
  });

  test('are missing as a whole while one of them is: idle and unknown are not the same', () => {
    const config = configOf([1, 1]);
    expect(shardLoads(config, reportsOf(leader(1, serving([100]))))).toEqual([]);
    const unmeasured = [...serving([100]), { shard: 1, bytes: 7, rate: undefined }];
    expect(shardLoads(config, reportsOf(leader(1, unmeasured)))).toEqual([]);
    expect(shardLoads(config, new Map())).toEqual([]);
  });

  test('do not wait for a shard that is between two groups', () => {
    const config = configOf([1, 1]);
    const intent = { moveId: 5, target: 2, phase: 0, paused: false, next: 0 } as const;
    const shards = config.shards.map((shard, at) => (at === 1 ? { ...shard, intent } : shard));
    expect(shardLoads({ ...config, shards }, reportsOf(leader(1, serving([100]))))).toHaveLength(2);
  });
});
