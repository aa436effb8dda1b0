import { describe, expect, test } from 'vitest';
import { Bench } from './bench.ts';

const THREE_SEEDS = [1, 2, 3];

describe('elections', () => {
  test.each(THREE_SEEDS)('a new group has a serving leader within 300 ms (seed %i)', (seed) => {
    const bench = new Bench(3, {}, seed).start();
    bench.found();
    expect(bench.until(() => bench.leaderOf() !== undefined)).toBeLessThan(300);
  });

  test.each(THREE_SEEDS)('stores that all restart have a leader within 300 ms (seed %i)', (seed) => {
    const bench = new Bench(3, {}, seed).withLeader();
    bench.write('a');
    for (const store of bench.stores) store.crash();
    for (const store of bench.stores) store.start();
    expect(bench.until(() => bench.leaderOf() !== undefined)).toBeLessThan(300);
    expect(bench.settle()).toEqual(['a']);
  });

  test.each(THREE_SEEDS)(
    'a new leader serves within 250 ms after the store of the leader died (seed %i)',
    (seed) => {
      for (const count of [3, 5]) {
        const bench = new Bench(count, {}, seed).withLeader();
        bench.write('a');
        bench.run(777);
        const old = bench.leader();
        old.crash();
        expect(bench.until(() => bench.leaderOf() !== undefined)).toBeLessThan(250);
        bench.write('b');
        old.start();
        expect(bench.settle()).toEqual(['a', 'b']);
      }
    },
  );

  test.each([8, 12, 30, 80])('a disk of %i ms delays the next leader by its own time only', (diskMs) => {
    for (const seed of THREE_SEEDS) {
      const bench = new Bench(3, {}, seed).withLeader();
      for (const store of bench.stores) store.diskMs = diskMs;
      bench.write('a');
      bench.run(777 + seed);
      bench.leader().crash();
      expect(bench.until(() => bench.leaderOf() !== undefined)).toBeLessThan(200 + 2 * diskMs);
    }
  });

  test.each([9, 12, 25, 60])('frames of %i ms delay the next leader by five of them', (wireMs) => {
    for (const seed of THREE_SEEDS) {
      for (const count of [3, 5]) {
        const bench = new Bench(count, {}, seed).withLeader();
        bench.write('a');
        bench.wires.delayMs = wireMs;
        bench.run(777 + seed);
        bench.leader().crash();
        // The drop, pre-votes and votes there and back, and the first append there and back.
        expect(bench.until(() => bench.leaderOf() !== undefined)).toBeLessThan(200 + 6 * wireMs);
      }
    }
  });

  test('a follower that alone loses the connection to the leader disturbs nobody', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    const { term } = leader.replica().raft;
    bench.wires.cut(leader.id, bench.followers()[0]?.id as string);
    bench.run(10_000);
    expect(bench.leader()).toBe(leader);
    expect(leader.replica().raft.term).toBe(term);
    bench.wires.heal();
    bench.write('a');
    expect(bench.settle()).toEqual(['a']);
    expect(leader.replica().raft.term).toBe(term);
  });

  test('a leader whose frames get lost in silence is replaced after the election timeout (N1)', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    for (const follower of bench.followers()) bench.wires.silence(leader.id, follower.id);
    const took = bench.until(() => bench.leaderOf() !== leader && bench.leaderOf() !== undefined);
    expect(took).toBeLessThan(4_500);
    bench.write('a');
  });

  test('a leader that hears nobody steps down within two election timeouts (N2)', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    for (const follower of bench.followers()) bench.wires.silence(follower.id, leader.id);
    expect(bench.until(() => !leader.replica().isLeader)).toBeLessThan(2_100);
  });

  test('an isolated replica comes back in the term that it left (R23)', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    const away = bench.followers()[0];
    bench.wires.isolate(away?.id as string);
    bench.run(60_000);
    expect(away?.replica().raft.term).toBe(leader.replica().raft.term);
    bench.wires.heal();
    bench.write('a');
    bench.settle();
    expect(bench.leader()).toBe(leader);
  });

  test('while the leader lives a restarted replica gets no vote from anybody and gives none', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    const { term } = leader.replica().raft;
    for (const follower of bench.followers()) {
      follower.crash();
      follower.start();
      bench.run(500);
    }
    expect(bench.leader()).toBe(leader);
    expect(leader.replica().raft.term).toBe(term);
  });

  test('200 groups on three stores all elect, and send few frames a tick', () => {
    const bench = new Bench().start();
    for (let gid = 1; gid <= 200; gid++) bench.found(gid);
    const gids = Array.from({ length: 200 }, (_, at) => at + 1);
    expect(bench.until(() => gids.every((gid) => bench.leaderOf(gid) !== undefined))).toBeLessThan(500);
    bench.run(500);
    const before = bench.wires.frames;
    bench.run(1_000);
    // Per pair and tick one frame of beats and one of answers in each direction, whatever the number of groups.
    expect(bench.wires.frames - before).toBeLessThanOrEqual(21 * 12);
  });
});
