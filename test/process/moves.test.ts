import { connect, type Db } from '@flotilla/client';
import { afterAll, expect, test } from 'vitest';
import { Appenders } from './harness/appenders.ts';
import { Fleet } from './harness/fleet.ts';
import { groupOnDisk, statePages } from './harness/on-disk.ts';
import { removeDirectories } from './harness/places.ts';
import { endAll } from './harness/running.ts';
import { history, leaderOf, movesIn, openMoves, ownedCounts, settled, shardsOf } from './harness/shards.ts';
import { until } from './harness/waits.ts';

// The promise of moves: shards change their group while they are written, stores of both groups and the
// controller's leader die meanwhile, and nothing that was acknowledged is lost, doubled or out of order.

afterAll(async () => {
  await endAll();
  removeDirectories();
});

const keys = Array.from({ length: 64 }, (_, at) => `append/${at}`);
const PAGE_BYTES = 4096;
/** Beside what is appended, so that a shard takes long enough to be met by a crash while it moves. */
const ballast = { records: 2_048, bytes: 4_096 };

async function fill(db: Db): Promise<void> {
  const value = new Uint8Array(ballast.bytes).fill(7);
  await Promise.all(Array.from({ length: ballast.records }, (_, at) => db.put(`ballast/${at}`, value)));
}

/** Waits until so many more shards have gone to their new group. */
async function movesEnd(db: Db, count: number): Promise<void> {
  const before = openMoves(await db.admin.config());
  await until(`${count} more moves`, async () => {
    const open = openMoves(await db.admin.config());
    return open <= before - count ? true : undefined;
  });
}

/** While shards move: one store of each side dies, both come back, then the controller loses its leader. */
async function strike(fleet: Fleet, db: Db, old: readonly string[], fresh: readonly string[]): Promise<void> {
  const controller = await leaderOf(db, 0);
  const ofOld = old.find((id) => id !== controller) as string;
  const ofFresh = await leaderOf(db, 3);
  expect(fresh).toContain(ofFresh);
  for (const victims of [[ofOld, ofFresh], [await leaderOf(db, 0)]]) {
    await fleet.kill(...victims);
    expect(openMoves(await db.admin.config())).toBeGreaterThan(3);
    await movesEnd(db, 2);
    await fleet.revive(...victims);
  }
}

test('groups join and leave under writers while stores of both sides and the controller die', async () => {
  const fleet = await Fleet.around({ more: 3 });
  const old = ['s1', 's2', 's3'];
  const fresh = ['s4', 's5', 's6'];
  await using db = await connect({ endpoints: fleet.endpoints, timeoutMs: 30_000 });
  await fill(db);
  const appenders = new Appenders(db, { writers: 8, keys });
  await appenders.more(500);
  expect(ownedCounts(await db.admin.config())).toEqual({ 1: 32, 2: 32 });

  const command = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await fleet.run(args);
    expect([args, code, err]).toEqual([args, 0, '']);
    return out;
  };
  const slowly = (rate: string) => command('policy', '--move-rate', rate, '--moves-per-store', '1');
  const freely = () => command('policy', '--move-rate', 'unlimited', '--moves-per-store', '4');
  const newest = async (): Promise<number> => (await db.admin.config()).number;

  await slowly('150KB');
  const beforeJoin = await newest();
  await command('join', '3', '--stores', fresh.join(','));
  await strike(fleet, db, old, fresh);
  await freely();
  const joined = await settled(db);
  expect(await command('moves')).toBe('');
  expect(Object.values(ownedCounts(joined)).sort()).toEqual([21, 21, 22]);
  expect(movesIn(await history(db, beforeJoin, joined.number))).toBe(21);
  await appenders.more(500);

  const leaving = shardsOf(joined, 1).length;
  await slowly('75KB');
  const beforeLeave = await newest();
  await command('leave', '1');
  await strike(fleet, db, old, fresh);
  await freely();
  const left = await settled(db);
  expect(await command('moves')).toBe('');
  expect(ownedCounts(left)).toEqual({ 2: 32, 3: 32 });
  expect(movesIn(await history(db, beforeLeave, left.number))).toBe(leaving);
  await appenders.more(500);
  await appenders.stop();

  expect(await appenders.check()).toEqual([]);
  // Each outage is shorter than the deadline, so callers wait and nobody hears of it.
  expect([...appenders.refusals]).toEqual([]);

  // Removal goes on in the background; nothing of it is lost when the stores end.
  for (const id of old) {
    await until(`the end of group 1 on ${id}`, async () => {
      const { state, logRuns } = await groupOnDisk(fleet.data(id), 1);
      return state + logRuns === 0 ? true : undefined;
    });
  }
  await fleet.end();
  const ballastPages = (ballast.records * ballast.bytes) / PAGE_BYTES;
  for (const id of old) {
    const data = fleet.data(id);
    expect([id, await groupOnDisk(data, 1)]).toEqual([
      id,
      { state: 0, logRuns: 0, hardStates: 0, replicas: 1 },
    ]);
    expect((await groupOnDisk(data, 2)).state).toBeGreaterThan(ballast.records / 4);
    // Half of the ballast was group 1's and a sixth went from group 2 to 3: those pages are free to be written again.
    const { live, used } = await statePages(data);
    expect(used - live).toBeGreaterThan(ballastPages / 2);
  }
});
