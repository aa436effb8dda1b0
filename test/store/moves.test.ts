import { ShardState } from '@flotilla/kv';
import { MoveStep } from '@flotilla/wire';
import { describe, expect, test, vi } from 'vitest';
import type { BenchStore } from './bench.ts';
import { MoveBench } from './moves-bench.ts';

// Whole clusters, on machines that do other things as well.
vi.setConfig({ testTimeout: 60_000 });

/** Two groups on stores of their own, the controller on the first three; all shards on group 1 or 2. */
function twoGroups(options: { shardCount?: number; pieceBytes?: number } = {}): MoveBench {
  const bench = MoveBench.with({ count: 6, shardCount: 2, pieceBytes: 2_000, ...options });
  bench.join([1, 's1', 's2', 's3'], [2, 's4', 's5', 's6']);
  bench.settled();
  return bench;
}

/** Where shard 0 is and where it goes. */
function ends(bench: MoveBench): { from: number; to: number } {
  const from = bench.config.shards[0]?.owner as number;
  return { from, to: 3 - from };
}

/** Nothing of the shard is left where it was, and nothing but it where it is. */
function isClean(bench: MoveBench, gid: number): boolean {
  return bench.stores.every((store) =>
    [1, 2].every((group) => {
      const shard = bench.shard(store, group, 0);
      if (shard === undefined) return true;
      if (shard.openExport !== undefined || shard.staging !== undefined) return false;
      return shard.state === (group === gid ? ShardState.serving : ShardState.absent);
    }),
  );
}

describe('a shard moves to another group', () => {
  test('with its records while writers go on, each write once, and both ends are clean', () => {
    const bench = twoGroups();
    const { to } = ends(bench);
    bench.fill(bench.keys(0, 300).map((key) => [key, `value of ${key}`] as const));
    const appenders = bench.keys(0, 5, 'word').map((key) => bench.appender(key));
    bench.run(20);
    bench.move(0, to);
    bench.until(() => bench.config.shards[0]?.owner === to);
    bench.run(200);
    bench.check(appenders);
    for (const key of bench.keys(0, 300)) expect(bench.get(key)).toBe(`value of ${key}`);
    bench.until(() => isClean(bench, to));
    expect(bench.fatal()).toEqual([]);
    expect(bench.lines('move-restarted')).toEqual([]);
    expect(bench.lines('move-active')[0]?.pauseMs).toBeLessThan(10);
  });
});

describe.each([
  ['the target', 'to'],
  ['the source', 'from'],
  ['the controller', 'controller'],
] as const)('a move goes on when the leader of %s goes down', (_whose, whose) => {
  test.each([
    ['the export is open', MoveStep.beginExport],
    ['the import begins', MoveStep.beginImport],
    ['a page came in', MoveStep.importChunk],
    ['changes came in', MoveStep.importDelta],
    ['the source is frozen', MoveStep.freeze],
    ['the target is active', MoveStep.activate],
    ['the frozen copy is forgotten', MoveStep.forget],
  ])('right after %s', (_what, step) => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    const gid = { from, to, controller: 0 }[whose];
    bench.fill(bench.keys(0, 200).map((key) => [key, `value of ${key}`] as const));
    const appenders = bench.keys(0, 4, 'word').map((key) => bench.appender(key, 100));
    bench.run(20);
    let victim: BenchStore | undefined;
    bench.after(step, () => {
      victim = bench.leader(gid);
      victim.crash();
    });
    bench.move(0, to);
    bench.until(() => victim !== undefined);
    const isDown = bench.config.shards[0]?.intent !== undefined;
    // The others finish it without the one that is down.
    bench.settled();
    if (isDown) expect(bench.config.shards[0]?.owner).toBe(to);
    bench.run(200);
    victim?.start();
    bench.check(appenders);
    for (const key of bench.keys(0, 200)) expect(bench.get(key)).toBe(`value of ${key}`);
    bench.until(() => isClean(bench, to));
    expect(bench.fatal()).toEqual([]);
    expect(bench.lines('move-digest-mismatch')).toEqual([]);
    expect(bench.lines('move-restarted')).toEqual([]);
  });
});

describe('every store goes down and comes back', () => {
  test.each([
    ['a page came in', MoveStep.importChunk],
    ['the source is frozen', MoveStep.freeze],
    ['the target is active', MoveStep.activate],
  ])('after %s: the move goes on', (_what, step) => {
    const bench = twoGroups();
    const { to } = ends(bench);
    bench.fill(bench.keys(0, 200).map((key) => [key, `value of ${key}`] as const));
    const appenders = bench.keys(0, 2, 'word').map((key) => bench.appender(key, 100));
    let isDown = false;
    bench.after(step, () => {
      isDown = true;
      for (const store of bench.stores) store.crash();
    });
    bench.move(0, to);
    bench.until(() => isDown);
    bench.run(100);
    for (const store of bench.stores) store.start();
    bench.until(() => bench.config.shards[0]?.owner === to);
    bench.settled();
    bench.check(appenders);
    for (const key of bench.keys(0, 200)) expect(bench.get(key)).toBe(`value of ${key}`);
    bench.until(() => isClean(bench, to));
    expect(bench.lines('move-restarted')).toEqual([]);
  });
});

describe('a cancelled move', () => {
  test('that is not frozen yet never happened, and another one can follow', () => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    bench.fill(bench.keys(0, 200).map((key) => [key, `value of ${key}`] as const));
    const appenders = bench.keys(0, 2, 'word').map((key) => bench.appender(key));
    bench.policy({ moveBytesPerSecond: 2_000 });
    const moveId = bench.move(0, to);
    bench.until(() => bench.shardOf(to, 0)?.staging !== undefined);
    bench.run(500);
    expect(bench.progress(to)).toMatchObject([
      { moveId, shard: 0, state: 'copying', source: from, target: to },
    ]);
    bench.order('cancel', moveId);
    bench.settled();
    expect(bench.config.shards[0]).toMatchObject({ owner: from, intent: undefined });
    bench.until(() => isClean(bench, from));
    expect(bench.progress(to)).toMatchObject([{ moveId, state: 'cancelled' }]);
    bench.policy({ moveBytesPerSecond: 0 });
    bench.move(0, to);
    bench.settled();
    expect(bench.config.shards[0]?.owner).toBe(to);
    bench.check(appenders);
    bench.until(() => isClean(bench, to));
  });

  test('of which the config has not heard yet is left alone by its driver', () => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    bench.fill(bench.keys(0, 200).map((key) => [key, `value of ${key}`] as const));
    bench.policy({ moveBytesPerSecond: 2_000 });
    const moveId = bench.move(0, to);
    bench.until(() => bench.shardOf(to, 0)?.staging !== undefined);
    bench.propose(from, { step: MoveStep.cancel, moveId, shard: 0 });
    bench.policy({ moveBytesPerSecond: 0 });
    bench.until(() => bench.lines('move-closed').length > 0);
    let entries = 0;
    bench.onApplied = () => {
      entries++;
    };
    bench.run(3_000);
    // Those of the controller, on each of its replicas.
    expect(entries).toBeLessThan(50);
    expect(bench.lines('move-closed').length).toBe(1);
    bench.order('cancel', moveId);
    bench.settled();
    expect(bench.config.shards[0]?.owner).toBe(from);
    bench.until(() => isClean(bench, from));
  });

  test('that is frozen already goes forward, and the cancel says that it came too late', () => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    bench.fill(bench.keys(0, 50).map((key) => [key, `value of ${key}`] as const));
    let isFrozen = false;
    // Nobody is there to activate it.
    bench.after(MoveStep.freeze, () => {
      for (const id of bench.config.groups.find(({ gid }) => gid === to)?.replicas ?? []) {
        if (!['s1', 's2', 's3'].includes(id.storeId)) bench.store(id.storeId).crash();
      }
      isFrozen = true;
    });
    const moveId = bench.move(0, to);
    bench.until(() => isFrozen);
    expect(bench.shardOf(from, 0)?.state).toBe(ShardState.frozen);
    bench.order('cancel', moveId);
    bench.until(() => bench.config.cause.includes('too late') || bench.config.shards[0]?.intent?.phase === 0);
    bench.run(500);
    expect(bench.config.shards[0]).toMatchObject({ owner: from, intent: { moveId, phase: 0 } });
    for (const store of bench.stores) if (!store.isRunning) store.start();
    bench.settled();
    expect(bench.config.shards[0]?.owner).toBe(to);
    for (const key of bench.keys(0, 50)) expect(bench.get(key)).toBe(`value of ${key}`);
    bench.until(() => isClean(bench, to));
  });

  test('of a shard that nobody serves yet is decided by its target', () => {
    const bench = MoveBench.with({ count: 6, shardCount: 2 });
    for (const id of ['s4', 's5', 's6']) bench.store(id).crash();
    bench.join([1, 's1', 's2', 's3'], [2, 's4', 's5', 's6']);
    const mine = (): number => bench.config.shards.findIndex(({ intent }) => intent?.target === 2);
    bench.until(() => mine() >= 0);
    const shard = mine();
    const moveId = bench.config.shards[shard]?.intent?.moveId as number;
    bench.order('cancel', moveId);
    bench.run(1_000);
    expect(bench.config.shards[shard]?.intent?.moveId).toBe(moveId);
    for (const id of ['s4', 's5', 's6']) bench.store(id).start();
    bench.until(() => bench.config.shards[shard]?.intent?.moveId !== moveId);
    bench.settled();
    expect(bench.shardOf(2, shard)?.fence ?? 0).toBeGreaterThanOrEqual(moveId);
  });
});

describe('a paused move', () => {
  test('copies and freezes nothing until it is resumed', () => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    bench.fill(bench.keys(0, 200).map((key) => [key, `value of ${key}`] as const));
    bench.policy({ moveBytesPerSecond: 4_000 });
    const moveId = bench.move(0, to);
    bench.until(() => (bench.progress(to)[0]?.bytes ?? 0) > 0);
    bench.order('pause', moveId);
    bench.run(1_000);
    const before = bench.shardOf(to, 0)?.staging;
    bench.policy({ moveBytesPerSecond: 0 });
    bench.run(5_000);
    expect(bench.shardOf(to, 0)?.staging).toEqual(before);
    expect(bench.progress(to)).toMatchObject([{ moveId, state: 'paused' }]);
    bench.order('resume', moveId);
    bench.settled();
    expect(bench.config.shards[0]?.owner).toBe(to);
    expect(bench.lines('move-restarted')).toEqual([]);
    expect(from).not.toBe(to);
  });

  test('whose source is frozen already is not held up, though its driver went down', () => {
    const bench = twoGroups();
    const { to } = ends(bench);
    bench.fill(bench.keys(0, 50).map((key) => [key, `value of ${key}`] as const));
    let isFrozen = false;
    bench.after(MoveStep.freeze, () => {
      bench.leader(to).crash();
      isFrozen = true;
    });
    const moveId = bench.move(0, to);
    bench.until(() => isFrozen);
    bench.order('pause', moveId);
    bench.until(() => bench.config.shards[0]?.owner === to);
    for (const key of bench.keys(0, 50)) expect(bench.get(key)).toBe(`value of ${key}`);
  });
});

describe('a source that trimmed its index', () => {
  test('beyond what the target has is copied anew, and the move ends well', () => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    bench.fill(bench.keys(0, 100).map((key) => [key, `value of ${key}`] as const));
    bench.policy({ moveBytesPerSecond: 4_000 });
    const moveId = bench.move(0, to);
    bench.until(() => bench.shardOf(to, 0)?.staging !== undefined);
    const down = bench.stores.filter((store) => bench.shard(store, to, 0) !== undefined);
    for (const store of down) store.crash();
    bench.fill(bench.keys(0, 100).map((key) => [key, `second value of ${key}`] as const));
    const revision = bench.shardOf(from, 0)?.revision as number;
    bench.propose(from, { step: MoveStep.trimExport, moveId, shard: 0, to: revision });
    bench.until(() => bench.shardOf(from, 0)?.openExport?.r0 === revision);
    bench.policy({ moveBytesPerSecond: 0 });
    for (const store of down) store.start();
    bench.settled();
    expect(bench.config.shards[0]?.owner).toBe(to);
    expect(bench.lines('move-restarted').length).toBe(1);
    for (const key of bench.keys(0, 100)) expect(bench.get(key)).toBe(`second value of ${key}`);
    bench.until(() => isClean(bench, to));
  });
});
