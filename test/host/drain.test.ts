import { MessageKind, Reader } from '@flotilla/base';
import { FrameKind, readRaftMessage } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';

/** Three stores and so many groups, all of them led by s1. */
function ledByOne(groups: number): { readonly bench: Bench; readonly leader: BenchStore } {
  const bench = new Bench().start();
  for (let gid = 1; gid <= groups; gid++) bench.found(gid);
  for (let gid = 1; gid <= groups; gid++) bench.until(() => bench.leaderOf(gid) !== undefined);
  const leader = bench.store('s1');
  for (let gid = 1; gid <= groups; gid++) {
    const now = bench.leader(gid);
    if (now !== leader) now.host.transferLeader(now.replica(gid), leader.replica(gid).raftId);
    bench.until(() => bench.leaderOf(gid) === leader);
  }
  bench.run(200);
  return { bench, leader };
}

function leads(store: BenchStore): number {
  return [...store.host.replicas()].filter((replica) => replica.isLeader).length;
}

/** Drains these stores together, until each has nothing left that another could take. Returns ms. */
function drain(bench: Bench, stores: readonly BenchStore[]): number {
  const isDone = new Map(stores.map((store) => [store, false]));
  const begin = bench.time.monoMs();
  while ([...isDone.values()].includes(false)) {
    for (const store of stores) isDone.set(store, store.host.drain());
    bench.run(50);
    expect(bench.time.monoMs() - begin).toBeLessThan(5_000);
  }
  return bench.time.monoMs() - begin;
}

describe('stores that drain', () => {
  test('hand nothing to each other: what they led ends at the one that stays, once for each group', () => {
    const { bench, leader } = ledByOne(8);
    const stays = bench.store('s3');
    let transfers = 0;
    bench.wires.tap = (frame) => {
      const from = new Reader(frame.body);
      while (frame.kind === FrameKind.raft && from.remaining > 0) {
        if (readRaftMessage(from).message.kind === MessageKind.timeoutNow) transfers++;
      }
      return true;
    };
    // They hear of each other before anybody is chosen.
    bench.store('s2').host.drain();
    bench.run(5);
    const took = drain(bench, [leader, bench.store('s2')]);
    expect(took).toBeLessThan(500);
    expect(bench.stores.map(leads)).toEqual([0, 0, 8]);
    expect(transfers).toBe(8);
    expect(leads(stays)).toBe(8);
  });

  test('that hear of each other too late do so all the same, with a step in between', () => {
    const { bench, leader } = ledByOne(8);
    expect(drain(bench, [leader, bench.store('s2')])).toBeLessThan(1_000);
    expect(bench.stores.map(leads)).toEqual([0, 0, 8]);
  });

  test('are done when all others drain as well or are away: nobody could take what is left', () => {
    const { bench } = ledByOne(3);
    for (const store of bench.stores) store.host.drain();
    bench.run(5);
    expect(drain(bench, bench.stores)).toBeLessThan(1_000);
    bench.store('s2').crash();
    bench.store('s3').crash();
    expect(bench.store('s1').host.drain()).toBe(true);
  });

  test('repeat what got lost on the way', () => {
    const { bench, leader } = ledByOne(2);
    const refused = bench.wires.refuse((frame) => frame.kind === FrameKind.draining, 3);
    drain(bench, [bench.store('s2')]);
    drain(bench, [bench.store('s2'), leader]);
    expect(refused.count).toBe(3);
    expect(bench.stores.map(leads)).toEqual([0, 0, 2]);
  });

  test('may be handed leaderships again once they are back', () => {
    const { bench, leader } = ledByOne(2);
    for (const id of ['s2', 's3']) {
      const store = bench.store(id);
      drain(bench, [store]);
      store.crash();
      store.start();
    }
    bench.run(1_000);
    drain(bench, [leader]);
    expect(leads(leader)).toBe(0);
    expect(leads(bench.store('s2')) + leads(bench.store('s3'))).toBe(2);
  });
});
