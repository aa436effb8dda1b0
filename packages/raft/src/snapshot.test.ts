import { EMPTY_BYTES, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { hear, lone, take } from './test-alone.ts';
import { confOf, messageOf, TestCluster } from './test-cluster.ts';

/** Node 3 misses entries that the leader has compacted. */
function lagging(config = {}): TestCluster {
  const cluster = new TestCluster(3, { config });
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a', 'b', 'c');
  cluster.settle();
  cluster.member(1).compact();
  cluster.heal();
  return cluster;
}

function progressOf(cluster: TestCluster): unknown {
  return cluster.node(1).status().progress.get(3);
}

const snapshot = { index: 3, term: 1, confState: confOf([1, 2, 3]), data: EMPTY_BYTES };
const offer = { kind: MessageKind.snap, from: 1, to: 2, term: 1, snapshot };

describe('snapshots (paper 7, figure 13)', () => {
  test('bring a member up to date whose entries are compacted, in both storage modes', () => {
    for (const asyncStorageWrites of [false, true]) {
      const cluster = lagging({ asyncStorageWrites });
      cluster.tick(1);
      cluster.settle();
      expect(cluster.member(3).storage.firstIndex()).toBe(5);
      expect(cluster.node(3).appliedIndex).toBe(4);
      cluster.propose(1, 'd');
      cluster.settle();
      expect(cluster.member(3).state.digest).toBe(cluster.member(1).state.digest);
      expect(progressOf(cluster)).toMatchObject({ state: 'replicate', match: 5 });
    }
  });

  test('are not sent to a member that is not heard from', () => {
    const cluster = lagging({ checkQuorum: true });
    cluster.isolate(3);
    cluster.tick(1, 10); // The quorum check clears the flags.
    cluster.settle();
    cluster.node(1).reportUnreachable(3);
    const sent: number[] = [];
    cluster.drop = ({ kind }) => {
      if (kind === MessageKind.snap) sent.push(kind);
      return false;
    };
    cluster.propose(1, 'x');
    cluster.tick(1);
    cluster.settle();
    expect(sent).toEqual([]);
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect(cluster.node(3).appliedIndex).toBe(cluster.node(1).appliedIndex);
  });

  test('pause replication to that member until the report or the acknowledgement', () => {
    const cluster = lagging();
    cluster.drop = ({ kind }) => kind === MessageKind.snap;
    cluster.tick(1);
    cluster.settle();
    cluster.propose(1, 'd');
    cluster.settle();
    expect(progressOf(cluster)).toMatchObject({ state: 'snapshot', pendingSnapshot: 4, paused: true });
    cluster.node(1).reportSnapshot(3, true);
    expect(progressOf(cluster)).toMatchObject({ state: 'probe', next: 5, paused: true });
  });

  test('that failed are tried again from what matches, after the next heartbeat', () => {
    const cluster = lagging();
    cluster.drop = ({ kind }) => kind === MessageKind.snap;
    cluster.tick(1);
    cluster.settle();
    const { match } = cluster.node(1).status().progress.get(3) as { match: number };
    cluster.node(1).reportSnapshot(3, false);
    expect(progressOf(cluster)).toMatchObject({ state: 'probe', next: match + 1, paused: true });
    expect(cluster.node(1).hasReady()).toBe(false);
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect(cluster.node(3).appliedIndex).toBe(4);
  });

  test('that do not name the member are not sent: it would refuse them, and be waited for in vain', () => {
    const cluster = lagging();
    const { storage } = cluster.member(1);
    const current = storage.snapshot();
    storage.setSnapshot({ index: 4, term: 1, confState: confOf([1, 2]), data: EMPTY_BYTES });
    cluster.tick(1);
    cluster.settle();
    expect([progressOf(cluster), cluster.node(3).lastIndex]).toMatchObject([{ state: 'probe' }, 1]);
    storage.setSnapshot(current);
    cluster.tick(1);
    cluster.settle();
    expect(cluster.node(3).appliedIndex).toBe(4);
  });

  test('a report for a member that gets no snapshot changes nothing', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    const before = progressOf(cluster);
    cluster.node(1).reportSnapshot(3, false);
    cluster.node(1).reportSnapshot(9, true);
    expect(progressOf(cluster)).toEqual(before);
  });

  test('an older one that is acknowledged resumes replication if the log reaches on from it', () => {
    const cluster = lagging();
    cluster.drop = ({ kind }) => kind === MessageKind.snap;
    cluster.tick(1);
    cluster.settle();
    cluster.node(1).step(messageOf({ kind: MessageKind.appResp, from: 3, to: 1, term: 1, index: 3 }));
    expect(progressOf(cluster)).toMatchObject({ state: 'snapshot', match: 3 });
    expect(cluster.node(1).hasReady()).toBe(false); // Nor is the snapshot sent again.
    cluster.node(1).step(messageOf({ kind: MessageKind.appResp, from: 3, to: 1, term: 1, index: 4 }));
    expect(progressOf(cluster)).toMatchObject({ state: 'replicate', match: 4, next: 5 });
  });

  test('need not arrive themselves: the log may reach on from an acknowledgement below them', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, 'a', 'b', 'c');
    cluster.settle();
    cluster.member(1).compact(2); // A snapshot of 4; entries from 3 on are there.
    cluster.heal();
    cluster.drop = ({ kind }) => kind === MessageKind.snap;
    cluster.tick(1);
    cluster.settle();
    expect(progressOf(cluster)).toMatchObject({ state: 'snapshot', pendingSnapshot: 4 });
    cluster.node(1).step(messageOf({ kind: MessageKind.appResp, from: 3, to: 1, term: 1, index: 2 }));
    expect(progressOf(cluster)).toMatchObject({ state: 'replicate', match: 2, next: 5 });
  });

  test('stay under way when a message was not delivered: only a report, or an answer, ends them', () => {
    const cluster = lagging();
    cluster.drop = ({ kind }) => kind === MessageKind.snap;
    cluster.tick(1);
    cluster.settle();
    cluster.node(1).reportUnreachable(3);
    expect(progressOf(cluster)).toMatchObject({ state: 'snapshot', pendingSnapshot: 4 });
    cluster.tick(1);
    cluster.settle();
    expect(progressOf(cluster)).toMatchObject({ state: 'snapshot', pendingSnapshot: 4 });
  });

  test('are not disturbed by answers of before: an acknowledgement of what is known, a late refusal', () => {
    const cluster = lagging();
    cluster.drop = ({ kind }) => kind === MessageKind.snap;
    cluster.tick(1);
    cluster.settle();
    const before = progressOf(cluster);
    const old = { kind: MessageKind.appResp, from: 3, to: 1, term: 1 };
    cluster.node(1).step(messageOf({ ...old, index: 1 }));
    cluster.node(1).step(messageOf({ ...old, index: 1, reject: true, rejectHint: 0 }));
    expect([progressOf(cluster), cluster.node(1).hasReady()]).toEqual([before, false]);
  });

  test('reach a learner like any other member (thesis 4.2.1)', () => {
    const cluster = new TestCluster(3, { learners: [3] });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, 'a', 'b');
    cluster.settle();
    cluster.member(1).compact();
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect([cluster.node(3).appliedIndex, cluster.node(3).confState]).toEqual([3, confOf([1, 2], [3])]);
    expect(progressOf(cluster)).toMatchObject({ state: 'replicate', isLearner: true });
  });

  test('make a learner of a voter and a voter of a learner, as their configuration says', () => {
    const promoted = new TestCluster(3, { learners: [3] });
    promoted.elect(1);
    const confState = confOf([1, 3], [2]);
    for (const id of [2, 3]) {
      const { node } = promoted.member(id);
      node.step(messageOf({ ...offer, to: id, snapshot: { ...snapshot, index: 9, confState } }));
      promoted.settle();
      expect([node.confState, node.promotable]).toEqual([confState, id === 3]);
    }
  });

  test('of a leader whose term is over are ignored (paper figure 13)', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.elect(3);
    cluster.node(2).step(messageOf({ ...offer, snapshot: { ...snapshot, index: 9 } }));
    expect([cluster.node(2).hasReady(), cluster.node(2).leaderId]).toEqual([false, 3]);
    expect(cluster.node(2).commitIndex).toBe(2);
  });

  test('of what is committed already are answered with the commit index', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.propose(1, 'a', 'b');
    cluster.settle();
    cluster.node(2).step(messageOf(offer));
    const ready = cluster.node(2).ready();
    expect([ready.snapshot, ready.messages[0]?.index]).toEqual([undefined, 3]);
  });

  test('acknowledge nothing behind the commit index then: that may be the remains of another leader (paper 5.3)', () => {
    const member = lone([1, 1, 2], 3);
    hear(member, { kind: MessageKind.heartbeat, commit: 2 });
    take(member);
    hear(member, { kind: MessageKind.snap, snapshot: { ...snapshot, index: 2 } });
    expect(take(member).map(({ kind, index }) => [kind, index])).toEqual([[MessageKind.appResp, 2]]);
  });

  test('of what is compacted already are answered in the same way', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.propose(1, 'a', 'b', 'c');
    cluster.settle();
    cluster.member(2).compact();
    expect(cluster.node(2).step(messageOf({ ...offer, snapshot: { ...snapshot, index: 2 } }))).toBe('ok');
    const ready = cluster.node(2).ready();
    expect([ready.snapshot, ready.messages[0]?.index, cluster.node(2).commitIndex]).toEqual([
      undefined,
      4,
      4,
    ]);
  });

  test('of entries that we have only move the commit index', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.propose(1, 'a', 'b', 'c');
    cluster.work(1);
    while (cluster.deliver());
    cluster.work(2);
    expect(cluster.node(2).commitIndex).toBe(1);
    cluster.node(2).step(messageOf(offer));
    const ready = cluster.node(2).ready();
    expect([ready.snapshot, ready.hardState?.commit, cluster.node(2).lastIndex]).toEqual([undefined, 3, 4]);
  });

  test('that do not name the receiver are ignored', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    const confState = confOf([1, 3]);
    cluster.node(2).step(messageOf({ ...offer, snapshot: { ...snapshot, index: 9, confState } }));
    expect([cluster.node(2).commitIndex, cluster.node(2).confState]).toEqual([1, confOf([1, 2, 3])]);
  });

  test('that would not make a configuration are malformed', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    const confState = { ...confOf([1, 2, 3]), learners: [2] };
    expect(cluster.node(2).step(messageOf({ ...offer, snapshot: { ...snapshot, confState } }))).toBe(
      'malformed',
    );
  });

  test('take over the whole configuration, joint halves and learners included', () => {
    const confState = {
      voters: [1, 2],
      votersOutgoing: [1, 3],
      learners: [4],
      learnersNext: [3],
      autoLeave: true,
    };
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.node(2).step(messageOf({ ...offer, snapshot: { ...snapshot, index: 9, confState } }));
    expect(cluster.node(2).confState).toEqual(confState);
    expect(cluster.node(2).ready().mustSync).toBe(false);
  });
});
