import { expect, test } from 'vitest';
import { movesBetween } from './intents.ts';
import { ControllerBench, joinCommand } from './testing/bench.ts';

function serving(): ControllerBench {
  const bench = new ControllerBench();
  bench.found(12, 3);
  bench.ok(joinCommand({ 1: 's1', 2: 's2' }));
  bench.doneAll();
  return bench;
}

test('a preview tells what a command would do, and the command then does just that', () => {
  const bench = serving();
  const before = bench.config;
  const rows = bench.state();
  const preview = bench.group.preview(joinCommand({ 3: 's3' }));
  expect(bench.config).toBe(before);
  expect(bench.state()).toEqual(rows);
  expect(preview.answer).toEqual({
    ok: true,
    configNumber: 3,
    changed: true,
    message: 'group 3 founded on s3\n4 shards move to group 3; see flotilla moves',
  });
  expect(preview.moves).toHaveLength(4);
  for (const { shard, from, to } of preview.moves) {
    expect([before.shards[shard]?.owner, 3]).toEqual([from, to]);
  }
  bench.ok(joinCommand({ 3: 's3' }));
  expect(movesBetween(before, bench.config)).toEqual(preview.moves);
});

test('a preview of what would be refused or change nothing says so, also where the shapes do not fit', () => {
  const bench = serving();
  expect(bench.group.preview({ kind: 'leave', gids: [9] })).toMatchObject({
    answer: { ok: false, code: 'unknown-group' },
    moves: [],
  });
  expect(bench.group.preview(joinCommand({ 1: 's1' }))).toMatchObject({
    answer: { changed: false },
    moves: [],
  });
  expect(bench.group.preview({ kind: 'leave', gids: [0] })).toMatchObject({
    answer: { ok: false, code: 'bad-request' },
    moves: [],
  });
  expect(new ControllerBench().group.preview(joinCommand({ 1: 's1' }))).toMatchObject({
    answer: { ok: false, code: 'not-founded', retry: 'backoff' },
  });
});

test('shards that nobody serves yet move from 0, and those that stay after all do not move', () => {
  const bench = new ControllerBench();
  bench.found(2, 3);
  expect(bench.group.preview(joinCommand({ 1: 's1' })).moves).toEqual([
    { shard: 0, from: 0, to: 1 },
    { shard: 1, from: 0, to: 1 },
  ]);
  bench.ok(joinCommand({ 1: 's1' }));
  bench.doneAll();
  bench.ok(joinCommand({ 2: 's2' }));
  expect(bench.group.preview({ kind: 'leave', gids: [2] }).moves).toEqual([]);
});

test('between any two configs only new homes count, not how far the moves have come', () => {
  const bench = serving();
  const before = bench.config;
  bench.ok(joinCommand({ 3: 's3' }));
  const joined = bench.config;
  bench.ok({ kind: 'pause', moveId: joined.number, shard: undefined });
  expect(movesBetween(joined, bench.config)).toEqual([]);
  bench.ok({ kind: 'done', moves: bench.open().slice(0, 1) });
  expect(movesBetween(joined, bench.config)).toEqual([]);
  expect(movesBetween(before, bench.config)).toHaveLength(3);
});
