import type { ColdValue } from '@flotilla/ports';
import type { AdminRequest, ChangeResult, MoveProgress } from '@flotilla/wire';
import { afterEach, expect, test } from 'vitest';
import type { Db } from './db.ts';
import { InvalidArgumentError, ProtocolError, RefusedError } from './errors.ts';
import { Bench } from './testing/facade-bench.ts';
import { answerAdmin } from './testing/fake-admin.ts';

// What the facade asks the controller, and how it joins what comes in pages.

let open: Db | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

type Answer = (request: AdminRequest, attempt: number) => ColdValue | 'break';

async function start(answer: Answer): Promise<{ bench: Bench; db: Db; seen: AdminRequest[] }> {
  const bench = new Bench();
  const seen = answerAdmin(bench.cluster, answer);
  open = await bench.connect();
  return { bench, db: open, seen };
}

const plan = { moves: [{ shard: 4, from: 1, to: 3, bytes: 700 }], count: 1, bytes: 700, seconds: 2 };
const changed: ChangeResult = { configNumber: 9, changed: true, message: 'shard 4 moves', plan };
const accept: Answer = () => ({ ok: true, result: changed });

const move = (moveId: number, shard: number, change: Partial<MoveProgress> = {}): MoveProgress => ({
  moveId,
  shard,
  source: 1,
  target: 3,
  state: 'copying',
  bytes: 10,
  totalBytes: 40,
  bytesPerSecond: 5,
  etaMs: 6000,
  pauseMs: undefined,
  ageMs: 2000,
  problem: '',
  ...change,
});

test('changes go with a request id of their own, and only plan where that is asked for', async () => {
  const { bench, db, seen } = await start(accept);
  const { admin } = db;
  const calls = [
    admin.join({ 3: ['s1', 's2'], 4: ['s3'] }),
    admin.join({ 3: ['s1'] }, { plan: true }),
    admin.leave(2),
    admin.leave([2, 3], { plan: true }),
    admin.move(4, 3),
    admin.move(4, 3, { plan: true }),
    admin.rebalance(),
    admin.rebalance({ plan: true }),
    admin.pause(17),
    admin.resume({ moveId: 17, shard: 4 }),
    admin.cancel({ moveId: 17, shard: 0 }),
    admin.policy({ auto: true }),
    admin.policy({ moveBytesPerSecond: 0, movesPerStore: 3 }),
  ];
  for (const result of await bench.run(Promise.all(calls))) expect(result).toEqual(changed);
  const told = seen.map(({ method, params }) => {
    const { requestId: _, ...rest } = params as { requestId?: string };
    return [method, JSON.stringify(rest)];
  });
  // Stores are different connections, so what was sent at once may be seen in another order.
  expect(told.sort()).toEqual(
    [
      ['join', '{"plan":false,"groups":[{"gid":3,"stores":["s1","s2"]},{"gid":4,"stores":["s3"]}]}'],
      ['join', '{"plan":true,"groups":[{"gid":3,"stores":["s1"]}]}'],
      ['leave', '{"plan":false,"gids":[2]}'],
      ['leave', '{"plan":true,"gids":[2,3]}'],
      ['move', '{"plan":false,"shard":4,"gid":3}'],
      ['move', '{"plan":true,"shard":4,"gid":3}'],
      ['rebalance', '{"plan":false}'],
      ['rebalance', '{"plan":true}'],
      ['pause', '{"moveId":17}'],
      ['resume', '{"moveId":17,"shard":4}'],
      ['cancel', '{"moveId":17,"shard":0}'],
      ['policy', '{"auto":true}'],
      ['policy', '{"moveBytesPerSecond":0,"movesPerStore":3}'],
    ].sort(),
  );
  const ids = seen.map(({ params }) => ('requestId' in params ? params.requestId : ''));
  expect(new Set(ids).size).toBe(calls.length);
});

test('a change that the cluster refuses is told in the words of the cluster', async () => {
  const message = 'no move 99 is under way: see `flotilla moves`';
  const { bench, db } = await start(() => ({ ok: false, code: 'unknown-move', message, retry: 'never' }));
  const error = await bench.failureOf(db.admin.cancel(99));
  expect(error).toBeInstanceOf(RefusedError);
  expect(error).toMatchObject({ message, reason: 'unknown-move', outcome: 'not-applied' });
});

test('the moves of all pages come as one list, each once and in order', async () => {
  const pages: Record<string, { moves: MoveProgress[]; next: string }> = {
    '': { moves: [move(17, 4), move(18, 2)], next: 'a' },
    a: { moves: [move(18, 2, { state: 'done', pauseMs: 38 }), move(17, 5)], next: 'b' },
    b: { moves: [move(17, 40)], next: '' },
  };
  const { bench, db, seen } = await start(({ params }) => {
    const page = pages['after' in params ? params.after : ''];
    return { ok: true, result: { configNumber: 30, ...page } };
  });
  const moves = await bench.run(db.admin.moves());
  expect(moves.map(({ moveId, shard, state }) => `${moveId}/${shard} ${state}`)).toEqual([
    '17/4 copying',
    '17/5 copying',
    '17/40 copying',
    '18/2 done',
  ]);
  expect(moves[3]?.pauseMs).toBe(38);
  await bench.run(db.admin.moves({ all: true }));
  expect(seen.map(({ params }) => 'all' in params && params.all)).toEqual([
    ...[false, false, false],
    ...[true, true, true],
  ]);
});

test('a list of moves without an end is given up', async () => {
  const same = await start(() => ({
    ok: true,
    result: { configNumber: 30, moves: [move(1, 1)], next: 'x' },
  }));
  expect(await same.bench.failureOf(same.db.admin.moves())).toBeInstanceOf(ProtocolError);
  await same.db.close();
  const endless = await start((_, attempt) => {
    const moves = Array.from({ length: 200 }, (__, at) => move(attempt, at));
    return { ok: true, result: { configNumber: 30, moves, next: String(attempt) } };
  });
  expect(await endless.bench.failureOf(endless.db.admin.moves({ timeout: 60_000 }))).toBeInstanceOf(
    ProtocolError,
  );
});

test('a change that names no group sends nothing', async () => {
  const { bench, db, seen } = await start(accept);
  for (const attempt of [db.admin.leave([]), db.admin.join({}), db.admin.join({ 3: [] })])
    expect(await bench.failureOf(attempt)).toBeInstanceOf(InvalidArgumentError);
  expect(seen).toEqual([]);
});
