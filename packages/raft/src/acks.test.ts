import { type Message, MessageKind, type RaftId } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import type { RaftConfig } from './config.ts';
import type { ProgressView } from './describe.ts';
import { messageOf, TestCluster } from './test-cluster.ts';

/** What a leader makes of answers (paper 5.3; sending ahead of them: thesis 10.2). Member 2 is the one looked at. */

/** Leader 1 of {1, 2, 3} with entries 1 to 4, of which members 2 and 3 have, and know as committed, all. */
function leading(config: Partial<RaftConfig> = {}): TestCluster {
  const cluster = new TestCluster(3, { config });
  cluster.elect(1);
  cluster.propose(1, 'a', 'b', 'c');
  cluster.settle();
  return cluster;
}

function answer(cluster: TestCluster, from: RaftId, fields: Partial<Message>): void {
  cluster.node(1).step(messageOf({ kind: MessageKind.appResp, from, to: 1, term: 1, ...fields }));
}

const progressOf = (cluster: TestCluster, id: RaftId = 2): ProgressView =>
  cluster.node(1).status().progress.get(id) as ProgressView;

/** What the leader sends to a member now, as (first entry's predecessor, entries, commit). */
function sent(cluster: TestCluster, to: RaftId = 2): number[][] {
  cluster.work(1);
  const messages = cluster.inFlight(MessageKind.app, to);
  cluster.network = [];
  return messages.map(({ index, entries, commit }) => [index, entries.length, commit]);
}

describe('acknowledgements (paper 5.3)', () => {
  test('only raise what is known to match, however late and in whatever order they come', () => {
    const cluster = leading();
    for (const index of [3, 1, 0, 4, 2]) {
      answer(cluster, 2, { index });
      expect(progressOf(cluster)).toMatchObject({ state: 'replicate', match: 4, next: 5 });
    }
    expect(sent(cluster)).toEqual([]);
  });

  test('release the wait of the member that answered, not that of others', () => {
    const cluster = leading();
    for (const id of [2, 3]) cluster.node(1).reportUnreachable(id);
    cluster.propose(1, 'd');
    cluster.work(1);
    cluster.network = [];
    expect([2, 3].map((id) => progressOf(cluster, id).paused)).toEqual([true, true]);
    answer(cluster, 2, { index: 5 });
    expect([2, 3].map((id) => progressOf(cluster, id).paused)).toEqual([false, true]);
  });

  test('count for the commit as far as they go, the largest of a majority (paper figure 2)', () => {
    const cluster = new TestCluster(5);
    const leader = cluster.elect(1);
    for (const id of [2, 3, 4, 5]) cluster.isolate(id);
    cluster.propose(1, 'a', 'b', 'c', 'd');
    cluster.settle();
    for (const [from, index, commit] of [
      [2, 4, 1],
      [3, 2, 2],
      [4, 3, 3],
      [3, 5, 4],
      [4, 5, 5],
    ] as const) {
      answer(cluster, from, { index });
      expect(leader.commitIndex, `${from} has ${index}`).toBe(commit);
    }
  });

  test('of an earlier leadership count for nothing, the own one included', () => {
    const cluster = new TestCluster(3, { config: { asyncStorageWrites: true } });
    const leader = cluster.elect(1);
    cluster.isolate(1);
    cluster.propose(1, 'lost');
    cluster.work(1);
    const [own] = cluster.member(1).appendWork[0]?.responses ?? [];
    expect(own).toMatchObject({ kind: MessageKind.appResp, to: 1, index: 2, term: 1 });
    cluster.heal();
    cluster.elect(2);
    cluster.elect(1);
    // Entries that neither its own disk nor 3 has acknowledged.
    cluster.isolate(3);
    cluster.propose(1, 'new');
    const before = JSON.stringify([...leader.status().progress]);
    const late = { ...(own as Message), index: leader.lastIndex };
    for (const from of [1, 3]) expect(leader.step({ ...late, from })).toBe('ok');
    expect(JSON.stringify([...leader.status().progress])).toBe(before);
    leader.step({ ...late, term: leader.term });
    expect(leader.status().progress.get(1)?.match).toBe(leader.lastIndex);
  });
});

describe('refusals (paper 5.3)', () => {
  const refusal = (index: number, rejectHint: number, logTerm: number): Partial<Message> => ({
    index,
    reject: true,
    rejectHint,
    logTerm,
  });

  test('while replicating: only one above what matches is genuine; it ends the sending ahead', () => {
    const cluster = leading();
    for (const index of [2, 4]) answer(cluster, 2, refusal(index, 1, 1));
    expect([progressOf(cluster).state, sent(cluster)]).toEqual(['replicate', []]);
    cluster.propose(1, 'd', 'e');
    cluster.propose(1, 'f');
    sent(cluster);
    answer(cluster, 2, refusal(6, 4, 1)); // The message that followed 6 came before the one with 5 and 6.
    expect(progressOf(cluster)).toMatchObject({ state: 'probe', match: 4, next: 5 });
    expect(sent(cluster)).toEqual([[4, 3, 4]]);
  });

  test('while probing: only the one of the probe under way is genuine, and never below what matches', () => {
    const cluster = leading();
    cluster.node(1).reportUnreachable(2);
    cluster.propose(1, 'd');
    expect(sent(cluster)).toEqual([[4, 1, 4]]);
    for (const index of [1, 3, 5]) {
      answer(cluster, 2, refusal(index, 0, 0));
      expect(progressOf(cluster)).toMatchObject({ state: 'probe', next: 5, paused: true });
    }
    expect(sent(cluster)).toEqual([]);
    answer(cluster, 2, refusal(4, 1, 1));
    expect(progressOf(cluster)).toMatchObject({ state: 'probe', match: 4, next: 5 });
  });

  test('of a new leader lead the probes back to where the logs agree, one message at a time', () => {
    const cluster = leading();
    cluster.drop = ({ to }) => to === 2;
    cluster.elect(3);
    cluster.elect(1);
    cluster.drop = () => false;
    cluster.network = [];
    expect(progressOf(cluster)).toMatchObject({ state: 'probe', match: 0, next: 6, paused: true });
    cluster
      .node(1)
      .step(messageOf({ kind: MessageKind.appResp, from: 2, to: 1, term: 3, ...refusal(5, 4, 1) }));
    expect(sent(cluster)).toEqual([[4, 2, 6]]);
    cluster.propose(1, 'more');
    expect(sent(cluster)).toEqual([]);
  });
});

describe('probing, with entries and without (paper 5.3, thesis 10.2.2)', () => {
  test('one message with entries is under way at a time; empty ones do not stand in its way', () => {
    const cluster = leading();
    cluster.node(1).reportUnreachable(2);
    // Nothing to send: the heartbeat's answer brings an empty probe, and it pauses nothing.
    cluster.node(1).step(messageOf({ kind: MessageKind.heartbeatResp, from: 2, to: 1, term: 1 }));
    expect([sent(cluster), progressOf(cluster).paused]).toEqual([[[4, 0, 4]], false]);
    cluster.propose(1, 'd');
    expect([sent(cluster), progressOf(cluster).paused]).toEqual([[[4, 1, 4]], true]);
    cluster.propose(1, 'e');
    expect(sent(cluster)).toEqual([]);
    // It may be lost. A heartbeat's answer lets one more go.
    cluster.node(1).step(messageOf({ kind: MessageKind.heartbeatResp, from: 2, to: 1, term: 1 }));
    expect([sent(cluster), progressOf(cluster).paused]).toEqual([[[4, 2, 4]], true]);
  });
});

describe('the window of what is in flight (thesis 10.2.2)', () => {
  test('one acknowledgement frees every message up to it, and those behind it stay', () => {
    const cluster = leading({ inflightMessagesMax: 4 });
    for (const text of ['d', 'e', 'f', 'g']) cluster.propose(1, text);
    sent(cluster);
    expect(progressOf(cluster)).toMatchObject({ inflightCount: 4, inflightFull: true, next: 9 });
    answer(cluster, 2, { index: 4 }); // An old one frees nothing.
    expect(progressOf(cluster).inflightCount).toBe(4);
    answer(cluster, 2, { index: 7 });
    expect(progressOf(cluster)).toMatchObject({ inflightCount: 1, inflightFull: false });
  });

  test('each entry is sent once to each member that answers, whatever the batches', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    let entriesSent = 0;
    let messagesSent = 0;
    cluster.drop = ({ kind, entries }) => {
      if (kind === MessageKind.app) entriesSent += entries.length;
      messagesSent++;
      return false;
    };
    for (let count = 0; count < 10; count++) {
      cluster.propose(1, 'x'.repeat(5_000));
      cluster.settle();
    }
    expect(entriesSent).toBe(20);
    // Entry, answer, commit, answer: four for each of two members.
    expect(messagesSent).toBe(80);
    cluster.propose(1, 'p', 'q', 'r');
    cluster.propose(1, 's');
    cluster.settle();
    expect(entriesSent).toBe(28);
  });
});

describe('telling the commit index (paper 5.3)', () => {
  /** Member 2 has been sent entry 5, but not that it is committed; member 3 has acknowledged it. */
  function untold(): TestCluster {
    const cluster = leading();
    cluster.node(1).reportUnreachable(2);
    cluster.propose(1, 'd');
    sent(cluster); // To 2 as a probe, so that nothing else goes there until it is answered.
    answer(cluster, 3, { index: 5 });
    cluster.settle();
    cluster.network = [];
    expect([cluster.node(1).commitIndex, progressOf(cluster).paused]).toEqual([5, true]);
    return cluster;
  }

  test('an acknowledgement of what is committed meanwhile brings an empty message that tells it', () => {
    const cluster = untold();
    answer(cluster, 2, { index: 5 });
    expect(sent(cluster)).toEqual([[5, 0, 5]]);
    answer(cluster, 2, { index: 5 });
    expect(sent(cluster)).toEqual([]);
  });

  test('it does so again where a heartbeat has told less since: that may be all that arrived', () => {
    const cluster = leading();
    cluster.isolate(2);
    cluster.propose(1, 'd');
    cluster.settle(); // Entry 5 was sent to 2, and that it is committed.
    expect(cluster.node(1).commitIndex).toBe(5);
    cluster.tick(1); // The heartbeat says 4: no more is known to match.
    cluster.settle();
    cluster.heal();
    answer(cluster, 2, { index: 5 });
    expect(sent(cluster)).toEqual([[5, 0, 5]]);
  });

  test('members that have been sent nothing beyond what they know are told nothing more', () => {
    const cluster = leading();
    cluster.isolate(2);
    answer(cluster, 2, { index: 4 });
    expect(sent(cluster)).toEqual([]);
  });
});

describe('heartbeats (paper 5.2)', () => {
  test('go to every member at its time, learners too, and say no commit beyond what is known to match', () => {
    const cluster = new TestCluster(4, { learners: [4], config: { heartbeatTicks: 3 } });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, 'a', 'b');
    cluster.settle();
    cluster.heal();
    for (const due of [false, false, true, false, false, true]) {
      cluster.tick(1);
      cluster.work(1);
      const beats = cluster.inFlight(MessageKind.heartbeat);
      cluster.network = [];
      const expected = [
        [2, 3],
        [3, 1],
        [4, 3],
      ];
      expect(beats.map(({ to, commit }) => [to, commit])).toEqual(due ? expected : []);
    }
  });

  test('are sent by leaders only, and keep an idle follower from campaigning', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    for (const id of [2, 3]) cluster.tick(id, 9);
    cluster.node(3).campaign();
    for (const id of [2, 3]) cluster.work(id);
    expect(cluster.inFlight(MessageKind.heartbeat)).toEqual([]);
    cluster.network = [];
    cluster.node(2).step(messageOf({ kind: MessageKind.heartbeat, from: 1, to: 2, term: 1 }));
    expect(cluster.node(2).electionElapsed).toBe(0);
  });

  test('commit at the follower what they say, and are answered, also where nothing moves', () => {
    const cluster = new TestCluster(2);
    cluster.elect(1);
    cluster.drop = ({ commit, kind }) => kind === MessageKind.app && commit > 1;
    cluster.propose(1, 'a');
    cluster.settle();
    expect(cluster.node(2).commitIndex).toBe(1);
    for (const commit of [2, 1, 0]) {
      cluster.node(2).step(messageOf({ kind: MessageKind.heartbeat, from: 1, to: 2, term: 1, commit }));
      cluster.work(2);
      expect(cluster.inFlight(MessageKind.heartbeatResp, 1).length).toBe(1);
      cluster.network = [];
      expect(cluster.node(2).commitIndex).toBe(2);
    }
  });
});

describe('uncommitted bytes', () => {
  test('of one leadership do not weigh on the next one of the same node', () => {
    const cluster = new TestCluster(3, { config: { uncommittedBytesMax: 10 } });
    const leader = cluster.elect(1);
    cluster.isolate(1);
    cluster.propose(1, 'x'.repeat(10));
    cluster.settle();
    expect(cluster.propose(1, 'y')).toMatchObject({ reason: 'overloaded' });
    cluster.elect(2);
    cluster.heal();
    cluster.tick(2);
    cluster.settle();
    cluster.elect(1);
    expect(leader.status().uncommittedBytes).toBe(0);
    expect(cluster.propose(1, 'z'.repeat(10)).accepted).toBe(true);
  });

  test('are given back by the own entries of a leadership, not by older ones that it applies meanwhile', () => {
    const cluster = new TestCluster(3, { config: { uncommittedBytesMax: 10, asyncStorageWrites: true } });
    cluster.elect(1);
    // 2 takes over with an old entry of 10 bytes that nobody has committed.
    cluster.drop = ({ kind }) => kind === MessageKind.appResp;
    cluster.propose(1, 'o'.repeat(10));
    cluster.settle();
    cluster.isolate(1);
    const leader = cluster.elect(2);
    cluster.propose(2, 'n'.repeat(10));
    leader.step(messageOf({ kind: MessageKind.appResp, from: 3, to: 2, term: 2, index: 3 }));
    cluster.settle();
    expect([leader.appliedIndex, leader.lastIndex]).toEqual([3, 4]);
    expect(leader.status().uncommittedBytes).toBe(10);
    expect(cluster.propose(2, 'm')).toMatchObject({ reason: 'overloaded' });
    leader.step(messageOf({ kind: MessageKind.appResp, from: 3, to: 2, term: 2, index: 4 }));
    cluster.settle();
    expect([leader.appliedIndex, leader.status().uncommittedBytes]).toEqual([4, 0]);
  });

  test('are given back as entries are applied, not as they are committed', () => {
    const cluster = new TestCluster(1, { config: { uncommittedBytesMax: 10, asyncStorageWrites: true } });
    const leader = cluster.elect(1);
    cluster.propose(1, 'x'.repeat(10));
    while (cluster.work(1) || cluster.appendOne(1));
    expect([leader.commitIndex, leader.appliedIndex]).toEqual([2, 1]);
    expect(cluster.propose(1, 'y').accepted).toBe(false);
    cluster.settle();
    expect(cluster.propose(1, 'y').accepted).toBe(true);
  });
});
