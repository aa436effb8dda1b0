import { connect, type Db } from '@flotilla/client';
import type { ClusterConfig } from '@flotilla/wire';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Appenders } from './harness/appenders.ts';
import { Fleet } from './harness/fleet.ts';
import { Ledger } from './harness/ledger.ts';
import { firstLogIndex, keysWith } from './harness/on-disk.ts';
import { removeDirectories } from './harness/places.ts';
import { endAll } from './harness/running.ts';
import { history, leaderOf, openMoves, ownedCounts, settled, shardsOf, tagOf } from './harness/shards.ts';
import { pause, until } from './harness/waits.ts';

// Situations of a sharded store, on real processes: three stores for the controller, and three groups with three
// stores each. All scenarios share one cluster; each begins with the groups that it names, at rest. Times are in ms.

const SHARDS = 12;
const stores: Readonly<Record<number, readonly string[]>> = {
  1: ['s4', 's5', 's6'],
  2: ['s7', 's8', 's9'],
  3: ['s10', 's11', 's12'],
};
const controllers = ['s1', 's2', 's3'];

let fleet: Fleet;
let db: Db;

beforeAll(async () => {
  fleet = await Fleet.found({ stores: 12, shards: SHARDS });
  db = await connect({ endpoints: fleet.endpoints, timeoutMs: 30_000 });
});

afterAll(async () => {
  await db?.close();
  await endAll();
  removeDirectories();
});

const of = (gid: number): readonly string[] => stores[gid] ?? [];
const join = (...gids: number[]) => db.admin.join(Object.fromEntries(gids.map((gid) => [gid, of(gid)])));

/** Exactly these groups, balanced and at rest. */
async function arrange(...gids: number[]): Promise<ClusterConfig> {
  const { groups } = await db.admin.config();
  const there = groups.map(({ gid }) => gid);
  const missing = gids.filter((gid) => !there.includes(gid));
  const surplus = there.filter((gid) => !gids.includes(gid));
  if (missing.length > 0) await join(...missing);
  if (surplus.length > 0) await db.admin.leave(surplus);
  const config = await settled(db);
  expectBalance(config, gids);
  return config;
}

function expectBalance(config: ClusterConfig, gids: readonly number[]): void {
  const counts = ownedCounts(config);
  expect(Object.keys(counts).map(Number)).toEqual([...gids].sort((left, right) => left - right));
  expect(Math.max(...Object.values(counts)) - Math.min(...Object.values(counts))).toBeLessThanOrEqual(1);
}

/** Looks at every config that comes within a time, and at the one at its end. */
async function during(ms: number, look: (config: ClusterConfig) => void): Promise<void> {
  for (const begin = performance.now(); performance.now() - begin < ms; await pause(20)) {
    look(await db.admin.config());
  }
  look(await db.admin.config());
}

async function elapsed(action: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await action();
  return performance.now() - begin;
}

let count = 0;
let ledger: Ledger;

beforeEach(() => {
  ledger = new Ledger(db, `n${count++}`, SHARDS, 5);
});

describe('groups that are down', () => {
  test('a stopped group takes exactly its own shards away, and all answer after its start', async () => {
    const config = await arrange(1, 2, 3);
    await ledger.append('one;');
    const missing = (...gids: number[]) => ledger.keys(gids.flatMap((gid) => shardsOf(config, gid)));
    const others = (...gids: number[]) => ledger.keys().filter((key) => !missing(...gids).includes(key));
    expect(missing(2)).toHaveLength(20);
    await fleet.kill(...of(2));
    expect((await ledger.answering(2_000)).sort()).toEqual(others(2).sort());
    await fleet.kill(...of(3));
    expect((await ledger.answering(2_000)).sort()).toEqual(others(2, 3).sort());
    await fleet.revive(...of(2), ...of(3));
    expect(await ledger.check()).toEqual([]);
    await ledger.append('two;');
    expect(await ledger.check()).toEqual([]);
  });

  test('what a group held is elsewhere once it has left, though all its stores are gone', async () => {
    await arrange(1);
    await ledger.append('one;');
    await join(2);
    await ledger.append('two;');
    await settled(db);
    await db.admin.leave([1]);
    await ledger.append('three;');
    expectBalance(await settled(db), [2]);
    await fleet.kill(...of(1));
    expect(await ledger.check()).toEqual([]);
    await ledger.append('four;');
    await fleet.revive(...of(1));
    await join(1);
    expectBalance(await settled(db), [1, 2]);
    await ledger.append('five;');
    expect(await ledger.check()).toEqual([]);
  });

  test('groups come and go with one store of each group and of the controller down, whichever', async () => {
    await arrange(1);
    await ledger.append('one;');
    for (const at of [0, 1]) {
      const down = [controllers[at], of(1)[at], of(2)[at], of(3)[at]] as string[];
      await fleet.kill(...down);
      await join(2, 3);
      await ledger.append(`a${at};`);
      expectBalance(await settled(db), [1, 2, 3]);
      await db.admin.leave([1]);
      await ledger.append(`b${at};`);
      expectBalance(await settled(db), [2, 3]);
      await fleet.revive(...down);
      await arrange(1);
      expect(await ledger.check()).toEqual([]);
    }
  });

  test('a join waits while the only group is down, and is over soon after its start', async () => {
    await arrange(1);
    await ledger.append('one;');
    await fleet.kill(...of(1));
    await join(2);
    await during(3_000, (config) => expect(openMoves(config)).toBe(SHARDS / 2));
    await fleet.revive(...of(1));
    expect(await elapsed(() => settled(db))).toBeLessThan(2_000);
    expectBalance(await settled(db), [1, 2]);
    expect(await ledger.check()).toEqual([]);
  });

  test('a leave waits while the group that gets the shards is down, and is over soon after its start', async () => {
    await arrange(1, 2);
    await ledger.append('one;');
    await fleet.kill(...of(2));
    await db.admin.leave([1]);
    await during(3_000, (config) => expect(openMoves(config)).toBe(SHARDS / 2));
    await fleet.revive(...of(2));
    expect(await elapsed(() => settled(db))).toBeLessThan(2_000);
    expectBalance(await settled(db), [2]);
    expect(await ledger.check()).toEqual([]);
  });

  test('shards leave a living group and serve elsewhere although another one that leaves is down', async () => {
    const config = await arrange(1, 2, 3);
    await ledger.append('one;');
    await fleet.kill(...of(1));
    await db.admin.leave([1, 3]);
    const from = (gid: number) => shardsOf(config, gid);
    // Those of group 2 are not concerned, those of group 3 come to it; nothing comes from group 1.
    expect(await elapsed(() => ledger.append('two;', [...from(2), ...from(3)]))).toBeLessThan(2_000);
    const moved = await until('the shards of group 3', async () => {
      const now = await db.admin.config();
      return shardsOf(now, 3).length === 0 ? now : undefined;
    });
    expect(shardsOf(moved, 2).sort()).toEqual([...from(2), ...from(3)].sort());
    expect(shardsOf(moved, 1)).toEqual(from(1));
    expect(await ledger.check([...from(2), ...from(3)])).toEqual([]);
    await fleet.revive(...of(1));
    expectBalance(await settled(db), [2]);
    expect(await ledger.check()).toEqual([]);
  });
});

describe('work that goes on', () => {
  test('ten writers lose nothing while groups come and go, every store starts anew and one needs a snapshot', async () => {
    await arrange(1);
    const keys = Array.from({ length: 2 * SHARDS }, (_, at) => `ten${tagOf(at % SHARDS, SHARDS)}${at}`);
    const appenders = new Appenders(db, { writers: 10, keys, restMs: 10 });
    await join(2, 3);
    await appenders.more(200);
    await settled(db);

    // More than the log keeps for a store that is away.
    await fleet.kill('s12');
    const { groups } = await db.admin.status();
    const known = groups.find(({ gid }) => gid === 3)?.commitIndex ?? 0;
    const value = new Uint8Array(1_000_000).fill(1);
    const [shard] = shardsOf(await db.admin.config(), 3);
    await until('logs without what s12 needs next', async () => {
      await db.put(`large${tagOf(shard as number, SHARDS)}`, value);
      const begins = await Promise.all(['s10', 's11'].map((id) => firstLogIndex(fleet.data(id), 3)));
      return begins.every((index) => index > known + 1) ? true : undefined;
    });
    await db.admin.leave([1]);
    await appenders.more(200);
    await fleet.revive('s12');
    await fleet.line('s12', /snapshot-installed/);

    // Both sources of these moves go down in the middle of them.
    await join(1);
    await fleet.kill(...of(2), ...of(3));
    await fleet.revive(...of(2), ...of(3));
    await appenders.more(200);
    await fleet.kill(...controllers);
    await fleet.revive(...controllers);
    await db.admin.leave([2]);
    await appenders.more(200);
    expectBalance(await settled(db), [1, 3]);
    await appenders.stop();
    expect(await appenders.check()).toEqual([]);
    expect([...appenders.refusals]).toEqual([]);
  });

  test('shards that stay are read at their usual pace while others come and go', async () => {
    await arrange(1, 2);
    await ledger.append('one;');
    const begin = await db.admin.config();
    const beginMs = performance.now();
    const reads = Array.from({ length: SHARDS }, () => ({ inTime: 0, slowest: 0 }));
    let isOver = false;
    const readers = reads.map(async (read, shard) => {
      const [key] = ledger.keys([shard]);
      for (; !isOver; await pause(5)) {
        const time = await elapsed(() => db.get(key as string));
        if (performance.now() - beginMs < 4_000) read.inTime += 1;
        read.slowest = Math.max(read.slowest, time);
      }
    });
    for (let rounds = 0; rounds < 2 || performance.now() - beginMs < 4_000; rounds++) {
      await join(3);
      await settled(db);
      await db.admin.leave([3]);
      await settled(db);
    }
    isOver = true;
    await Promise.all(readers);
    const configs = await history(db, begin.number, (await db.admin.config()).number);
    const stayed = reads.filter((_, shard) =>
      configs.every(({ shards }) => shards[shard]?.owner === begin.shards[shard]?.owner),
    );
    expect(stayed.length).toBeGreaterThanOrEqual(4);
    for (const { inTime, slowest } of stayed) {
      expect(inTime).toBeGreaterThanOrEqual(100);
      expect(slowest).toBeLessThan(1_000);
    }
  });

  test('eight groups join and eight leave, some on the same stores, under ten writers', async () => {
    await arrange(1);
    await ledger.append('one;');
    const keys = ledger.keys().map((key) => `${key}/eight`);
    const appenders = new Appenders(db, { writers: 10, keys, restMs: 10 });
    const gids = Array.from({ length: 8 }, (_, at) => 21 + at);
    for (const gid of gids) {
      await db.admin.join({ [gid]: of(1 + (gid % 3)) });
      await appenders.more(50);
    }
    expectBalance(await settled(db), [1, ...gids]);
    expect(await ledger.check()).toEqual([]);
    for (const gid of gids) {
      await db.admin.leave([gid]);
      await appenders.more(50);
    }
    expectBalance(await settled(db), [1]);
    await appenders.stop();
    expect(await ledger.check()).toEqual([]);
    expect(await appenders.check()).toEqual([]);
    expect([...appenders.refusals]).toEqual([]);
  });
});

describe('the controller', () => {
  test('loses its leader in each of five rounds, and the next one finishes every change', async () => {
    await arrange(1);
    await ledger.append('one;');
    for (let round = 0; round < 5; round++) {
      const leader = await leaderOf(db, 0);
      const { configNumber } = await (round % 2 === 0 ? join(2) : db.admin.leave([2]));
      const killedAt = Date.now();
      await fleet.kill(leader);
      const config = await settled(db);
      expectBalance(config, round % 2 === 0 ? [1, 2] : [1]);
      // The change was open when the leader died: what ended it came later.
      expect(config.number).toBeGreaterThan(configNumber);
      expect(config.atMs).toBeGreaterThan(killedAt);
      await fleet.revive(leader);
      await ledger.append(`${round};`);
      expect(await ledger.check()).toEqual([]);
    }
  });

  test('dies in a join whose new group is down: the next leader ends it, and the first does nothing more', async () => {
    await arrange(1);
    await ledger.append('one;');
    const leader = await leaderOf(db, 0);
    await fleet.kill(...of(2));
    await join(2);
    await during(1_000, (config) => expect(openMoves(config)).toBe(SHARDS / 2));
    await fleet.kill(leader);
    await during(1_000, (config) => expect(openMoves(config)).toBe(SHARDS / 2));
    await fleet.revive(...of(2));
    const ended = await settled(db);
    expectBalance(ended, [1, 2]);
    await fleet.revive(leader);
    await during(1_000, (config) => expect(config.shards).toEqual(ended.shards));
    expect(await ledger.check()).toEqual([]);
  });

  test('tells every saved config alike, whichever of its stores is down', async () => {
    const newest = await arrange(1, 2);
    const numbers = Array.from({ length: newest.number }, (_, at) => at + 1);
    const whole = await history(db, 1, newest.number);
    expect(whole.map(({ number }) => number)).toEqual(numbers);
    for (const id of controllers) {
      await fleet.kill(id);
      await using other = await connect({ endpoints: fleet.endpoints });
      expect(await history(other, 1, newest.number)).toEqual(whole);
      await fleet.revive(id);
    }
  });

  test('takes joins and leaves of four who fight, one after the other', async () => {
    await arrange(1, 2);
    await ledger.append('one;');
    const ends = performance.now() + 2_000;
    const refusals = new Set<string>();
    const admins = Array.from({ length: 4 }, async (_, at) => {
      await using own = await connect({ endpoints: fleet.endpoints });
      const gid = 2 + (at % 2);
      for (let turn = at; performance.now() < ends; turn++) {
        const change = turn % 2 === 0 ? own.admin.join({ [gid]: of(gid) }) : own.admin.leave([gid]);
        await change.catch((error: { code: string; outcome: string }) => refusals.add(error.outcome));
      }
    });
    await Promise.all(admins);
    const config = await settled(db);
    expect(ownedCounts(config)).toHaveProperty('1');
    expectBalance(config, Object.keys(ownedCounts(config)).map(Number));
    // A leave of a group that is gone is refused, and nothing else goes wrong.
    expect([...refusals].filter((outcome) => outcome !== 'not-applied')).toEqual([]);
    expect(await ledger.check()).toEqual([]);
    await ledger.append('two;');
    expect(await ledger.check()).toEqual([]);
  });
});

describe('disks', () => {
  test('a group that gave shards away keeps no record of them', async () => {
    await arrange(1);
    await ledger.append('x'.repeat(1_000));
    await join(2);
    const config = await settled(db);
    const texts = Array.from({ length: SHARDS }, (_, shard) => ledger.keys([shard])[0]?.slice(0, -1) ?? '');
    const wanted = texts.map((_, shard) => (config.shards[shard]?.owner === 1 ? 5 : 0));
    expect(wanted.filter((each) => each === 0)).toHaveLength(SHARDS / 2);
    for (const id of of(1)) {
      await until(`the records on ${id} to be those of its own shards`, async () => {
        const found = await keysWith(fleet.data(id), 1, texts);
        return found.every((each, shard) => each === wanted[shard]) ? true : undefined;
      });
    }
    expect(await ledger.check()).toEqual([]);
  });
});
