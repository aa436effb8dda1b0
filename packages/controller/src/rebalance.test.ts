import { expect, test } from 'vitest';
import { encodeLoads } from './loads.ts';
import { ControllerBench, joinCommand, refusedBy } from './testing/bench.ts';

function serving(shardCount = 12, groups = 3): ControllerBench {
  const bench = new ControllerBench();
  bench.found(shardCount, 3);
  bench.ok(joinCommand(Object.fromEntries(Array.from({ length: groups }, (_, at) => [at + 1, 's1 s2 s3']))));
  bench.doneAll();
  return bench;
}

/** `operations` of each shard, by its number. */
function rebalance(bench: ControllerBench, operations: Readonly<Record<number, number>> = {}) {
  const loads = bench.config.shards.map((_, at) => ({ operations: operations[at] ?? 1, bytes: 0, cpuMs: 0 }));
  return { kind: 'rebalance', loads: encodeLoads(loads) } as const;
}

function owned(bench: ControllerBench, gid: number): readonly number[] {
  return [...bench.config.shards.entries()].flatMap(([at, shard]) => (shard.owner === gid ? [at] : []));
}

test('what is balanced in numbers and load stays as it is', () => {
  const bench = serving();
  expect(bench.ok(rebalance(bench))).toMatchObject({
    changed: false,
    message: 'the groups are balanced: nothing moves',
  });
  expect(bench.ok({ kind: 'rebalance', loads: new Uint8Array(0) })).toMatchObject({ changed: false });
});

test('numbers come first: after cancelled moves the groups are made even again', () => {
  const bench = serving();
  bench.ok(joinCommand({ 4: 's1 s2 s3' }));
  bench.ok({ kind: 'cancel', moveId: bench.config.number, shard: undefined });
  bench.settleAll();
  expect(bench.sizes()).toEqual({ 1: 4, 2: 4, 3: 4, 4: 0 });
  expect(bench.ok({ kind: 'rebalance', loads: new Uint8Array(0) }).message).toBe(
    '3 shards move to group 4; see flotilla moves',
  );
  expect(bench.config.cause).toBe('rebalance');
  bench.settleAll();
  expect(bench.sizes()).toEqual({ 1: 3, 2: 3, 3: 3, 4: 3 });
});

test('hot shards of one group are exchanged for cold ones of the others', () => {
  const bench = serving();
  const [one, two, three] = owned(bench, 1);
  if (one === undefined || two === undefined || three === undefined)
    throw new Error('group 1 owns four shards');
  const hot = { [one]: 1000, [two]: 1000, [three]: 1000 };
  bench.ok(rebalance(bench, hot));
  expect(bench.open()).toHaveLength(4);
  bench.settleAll();
  expect(new Set([one, two, three].map((shard) => bench.config.shards[shard]?.owner))).toEqual(
    new Set([1, 2, 3]),
  );
  expect(bench.sizes()).toEqual({ 1: 4, 2: 4, 3: 4 });
  expect(bench.ok(rebalance(bench, hot))).toMatchObject({ changed: false });
});

test('what was placed by hand stays, in numbers and in load', () => {
  const bench = serving();
  const given = owned(bench, 1).slice(0, 3);
  for (const shard of given) bench.ok({ kind: 'move', shard, gid: 2 });
  bench.settleAll();
  expect(bench.sizes()).toEqual({ 1: 1, 2: 7, 3: 4 });
  bench.ok(rebalance(bench, Object.fromEntries(given.map((shard) => [shard, 1000]))));
  bench.settleAll();
  expect(bench.sizes()).toEqual({ 1: 4, 2: 4, 3: 4 });
  for (const shard of given) expect(bench.config.shards[shard]?.owner).toBe(2);
});

test('shards on their way are not turned round for their load', () => {
  const bench = serving();
  bench.ok(joinCommand({ 4: 's1 s2 s3' }));
  const moves = bench.open();
  const hot = Object.fromEntries(moves.map((move) => [move.shard, 1000]));
  bench.ok(rebalance(bench, hot));
  for (const move of moves) {
    expect(bench.config.shards[move.shard]?.intent).toMatchObject({
      moveId: move.moveId,
      target: 4,
      next: 0,
    });
  }
});

test('loads of another number of shards are refused, and what is no column is no command', () => {
  const bench = serving();
  const few = encodeLoads([{ operations: 1, bytes: 1, cpuMs: 1 }]);
  expect(refusedBy(bench, () => bench.run({ kind: 'rebalance', loads: few })).code).toBe('bad-request');
  expect(refusedBy(bench, () => bench.run({ kind: 'rebalance', loads: new Uint8Array(17) })).code).toBe(
    'bad-request',
  );
});

test('a repeated rebalance gets the first answer, although loads were measured anew', () => {
  const bench = serving();
  const [one, two] = owned(bench, 1);
  if (one === undefined || two === undefined) throw new Error('group 1 owns four shards');
  const first = bench.run(rebalance(bench, { [one]: 1000, [two]: 1000 }), 'r1');
  expect(first).toMatchObject({ ok: true, changed: true });
  expect(bench.run(rebalance(bench, { [one]: 990, [two]: 1010 }), 'r1')).toEqual(first);
});

test('without a group there is nothing to balance', () => {
  const bench = new ControllerBench();
  bench.found(4);
  expect(bench.ok(rebalance(bench))).toMatchObject({ changed: false });
});
