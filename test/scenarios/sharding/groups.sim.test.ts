import { must } from '@flotilla/base';
import { expect } from 'vitest';
import type { Lab } from './lab.ts';
import { scenario } from './scenario.ts';
import { logBytes, stateBytes } from './sizes.ts';

// Groups that come and go while keys are written: rows SC-B2-… of docs/testing.md.

/** So small that a store which misses anything needs a snapshot. */
const SHORT_LOG = { logKeepBytes: 1_024 };
const SIX = { places: { 1: ['s1', 's2', 's3'], 2: ['s4', 's5', 's6'] } } as const;
const BAD = ['unreliable', 'reordering'] as const;

scenario(
  'a stopped group takes exactly its own shards away for as long as it is down',
  { groups: [1, 2, 3] },
  (lab) => {
    const keys = lab.keys(2);
    lab.append(keys, 'a;');
    const of = (...gids: number[]): string[] =>
      keys.filter((key) => gids.some((gid) => lab.shardsOf(gid).includes(lab.shardOf(key))));
    lab.stop(2);
    expect(lab.answering(keys, 2_000)).toEqual(of(1, 3));
    lab.stop(3);
    expect(lab.answering(keys, 2_000)).toEqual(of(1));
    lab.start(2, 3);
    lab.append(keys, 'b;');
    expect(lab.answering(keys, 2_000)).toEqual(keys);
  },
);

scenario(
  'what a group held is elsewhere once it has left, and it may be stopped and join again',
  { ...SIX, groups: [1] },
  (lab) => {
    const keys = lab.keys(2);
    lab.append(keys, 'a;');
    for (let round = 1; round <= 2; round++) {
      lab.join(2);
      lab.append(keys, `joined ${round};`);
      lab.settled(1, 2);
      lab.leave(2);
      lab.append(keys, `left ${round};`);
      lab.settled(1);
      lab.stop(2);
      expect(lab.answering(keys, 1_000)).toEqual(keys);
      lab.start(2);
    }
  },
);

scenario(
  'short logs: stores that were away while groups came and went catch up by snapshot, whichever they are',
  { groups: [1], tuning: SHORT_LOG },
  (lab) => {
    const keys = lab.keys(2);
    lab.append(keys, 'a;');
    lab.join(2, 3);
    lab.settled(1, 2, 3);
    for (let round = 0; round < 2; round++) {
      const away = [1, 2, 3].map((gid) => lab.cluster.store(must(lab.storesOf(gid)[round], 'a store')));
      for (const store of away) store.crash();
      const gid = 2 + round;
      lab.leave(gid);
      lab.append(keys, `left ${round}${'.'.repeat(200)};`);
      lab.join(gid);
      lab.append(keys, `joined ${round};`);
      for (const store of away) store.start();
      lab.settled(1, 2, 3);
    }
    lab.blackOut(500);
    expect(lab.answering(keys, 5_000)).toEqual(keys);
    expect(lab.cluster.world.logged.get('snapshot-installed') ?? 0).toBeGreaterThan(0);
  },
);

scenario(
  'ten clients lose nothing while groups join, leave, stop and start',
  { groups: [1], tuning: SHORT_LOG, networks: ['reliable', 'reordering'] },
  (lab) => {
    lab.appenders(10, 40);
    lab.run(200);
    lab.join(2);
    lab.join(3);
    lab.leave(1);
    // In the middle of all that.
    lab.run(100);
    lab.blackOut(300);
    lab.leave(3);
    lab.join(1);
    lab.leave(2);
    lab.settled(1);
    lab.join(2);
    lab.run(300);
    lab.settled(1, 2);
  },
);

scenario(
  'a source that is stopped in the middle of its moves holds up its own shards and no others',
  { groups: [1, 2, 3] },
  (lab) => {
    lab.appenders(10, 50);
    lab.ask('policy', { auto: undefined, moveBytesPerSecond: undefined, movesPerStore: 1 });
    const keys = lab.keys(1);
    lab.append(keys, 'a;');
    lab.leave(2, 3);
    lab.until('some shards have moved', () => lab.shardsOf(2).length < 5);
    lab.stop(2);
    lab.until('all of the other one have moved', () => lab.shardsOf(3).length === 0);
    const held = lab.shardsOf(2);
    expect(held.length).toBeGreaterThan(0);
    lab.throughout(2_000, 'its shards wait', () => lab.shardsOf(2).length === held.length);
    lab.start(2);
    expect(lab.until('its shards have moved', () => lab.openMoves === 0)).toBeLessThan(2_000 * held.length);
    lab.join(2, 3);
    lab.leave(1);
    lab.settled(2, 3);
  },
);

scenario(
  'joins, power cuts everywhere and leaves, over and over',
  { groups: [1], tuning: SHORT_LOG },
  (lab) => {
    lab.appenders(6, 60);
    const random = lab.cluster.world.random.fork('scenario');
    for (let round = 0; round < 4; round++) {
      lab.join(2, 3);
      lab.run(random.below(900));
      lab.blackOut(50);
      lab.leave(2, 3);
      lab.run(random.below(600));
    }
    lab.settled(1);
  },
);

scenario(
  'each key is checked and appended to while groups join and leave',
  { groups: [1], networks: BAD },
  (lab) => {
    const keys = lab.keys(1);
    lab.append(keys, 'a;');
    const change = (id: string, change: () => void): void => {
      change();
      lab.append(keys, `${id};`);
      // A read is safe to repeat; one of them comes through.
      let missing: readonly string[] = keys;
      for (let turn = 0; turn < 5 && missing.length > 0; turn++) {
        const found = lab.answering(missing, 5_000);
        missing = missing.filter((key) => !found.includes(key));
      }
      expect(missing).toEqual([]);
    };
    change('b', () => lab.join(2));
    change('c', () => lab.join(3));
    change('d', () => lab.leave(1));
    lab.settled(2, 3);
    change('e', () => {
      lab.join(1);
      lab.leave(2);
    });
    lab.settled(1, 3);
  },
);

/** Half a second apart, whatever has moved by then. */
function halfSeconds(lab: Lab): void {
  const changes = [
    () => lab.join(2),
    () => lab.join(3),
    () => lab.leave(1),
    () => lab.leave(2),
    () => lab.join(1, 2),
  ];
  for (const change of changes) {
    change();
    lab.run(500);
  }
  lab.settled(1, 2, 3);
}

scenario(
  'ten clients append through joins and leaves half a second apart',
  { groups: [1], networks: ['unreliable'], tuning: SHORT_LOG },
  (lab) => {
    lab.appenders(10, 30);
    halfSeconds(lab);
  },
);

scenario(
  'what ten clients append, put and get through joins and leaves half a second apart is linearizable',
  { groups: [1], networks: BAD },
  (lab) => {
    lab.workers(10, 60, 10);
    halfSeconds(lab);
  },
);

scenario(
  'after two rounds over three groups nobody stores what it gave away',
  { groups: [1], tuning: SHORT_LOG },
  (lab) => {
    const keys = lab.keys(2);
    const valueBytes = 1_000;
    for (const [at, key] of keys.entries()) lab.append([key], `${'v'.repeat(valueBytes - 4)}${at % 10};`);
    for (let round = 1; round <= 2; round++) {
      lab.join(2);
      lab.settled(1, 2);
      lab.join(3);
      lab.leave(1);
      lab.settled(2, 3);
      lab.join(1);
      lab.leave(2, 3);
      lab.settled(1);
    }
    // What groups give back they give back in slices.
    lab.run(2_000);
    const replicas = 3;
    const content = keys.length * valueBytes;
    // Keys, names and versions of records, and the row of one client in each shard.
    const overhead = keys.length * 200 + lab.shards * 400;
    const stored = lab.cluster.stores.reduce((sum, store) => sum + stateBytes(store), 0);
    expect(stored).toBeGreaterThanOrEqual(replicas * content);
    expect(stored).toBeLessThanOrEqual(replicas * (content + overhead));
    for (const store of lab.cluster.stores) {
      // What may be kept behind, and as much again as one entry that came last: a page of all values of a shard.
      const perGroup = SHORT_LOG.logKeepBytes + 8 * (2 * valueBytes + 1_024);
      for (const { group } of store.node?.host.replicas() ?? []) {
        if (group.gid !== 0) expect(logBytes(store, group)).toBeLessThanOrEqual(perGroup);
      }
    }
  },
);

scenario(
  'a group that is down leaves: the shards of the others serve all the time, at their usual pace',
  { groups: [1, 2], networks: ['unreliable'] },
  (lab) => {
    const untouched = lab.keys(1, lab.shardsOf(1));
    const appenders = lab.appenders(4, 40, untouched);
    lab.stop(2);
    lab.leave(2);
    const before = appenders.map((appender) => appender.answered);
    lab.throughout(3_000, 'nothing moves', () => lab.openMoves === 8);
    // One call costs a connection now and then; ten in three seconds is far below the pace and far from nothing.
    for (const [at, appender] of appenders.entries())
      expect(appender.answered - (before[at] as number)).toBeGreaterThan(10);
    lab.start(2);
    lab.settled(1);
  },
);

scenario(
  'a group that is down and a living one leave: the shards of the living one serve at the third',
  { groups: [1, 2, 3], networks: ['unreliable'] },
  (lab) => {
    const living = lab.keys(1, lab.shardsOf(3));
    const lost = lab.shardsOf(2);
    lab.append(lab.keys(1), 'a;');
    lab.stop(2);
    lab.leave(2, 3);
    lab.until('the living one has given its shards away', () => lab.shardsOf(3).length === 0);
    lab.append(living, 'b;', 10_000);
    lab.throughout(1_000, 'the other one keeps its own', () => lab.shardsOf(2).length === lost.length);
    lab.start(2);
    lab.settled(1);
  },
);
