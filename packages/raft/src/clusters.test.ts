import { EMPTY_BYTES, MessageKind, type RaftId } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { TestCluster } from './test-cluster.ts';

/** Whole groups through a fault and back (paper 5, figure 3): members that fail, come back, and agree again. */

function pass(cluster: TestCluster, rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    for (const id of cluster.members.keys()) cluster.tick(id);
    cluster.settle();
  }
}

/** Leaders of the highest term that anybody leads. */
function leadersOf(cluster: TestCluster): readonly RaftId[] {
  const leaders = [...cluster.members.values()].filter(({ node }) => node.role === 'leader');
  const term = Math.max(...leaders.map(({ node }) => node.term));
  return leaders.filter(({ node }) => node.term === term).map(({ id }) => id);
}

describe('elections (paper 5.2)', () => {
  test('without faults there is one leader, and it stays for good', () => {
    const cluster = new TestCluster(3);
    pass(cluster, 40);
    const [leader] = leadersOf(cluster);
    const terms = [1, 2, 3].map((id) => cluster.node(id).term);
    expect(new Set(terms).size).toBe(1);
    pass(cluster, 200);
    expect(leadersOf(cluster)).toEqual([leader]);
    expect([1, 2, 3].map((id) => cluster.node(id).term)).toEqual(terms);
  });

  test('a majority elects a leader, a minority never does, and who comes back follows', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.isolate(1);
    pass(cluster, 60);
    const [second] = leadersOf(cluster) as [RaftId];
    expect([2, 3]).toContain(second);
    cluster.isolate(second);
    pass(cluster, 60);
    expect(leadersOf(cluster)).toEqual([second]); // Nobody of a higher term: the third one is alone.
    cluster.heal();
    pass(cluster, 60);
    expect(leadersOf(cluster).length).toBe(1);
    const [leader] = leadersOf(cluster) as [RaftId];
    for (const id of [1, 2, 3]) expect(cluster.node(id).leaderId).toBe(leader);
  });

  test('of seven members any three may be away, and there is always a leader', () => {
    const cluster = new TestCluster(7, { config: { preVote: true, checkQuorum: true } });
    for (let round = 0; round < 10; round++) {
      cluster.heal();
      const away = [0, 2, 3].map((step) => 1 + ((round * 3 + step) % 7));
      for (const id of away) cluster.isolate(id);
      pass(cluster, 80);
      const [leader] = leadersOf(cluster) as [RaftId];
      expect(away).not.toContain(leader);
      expect(leadersOf(cluster).length).toBe(1);
      cluster.propose(leader, `${round}`);
      cluster.settle();
    }
    cluster.heal();
    pass(cluster, 80);
    const wanted = Array.from({ length: 10 }, (_, round) => `${round}`);
    for (const member of cluster.members.values()) expect(member.appliedTexts()).toEqual(wanted);
  });
});

describe('agreement (paper 5.3)', () => {
  test('goes on while a majority is there, stops without it, and takes up again', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, 'with two');
    cluster.settle();
    expect(cluster.member(2).appliedTexts()).toEqual(['with two']);
    cluster.isolate(2);
    cluster.propose(1, 'alone');
    pass(cluster, 5);
    expect(cluster.member(1).appliedTexts()).toEqual(['with two']);
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    for (const id of [1, 2, 3]) expect(cluster.member(id).appliedTexts()).toEqual(['with two', 'alone']);
  });

  test('proposals at once in one term are all applied, everywhere in the same order', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    for (const [at, id] of [1, 2, 3, 2, 1].entries()) cluster.propose(id, `${at}`);
    cluster.settle();
    const order = cluster.member(1).appliedTexts();
    expect([...order].sort()).toEqual(['0', '1', '2', '3', '4']);
    for (const id of [2, 3]) expect(cluster.member(id).appliedTexts()).toEqual(order);
  });

  test('what a leader took while it was cut off vanishes when it comes back, and its index is used again', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.propose(1, '101');
    cluster.settle();
    cluster.isolate(1);
    for (const text of ['102', '103', '104']) cluster.propose(1, text);
    cluster.settle();
    expect(cluster.node(1).lastIndex).toBe(5);
    cluster.elect(2);
    cluster.propose(2, '203');
    cluster.settle();
    cluster.heal();
    cluster.isolate(2);
    cluster.elect(3);
    cluster.propose(3, '305');
    cluster.settle();
    expect(cluster.member(1).appliedTexts()).toEqual(['101', '203', '305']);
    cluster.heal();
    cluster.tick(3);
    cluster.settle();
    for (const id of [1, 2, 3]) expect(cluster.member(id).appliedTexts()).toEqual(['101', '203', '305']);
  });

  test('a late append of a leader that is gone changes nothing that a later one committed', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.propose(1, 'old');
    cluster.work(1);
    const late = cluster.inFlight(MessageKind.app);
    cluster.network = [];
    cluster.isolate(1);
    cluster.elect(2);
    cluster.propose(2, 'new');
    cluster.settle();
    cluster.network.push(...late);
    cluster.settle();
    cluster.heal();
    cluster.tick(2);
    cluster.settle();
    for (const id of [1, 2, 3]) expect(cluster.member(id).appliedTexts()).toEqual(['new']);
  });
});

describe('restarts (paper 5.5)', () => {
  test('of all, of one and of each majority in turn lose nothing that was acknowledged', () => {
    const cluster = new TestCluster(5);
    const texts: string[] = [];
    for (let round = 0; round < 10; round++) {
      const down = round % 3 === 0 ? [1, 2, 3, 4, 5] : [1 + (round % 5), 1 + ((round + 2) % 5)];
      for (const id of down) cluster.member(id).restart();
      cluster.heal();
      pass(cluster, 60);
      const [leader] = leadersOf(cluster) as [RaftId];
      const away = 1 + ((leader + round) % 5);
      if (away !== leader) cluster.isolate(away);
      texts.push(`${round}`);
      cluster.propose(leader, `${round}`);
      cluster.settle();
      expect(cluster.member(leader).appliedTexts()).toEqual(texts);
    }
    cluster.heal();
    pass(cluster, 60);
    for (const member of cluster.members.values()) expect(member.appliedTexts()).toEqual(texts);
  });

  test('a leader that restarts together with one of two followers meets the other one again', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, '102');
    cluster.settle();
    cluster.heal();
    // 2 is down; 1 comes back and meets 3, which lacks the entry.
    for (const id of [1, 2]) cluster.member(id).restart();
    cluster.isolate(2);
    cluster.elect(1);
    expect(cluster.member(3).appliedTexts()).toEqual(['102']);
  });

  test('from a snapshot and the log behind it go on where they were', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    const texts: string[] = [];
    for (let round = 0; round < 6; round++) {
      texts.push(`${round}`);
      cluster.propose(1, `${round}`);
      cluster.settle();
      for (const member of cluster.members.values()) if (round % 2 === 0) member.compact();
      const before = [1, 2, 3].map((id) => cluster.node(id).appliedIndex);
      for (const member of cluster.members.values()) member.restart();
      expect([1, 2, 3].map((id) => cluster.node(id).appliedIndex)).toEqual(before);
      // Once more, at once.
      for (const member of cluster.members.values()) member.restart();
      cluster.elect(1);
    }
    for (const member of cluster.members.values()) expect(member.appliedTexts()).toEqual(texts);
  });

  test('a member that restarts while the leader lives starts no election', () => {
    const cluster = new TestCluster(3, { config: { preVote: true, checkQuorum: true } });
    cluster.elect(1);
    for (const id of [2, 3, 2]) {
      cluster.member(id).restart();
      pass(cluster, 30);
    }
    expect([cluster.node(1).role, cluster.node(1).term]).toEqual(['leader', 1]);
  });
});

test('a log does not grow without bound while nothing can be committed: the limit of bytes holds it', () => {
  const cluster = new TestCluster(3, { config: { uncommittedBytesMax: 1_000, asyncStorageWrites: true } });
  const leader = cluster.elect(1);
  for (const id of [2, 3]) cluster.isolate(id);
  for (let count = 0; count < 500; count++) {
    cluster.propose(1, 'x'.repeat(100));
    cluster.settle();
  }
  expect(leader.lastIndex).toBe(11);
  expect(leader.proposeConfChange({ transition: 'auto', changes: [], context: EMPTY_BYTES }).accepted).toBe(
    false,
  );
  cluster.heal();
  cluster.tick(1);
  cluster.settle();
  expect(cluster.member(3).appliedTexts().length).toBe(10);
  expect(cluster.propose(1, 'y').accepted).toBe(true);
});
