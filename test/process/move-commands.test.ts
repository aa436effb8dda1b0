import { connect, type Db } from '@flotilla/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { removeDirectories } from './harness/places.ts';
import { endAll, Running } from './harness/running.ts';
import { ownedCounts, settled, tagOf } from './harness/shards.ts';
import { health, until } from './harness/waits.ts';

// The commands on moves as a person types them, one after the other on one cluster.

const SHARDS = 16;
/** So slow that a move of the filled shard stays under way until it is let go. */
const SLOW = '20KB';

let cluster: Cluster;
let db: Db;

beforeAll(async () => {
  cluster = await Cluster.start({ args: ['--shards', String(SHARDS)] });
  db = await connect({ endpoints: cluster.endpoints });
});

afterAll(async () => {
  await db.close();
  await endAll();
  removeDirectories();
});

const configNumber = async (): Promise<number> => (await db.admin.config()).number;

async function said(...args: string[]): Promise<string> {
  const { code, out, err } = await cluster.run(args);
  expect([args, code, err]).toEqual([args, 0, '']);
  return out;
}

async function refused(...args: string[]): Promise<string> {
  const { code, out, err } = await cluster.run(args);
  expect([args, code, out]).toEqual([args, 1, '']);
  expect(err).toMatch(/^error: /);
  return err;
}

test('without a move there is nothing to list, and nothing to balance', async () => {
  expect(await said('moves')).toBe('');
  expect(await said('moves', '--json')).toBe('');
  expect(await said('moves', '--watch')).toBe('');
  expect(await said('rebalance', '--plan')).toContain('no shard would move');
});

test('--plan tells what would move and changes nothing', async () => {
  const before = await configNumber();
  const text = await said('join', '3', '--stores', 's1,s2,s3', '--plan');
  expect(text).toMatch(/^ *FROM +TO +COUNT +BYTES +SHARDS$/m);
  expect(text).toMatch(/^5 shards, .*, about \d/m);
  const [plan] = await cluster.json(['join', '3=s1,s2,s3', '--plan']);
  expect(plan).toMatchObject({ count: 5, moves: expect.any(Array), bytes: expect.any(Number) });
  const several = await cluster.json(['join', '3=s1,s2,s3', '4=s1,s2,s3', '--plan']);
  expect(several[0]).toMatchObject({ count: 8 });
  expect((await cluster.json(['leave', '2', '--plan']))[0]).toMatchObject({ count: 8 });
  expect((await cluster.json(['move', '0', '2', '--plan']))[0]).toMatchObject({ count: 1 });
  expect(await configNumber()).toBe(before);
});

test('join moves shards, a watch tells each of them until the last one is done', async () => {
  const tag = tagOf(0, SHARDS);
  const value = 'x'.repeat(1024);
  const lines = Array.from({ length: 2000 }, (_, at) => JSON.stringify({ key: `${tag}${at}`, value }));
  expect((await cluster.run(['load', '-'], { input: lines.join('\n') })).code).toBe(0);
  await said('policy', '--move-rate', SLOW);
  expect(await said('join', '3=s1,s2,s3')).toContain('3');
  const watch = new Running(['moves', '--watch', '--json', '--endpoints', cluster.endpoints.join(',')]);
  await watch.line(/"state":"copying"/);
  expect(await said('status')).toMatch(/^moving \d shards?: see flotilla moves$/m);
  await said('policy', '--move-rate', 'unlimited');
  expect(await watch.exit).toEqual({ code: 0, signal: undefined });
  const told = watch.out.map((line) => JSON.parse(line) as Record<string, unknown>);
  const last = new Map(told.map((move) => [move.shard, move]));
  expect([...last.values()].map(({ state }) => state)).toEqual(Array(last.size).fill('done'));
  for (const { pauseMs } of last.values()) expect(pauseMs).toBeGreaterThanOrEqual(0);
  expect(Object.values(ownedCounts(await settled(db))).sort()).toEqual([5, 5, 6]);
  expect(await said('moves')).toBe('');
  expect((await cluster.json(['moves', '--all'])).length).toBeGreaterThanOrEqual(last.size);
  expect((await cluster.json(['scan', tag])).length).toBe(2000);
});

test('a move is paused, resumed and cancelled by its name', async () => {
  const { shards } = await db.admin.config();
  const home = shards[0]?.owner as number;
  const away = home === 1 ? 2 : 1;
  await said('policy', '--move-rate', SLOW);
  const ordered = (await cluster.json(['move', '0', String(away)]))[0] as { configNumber: number };
  const moveId = ordered.configNumber;
  const state = async (): Promise<unknown> => (await cluster.json(['moves']))[0]?.state;
  const becomes = (wanted: string): Promise<true> =>
    until(`a move that is ${wanted}`, async () => ((await state()) === wanted ? true : undefined));
  await becomes('copying');
  expect(await said('moves')).toMatch(new RegExp(`^${moveId}/0 +${home} -> ${away} +copying .*left`));
  await said('pause', `${moveId}/0`);
  await becomes('paused');
  await said('resume', String(moveId));
  await becomes('copying');
  expect(await refused('cancel', `${moveId}/1`)).toContain('1');
  expect(await refused('pause', '999')).toContain('999');

  const watch = new Running(['moves', '--watch', '--endpoints', cluster.endpoints.join(',')]);
  await watch.line(/copying/);
  expect(await watch.stop('SIGINT')).toEqual({ code: 0, signal: undefined });

  await said('cancel', `${moveId}/0`);
  await until('no open move', async () => ((await state()) === undefined ? true : undefined));
  expect((await db.admin.config()).shards[0]?.owner).toBe(home);
  await said('policy', '--move-rate', 'unlimited');
});

test('policy says what holds, in the words that change it', async () => {
  await said('policy', '--auto', 'on', '--move-rate', '16MB', '--moves-per-store', '3');
  expect(await said('policy')).toBe('auto on\nmove-rate 16MB\nmoves-per-store 3');
  expect(await cluster.json(['policy'])).toEqual([
    { auto: true, moveBytesPerSecond: 16_000_000, movesPerStore: 3 },
  ]);
  await said('policy', '--auto', 'off');
  expect(await said('policy')).toBe('auto off\nmove-rate 16MB\nmoves-per-store 3');
  await said('policy', '--move-rate', 'unlimited');
});

test('a group that has left stays away when the local cluster is started again', async () => {
  await said('leave', '2');
  const counts = ownedCounts(await settled(db));
  expect(Object.keys(counts)).toEqual(['1', '3']);
  expect(await refused('leave', '2')).toContain('2');
  const { directory, port } = cluster;
  await db.close();
  await cluster.stop();
  cluster = await Cluster.start({ directory, port });
  db = await connect({ endpoints: cluster.endpoints });
  expect(await health(cluster, 'Healthy')).toContain('2 data groups with a leader, all 16 shards are served');
  expect(ownedCounts(await db.admin.config())).toEqual(counts);
  expect((await cluster.json(['scan', tagOf(0, SHARDS)])).length).toBe(2000);
});
