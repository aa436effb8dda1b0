import { MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { bytesOf, messageOf, TestCluster } from './test-cluster.ts';
import { TickLease } from './tick-lease.ts';

const T = 10;

function elected(): TestCluster {
  const cluster = new TestCluster(3, {
    config: { readOnly: 'lease-based', checkQuorum: true, electionTicks: T },
  });
  cluster.elect(1);
  return cluster;
}

/** The same clock for all. */
function pass(cluster: TestCluster, ticks: number): void {
  for (let at = 0; at < ticks; at++) {
    for (const id of cluster.members.keys()) cluster.tick(id);
    cluster.settle();
  }
}

function reads(cluster: TestCluster, id: number): number {
  cluster.node(id).readIndex(bytesOf('r'));
  cluster.work(id);
  return cluster.member(id).reads.length;
}

describe('no stale read on a lease (thesis 6.4.1)', () => {
  test('of a leader that was cut off and still leads, while another one was elected', () => {
    const cluster = elected();
    // The check of the quorum is just over, so the next one passes and only the one after that fails.
    pass(cluster, T + 1);
    expect(reads(cluster, 1)).toBe(1);
    cluster.isolate(1);
    cluster.node(2).overrideElectionTimeout(T);
    let ticks = 0;
    while (cluster.node(2).role !== 'leader') {
      expect(++ticks).toBeLessThan(2 * T);
      pass(cluster, 1);
    }
    expect(cluster.node(1).role).toBe('leader');
    expect(reads(cluster, 1)).toBe(1);
  });

  test('of a leader whose answers were on their way for long', () => {
    const cluster = elected();
    pass(cluster, T - 1);
    cluster.drop = ({ kind }) => kind === MessageKind.heartbeat;
    cluster.tick(1);
    cluster.settle();
    const late = messageOf({ kind: MessageKind.heartbeatResp, from: 2, to: 1, term: 1 });
    for (let at = 0; at < T - 2; at++) {
      cluster.tick(1);
      cluster.settle();
      cluster.node(1).step(late);
    }
    expect(cluster.node(1).role).toBe('leader');
    expect(reads(cluster, 1)).toBe(0);
  });

  test('of a leader that has ordered another member to take over, also if nothing came of it', () => {
    const cluster = elected();
    cluster.node(1).transferLeader(3);
    cluster.work(1);
    expect(reads(cluster, 1)).toBe(0);
    cluster.network = [];
    pass(cluster, T + 1);
    expect([cluster.node(1).role, cluster.node(1).transferee]).toEqual(['leader', 0]);
    // The first one was answered meanwhile, by a round; the second one waits for its own.
    expect(reads(cluster, 1)).toBe(1);
    cluster.settle();
    expect(cluster.member(1).reads.length).toBe(2);
  });

  test('of a leader whose followers forgot in a restart that they had heard it', () => {
    const cluster = elected();
    pass(cluster, 2);
    cluster.isolate(1);
    for (const id of [2, 3]) cluster.member(id).restart();
    cluster.node(2).campaign();
    cluster.settle();
    expect(cluster.node(2).role).toBe('candidate');
    expect(reads(cluster, 1)).toBe(1);
    pass(cluster, T);
    cluster.elect(2);
    expect(reads(cluster, 1)).toBe(1);
  });

  test('of a leader whose follower learned a later term from somebody who leads nobody', () => {
    const cluster = elected();
    pass(cluster, 2);
    const { node } = cluster.member(2);
    const request = { from: 3, to: 2, logTerm: 9, index: 9 };
    node.step(messageOf({ kind: MessageKind.preVoteResp, from: 3, to: 2, term: 7, reject: true }));
    node.step(messageOf({ ...request, kind: MessageKind.vote, term: 8 }));
    expect([node.term, node.vote]).toEqual([7, 0]);
    for (let at = 0; at < T; at++) node.tick();
    node.step(messageOf({ ...request, kind: MessageKind.vote, term: 20 }));
    expect([node.term, node.vote]).toEqual([20, 3]);
  });
});

test('a lease goes on while a majority answers, and takes no round of its own', () => {
  const cluster = elected();
  cluster.isolate(3);
  pass(cluster, 5 * T);
  const kinds: number[] = [];
  cluster.drop = ({ kind }) => kinds.push(kind) === 0;
  expect(reads(cluster, 1)).toBe(1);
  cluster.settle();
  expect(kinds).toEqual([]);
});

test('a lease is as old as the newest round that was answered, and one tick shorter than the promise', () => {
  const lease = new TickLease();
  expect(lease.holds(9, T)).toBe(false);
  lease.reset();
  expect(lease.holds(0, T)).toBe(true);
  for (let at = 1; at < T - 1; at++) lease.tick();
  lease.sent(4, T);
  lease.sent(5, T);
  expect([lease.holds(0, T), lease.holds(3, T)]).toEqual([true, true]);
  lease.tick();
  expect([lease.holds(0, T), lease.holds(3, T), lease.holds(4, T)]).toEqual([false, false, true]);
  for (let at = 0; at < 3 * T; at++) {
    lease.tick();
    lease.sent(6 + at, T);
  }
  expect([lease.holds(5, T), lease.holds(5 + 3 * T, T)]).toEqual([false, true]);
  lease.giveUp();
  expect(lease.holds(5 + 3 * T, T)).toBe(false);
});
