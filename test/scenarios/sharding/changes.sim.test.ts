import { must } from '@flotilla/base';
import { expect } from 'vitest';
import { Administrator, type Wish } from './administrator.ts';
import type { Lab } from './lab.ts';
import { scenario } from './scenario.ts';
import { stateBytes } from './sizes.ts';

// Changes whose orders come from a controller that may die, be cut off, or be told many things at once: rows
// SC-B3-… of docs/testing.md.

const SIX = { places: { 1: ['s1', 's2', 's3'], 2: ['s4', 's5', 's6'] } } as const;
/** Nine groups on six stores: each store is in four or five of them. */
const NINE_ON_SIX = {
  places: Object.fromEntries(
    Array.from({ length: 9 }, (_, at) => [
      at + 1,
      at === 0 ? ['s1', 's2', 's3'] : [0, 1, 3].map((step) => `s${((at + step) % 6) + 1}`),
    ]),
  ),
  groups: [1],
};
const EIGHT = [2, 3, 4, 5, 6, 7, 8, 9];
/** A group that starts as a whole elects within two election timeouts; then it must not take longer than this. */
const RETURN_MS = 2_000;
const ELECTION_MS_MAX = 2_000;

scenario('all keys are read when the leader of the only group is gone', { ...SIX, groups: [2] }, (lab) => {
  const keys = lab.keys(4);
  lab.append(keys, 'a;');
  must(lab.leaderOf(2), 'a leader').crash();
  expect(lab.answering(keys, ELECTION_MS_MAX + RETURN_MS)).toEqual(keys);
});

scenario('a join and five rounds of reads: what both groups store does not grow', SIX, (lab) => {
  lab.leave(2);
  lab.settled(1);
  const keys = lab.keys(4);
  const valueBytes = 1_000;
  for (const key of keys) lab.append([key], `${'v'.repeat(valueBytes - 1)};`);
  const stored = (): number => lab.cluster.stores.reduce((sum, store) => sum + stateBytes(store), 0);
  const replicas = 3;
  const before = stored();
  expect(before).toBeGreaterThanOrEqual(replicas * keys.length * valueBytes);
  lab.join(2);
  lab.settled(1, 2);
  for (let round = 0; round < 5; round++) expect(lab.answering(keys, 2_000)).toEqual(keys);
  // What a group has given away is removed slice by slice.
  lab.run(1_000);
  // A second group keeps records of its own about each shard, and the first one fences: names, no values.
  const growth = replicas * lab.shards * 2 * 100;
  expect(growth).toBeLessThan(valueBytes * keys.length);
  expect(stored()).toBeLessThanOrEqual(before + growth);
});

for (const clients of [1, 10]) {
  scenario(
    `eight groups join and eight leave under ${clients === 1 ? 'one client' : 'ten clients'}`,
    { ...NINE_ON_SIX, networks: ['reliable', 'unreliable'] },
    (lab) => {
      lab.workers(clients, 25 * clients, 2 * clients);
      const keys = lab.keys(1);
      lab.append(keys, 'a;');
      for (const gid of EIGHT) {
        lab.join(gid);
        lab.run(100);
      }
      lab.settled(1, ...EIGHT);
      lab.append(keys, 'b;');
      for (const gid of EIGHT) {
        lab.leave(gid);
        lab.run(100);
      }
      lab.settled(1);
      lab.append(keys, 'c;');
    },
  );
}

scenario(
  'shards that stay are read at their usual pace while a group joins and leaves',
  { places: { ...SIX.places, 3: ['s2', 's4', 's6'] }, groups: [1, 2] },
  (lab) => {
    const keys = lab.keys(1, lab.shardsOf(1));
    const thinkMs = 15;
    const forMs = 4_000;
    const readers = lab.readers(keys, thinkMs);
    const epochs = lab.config.shards.map((shard) => shard.epoch);
    let changes = 0;
    const begin = lab.cluster.world.time.monoMs();
    while (lab.cluster.world.time.monoMs() - begin < forMs) {
      if (changes % 2 === 0) lab.join(3);
      else lab.leave(3);
      lab.settled();
      changes++;
    }
    for (const reader of readers) reader.stop();
    expect(changes).toBeGreaterThan(4);
    const staying = readers.filter(({ key }) => {
      const shard = lab.shardOf(key);
      return must(lab.config.shards[shard], 'the shard').epoch === epochs[shard];
    });
    expect(staying.length).toBeGreaterThanOrEqual(3);
    // Half of what a loop can do at most, and a hundred in any case.
    const fewest = forMs / (2 * thinkMs);
    expect(fewest).toBeGreaterThan(100);
    for (const reader of staying) expect(reader.answered).toBeGreaterThan(fewest);
  },
);

scenario(
  'a join waits while the only group is down, for the whole window, and ends soon after its return',
  { ...SIX, groups: [2] },
  (lab) => {
    const keys = lab.keys(1);
    lab.append(keys, 'a;');
    lab.stop(2);
    lab.join(1);
    lab.throughout(5_000, 'nothing moves', () => lab.openMoves === lab.shards / 2);
    lab.start(2);
    lab.until('the group leads again', () => lab.leaderOf(2) !== undefined, ELECTION_MS_MAX);
    expect(lab.settled(1, 2)).toBeLessThan(RETURN_MS);
    expect(lab.answering(keys, RETURN_MS)).toEqual(keys);
  },
);

scenario(
  'a leave waits while the group that gets the shards is down, and they serve where they are',
  { groups: [2, 3] },
  (lab) => {
    const keys = lab.keys(1, lab.shardsOf(2));
    lab.append(keys, 'a;');
    lab.stop(3);
    lab.leave(2);
    lab.throughout(3_000, 'nothing moves', () => lab.openMoves === lab.shards / 2);
    expect(lab.answering(keys, 500)).toEqual(keys);
    lab.append(keys, 'b;', 500);
    lab.start(3);
    lab.until('the group leads again', () => lab.leaderOf(3) !== undefined, ELECTION_MS_MAX);
    expect(lab.settled(3)).toBeLessThan(RETURN_MS);
    expect(lab.answering(keys, RETURN_MS)).toEqual(keys);
  },
);

scenario(
  'five rounds: the controller loses its leader in a change whose source is down, and the next one ends it',
  { groups: [2] },
  (lab) => {
    const keys = lab.keys(1);
    for (let round = 0; round < 5; round++) {
      const { number } = lab.config;
      lab.append(keys, `${round};`);
      lab.stop(2);
      if (round % 2 === 0) lab.join(3);
      else lab.leave(3);
      const former = must(lab.leaderOf(0), 'the controller leads');
      former.crash();
      lab.throughout(1_000, 'no shard of the group that is down moves', () => lab.openMoves > 0);
      // A leave needs the one that is down as its target, a join as its source.
      lab.start(2);
      lab.settled();
      expect(lab.config.number).toBeGreaterThan(number);
      former.start();
    }
  },
);

/** Joins and leaves of groups 2 and 3, in turn. */
function fighter(lab: Lab, at: number): Administrator {
  let turn = at;
  return new Administrator(lab.cluster.addClient(`fighter${at}`), (): Wish => {
    const gid = 2 + (turn % 2);
    const isJoin = (turn++ >> 1) % 2 === 0;
    if (!isJoin) return { method: 'leave', params: { plan: false, gids: [gid] } };
    return { method: 'join', params: { plan: false, groups: [{ gid, stores: lab.storesOf(gid) }] } };
  });
}

scenario(
  'four administrators fight with joins and leaves, and all keys are right',
  { groups: [1], networks: ['reliable', 'unreliable'] },
  (lab) => {
    const keys = lab.keys(2);
    lab.append(keys, 'a;');
    const fighters = [0, 1, 2, 3].map((at) => fighter(lab, at));
    for (const each of fighters) each.start();
    lab.run(1_000);
    lab.append(keys, 'b;');
    lab.run(1_000);
    for (const each of fighters) each.stop();
    lab.until('all have their answers', () => fighters.every((each) => !each.isBusy));
    const granted = fighters.reduce((sum, each) => sum + each.granted, 0);
    expect(granted).toBeGreaterThan(4);
    lab.settled();
    lab.append(keys, 'c;');
  },
);

/** No other store hears it, and it hears nobody; clients still reach it. */
function cutOff(lab: Lab, id: string): void {
  const others = lab.cluster.stores.map((store) => store.id).filter((other) => other !== id);
  lab.cluster.world.links.cut(
    `cut off ${id}`,
    others.flatMap((other) => [`${id}>${other}`, `${other}>${id}`]),
  );
}

function reconnect(lab: Lab, id: string): void {
  lab.cluster.world.links.heal(`cut off ${id}`);
  lab.cluster.world.hub.release();
}

scenario(
  'a controller that is cut off in a join is replaced; the next one ends it, and the first does nothing more',
  { groups: [2] },
  (lab) => {
    const keys = lab.keys(1);
    lab.append(keys, 'a;');
    lab.stop(3);
    lab.join(3);
    const former = must(lab.leaderOf(0), 'the controller leads');
    cutOff(lab, former.id);
    const isReplaced = (): boolean =>
      lab.replicasOf(0).some(({ store, replica }) => store !== former && replica.isServing);
    lab.until('another one leads', isReplaced, ELECTION_MS_MAX);
    lab.throughout(1_000, 'the join waits', () => lab.openMoves === lab.shards / 2);
    lab.start(3);
    lab.settled(2, 3);
    const { number } = lab.config;
    const counts = { ...lab.cluster.world.tally.counts };
    reconnect(lab, former.id);
    lab.throughout(2_000, 'nothing changes', () => lab.config.number === number);
    expect(lab.cluster.world.tally.counts).toEqual(counts);
    expect(former.node?.config.number).toBe(number);
  },
);

for (const clients of [0, 5]) {
  scenario(
    `the controller is cut off and comes back, over and over, ${clients === 0 ? 'without clients' : 'with five on one key'}`,
    { groups: [2], networks: ['reliable', 'unreliable'] },
    (lab, network) => {
      const keys = lab.keys(1);
      lab.append(keys, 'a;');
      if (clients > 0) lab.workers(clients, 100, 1);
      for (let round = 0; round < (network === 'reliable' ? 5 : 3); round++) {
        const { number } = lab.config;
        if (round % 2 === 0) lab.join(3);
        else lab.leave(3);
        const former = must(lab.leaderOf(0), 'the controller leads');
        cutOff(lab, former.id);
        lab.settled();
        expect(lab.config.number).toBeGreaterThan(number);
        reconnect(lab, former.id);
        lab.run(200);
      }
      lab.append(keys, 'b;');
    },
  );
}
