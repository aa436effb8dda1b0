import { ShardState } from '@flotilla/kv';
import { MoveStep } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import type { BenchStore } from './bench.ts';
import { MoveBench } from './moves-bench.ts';

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
