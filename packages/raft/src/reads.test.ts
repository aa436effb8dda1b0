import { type Message, MessageKind, Reader } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { decodeRound, encodeRound, ReadOnlyQueue } from './read-only.ts';
import { bytesOf, messageOf, TestCluster } from './test-cluster.ts';

function read(cluster: TestCluster, id: number, text: string): boolean {
  return cluster.node(id).readIndex(bytesOf(text));
}

describe('reads with a round of heartbeats (thesis 6.4)', () => {
  test('leader and followers read at the commit index of that moment', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.propose(1, 'a', 'b');
    cluster.settle();
    read(cluster, 1, 'mine');
    read(cluster, 2, 'yours');
    cluster.settle();
    expect(cluster.member(1).reads).toEqual([{ index: 3, text: 'mine' }]);
    expect(cluster.member(2).reads).toEqual([{ index: 3, text: 'yours' }]);
    expect(cluster.node(1).status().readsWaiting).toBe(0);
  });

  test('a learner reads through the leader', () => {
    const cluster = new TestCluster(4, { learners: [4] });
    cluster.elect(1);
    read(cluster, 4, 'l');
    cluster.settle();
    expect(cluster.member(4).reads).toEqual([{ index: 1, text: 'l' }]);
  });

  test('a leader that a majority does not answer confirms nothing', () => {
    const cluster = new TestCluster(5);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.isolate(4);
    cluster.isolate(5);
    read(cluster, 1, 'x');
    cluster.settle();
    expect(cluster.member(1).reads).toEqual([]);
    cluster.heal();
    // The next heartbeat carries the round that still waits.
    cluster.tick(1);
    cluster.settle();
    expect(cluster.member(1).reads.map(({ text }) => text)).toEqual(['x']);
  });

  test('answers of learners confirm nothing', () => {
    const cluster = new TestCluster(5, { learners: [4, 5] });
    cluster.elect(1);
    cluster.isolate(2);
    cluster.isolate(3);
    read(cluster, 1, 'x');
    cluster.settle();
    expect(cluster.member(1).reads).toEqual([]);
  });

  test('a deposed leader answers no read, not even one that it took before', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.isolate(1);
    read(cluster, 1, 'old');
    cluster.settle();
    cluster.elect(2);
    cluster.propose(2, 'new');
    cluster.settle();
    read(cluster, 1, 'older');
    cluster.heal();
    for (const id of [1, 2]) cluster.tick(id);
    cluster.settle();
    expect(cluster.member(1).reads).toEqual([]);
  });

  test('answers to the rounds of an earlier leadership confirm nothing in a later one: their numbers repeat', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    for (const text of ['a', 'b', 'c']) read(cluster, 1, text);
    cluster.settle();
    cluster.elect(2);
    cluster.elect(1);
    cluster.isolate(1);
    read(cluster, 1, 'later');
    cluster.settle();
    expect(cluster.member(1).reads.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
  });

  test('reads that wait end with the leadership, confirmed or not: who asked asks again', () => {
    for (const early of [true, false]) {
      const cluster = new TestCluster(3);
      if (early) cluster.drop = ({ kind }) => kind === MessageKind.app;
      cluster.elect(1);
      cluster.isolate(1);
      read(cluster, 1, 'x');
      cluster.settle();
      expect(cluster.node(1).status().readsWaiting).toBe(1);
      cluster.heal();
      cluster.elect(2);
      cluster.tick(2);
      cluster.settle();
      expect(cluster.node(1).status().readsWaiting).toBe(0);
      cluster.elect(1);
      cluster.tick(1);
      cluster.settle();
      expect(cluster.member(1).reads).toEqual([]);
    }
  });

  test('a new leader reads only after the first commit of its term: its commit index may be behind', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.propose(1, 'acknowledged');
    // 2 and 3 have the entry, 1 commits it and answers its client; nobody hears of the commit.
    cluster.drop = ({ kind, from, commit }) => from === 1 && kind === MessageKind.app && commit === 2;
    cluster.settle();
    expect([cluster.node(1).commitIndex, cluster.node(2).commitIndex]).toEqual([2, 1]);
    cluster.isolate(1);
    // The new leader's first entry does not get through for a while; heartbeats do.
    cluster.drop = ({ kind, entries }) => kind === MessageKind.app && entries.length > 0;
    cluster.elect(2);
    expect([cluster.node(2).commitIndex, cluster.node(2).firstCommitOfTermDone]).toEqual([1, false]);
    cluster.tick(2);
    cluster.settle();
    expect([read(cluster, 2, 'r'), read(cluster, 3, 's')]).toEqual([true, true]);
    cluster.tick(2);
    cluster.settle();
    expect(cluster.member(2).reads).toEqual([]);
    cluster.drop = () => false;
    cluster.tick(2);
    cluster.settle();
    expect(cluster.node(2).firstCommitOfTermDone).toBe(true);
    expect(cluster.member(2).reads).toEqual([{ index: 3, text: 'r' }]);
    expect(cluster.member(3).reads).toEqual([{ index: 3, text: 's' }]);
  });

  test('an answer to an earlier round does not confirm a later read', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    cluster.drop = ({ kind }) => kind === MessageKind.heartbeatResp;
    read(cluster, 1, 'same');
    cluster.work(1);
    const early = cluster.inFlight(MessageKind.heartbeat, 2)[0];
    cluster.settle();
    cluster.drop = () => false;
    cluster.propose(1, 'x');
    cluster.settle();
    cluster.isolate(2);
    cluster.isolate(3);
    // The same context again, and only the old heartbeat comes through.
    read(cluster, 1, 'same');
    cluster.work(1);
    expect(early).toBeDefined();
    leader.step({
      ...(early as NonNullable<typeof early>),
      kind: MessageKind.heartbeatResp,
      from: 2,
      to: 1,
      commit: 0,
    });
    cluster.work(1);
    expect(cluster.member(1).reads).toEqual([{ index: 1, text: 'same' }]);
  });

  test('a single voter confirms its reads alone, after its first commit', () => {
    const cluster = new TestCluster(1);
    const leader = cluster.elect(1);
    read(cluster, 1, 'x');
    cluster.settle();
    expect([cluster.member(1).reads, leader.status().readsWaiting]).toEqual([[{ index: 1, text: 'x' }], 0]);
  });

  test('a leader that is no voter any more does not confirm reads alone', () => {
    const cluster = new TestCluster(2);
    const leader = cluster.elect(1);
    leader.proposeConfChange({
      transition: 'auto',
      changes: [{ kind: 'remove', id: 1 }],
      context: bytesOf(''),
    });
    cluster.settle();
    expect([leader.role, leader.confState.voters]).toEqual(['leader', [2]]);
    cluster.isolate(2);
    read(cluster, 1, 'x');
    cluster.settle();
    expect(cluster.member(1).reads).toEqual([]);
  });

  test('reads that wait are released when a change makes the quorum smaller', () => {
    const cluster = new TestCluster(2);
    const leader = cluster.elect(1);
    leader.proposeConfChange({
      transition: 'auto',
      changes: [{ kind: 'remove', id: 2 }],
      context: bytesOf(''),
    });
    cluster.work(1);
    while (cluster.deliver());
    cluster.work(2);
    cluster.drop = ({ kind }) => kind === MessageKind.heartbeatResp;
    read(cluster, 1, 'x');
    cluster.settle();
    expect(leader.confState.voters).toEqual([1]);
    expect(cluster.member(1).reads.map(({ text }) => text)).toEqual(['x']);
  });

  test('without a leader a read is dropped at once', () => {
    const cluster = new TestCluster(3);
    expect(read(cluster, 2, 'x')).toBe(false);
    cluster.node(2).campaign();
    expect(read(cluster, 2, 'x')).toBe(false);
  });
});

describe('reads over several leaderships (thesis 6.4)', () => {
  test('an answer of an earlier leadership confirms nothing, though its round has the same number', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.drop = ({ kind }) => kind === MessageKind.heartbeatResp;
    read(cluster, 1, 'same');
    cluster.work(1);
    const [round] = cluster.inFlight(MessageKind.heartbeat, 2);
    cluster.settle();
    cluster.heal();
    cluster.elect(2);
    cluster.propose(2, 'x');
    cluster.settle();
    cluster.elect(1);
    cluster.isolate(1);
    read(cluster, 1, 'same');
    cluster.settle();
    expect(cluster.node(1).status().readsWaiting).toBe(1);
    for (const from of [2, 3]) {
      cluster
        .node(1)
        .step({ ...(round as Message), kind: MessageKind.heartbeatResp, from, to: 1, commit: 0 });
    }
    cluster.settle();
    expect(cluster.member(1).reads).toEqual([]);
  });

  test('a request that reaches a former leader goes on to the one that it follows now', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    const request = messageOf({ kind: MessageKind.readIndex, from: 3, to: 1, context: bytesOf('r') });
    cluster.elect(2);
    cluster.propose(2, 'x');
    cluster.settle();
    cluster.node(1).step(request);
    cluster.work(1);
    // It is bound to no term: what the one who asks knows of the term does not matter.
    expect(cluster.inFlight(MessageKind.readIndex)).toMatchObject([{ from: 3, to: 2, term: 0 }]);
    cluster.settle();
    expect(cluster.member(3).reads).toEqual([{ index: cluster.node(2).commitIndex, text: 'r' }]);
  });

  test('a request at a candidate is lost, and leaves nothing behind', () => {
    const cluster = new TestCluster(3);
    const { node } = cluster.member(1);
    node.campaign();
    const request = { kind: MessageKind.readIndex, from: 3, to: 1, context: bytesOf('r') };
    expect(node.step(messageOf(request))).toBe('ok');
    expect(node.status().readsWaiting).toBe(0);
  });
});

test('a leader takes so many reads and not one more; each of them is answered', () => {
  const limit = 65_536;
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  const context = bytesOf('r');
  let taken = 0;
  while (taken < limit && leader.readIndex(context)) taken++;
  expect(taken).toBe(limit);
  expect(leader.readIndex(context)).toBe(false);
  leader.step(messageOf({ kind: MessageKind.readIndex, from: 2, to: 1, context }));
  expect(leader.status().readsWaiting).toBe(limit);
  cluster.network = [];
  cluster.work(1);
  cluster.network = [];
  cluster.tick(1);
  cluster.settle();
  expect([cluster.member(1).reads.length, leader.status().readsWaiting]).toEqual([limit, 0]);
  expect(leader.readIndex(context)).toBe(true);
}, 30_000);

test('lease-based reads of followers go through the leader, and need no round either', () => {
  const cluster = new TestCluster(4, {
    config: { readOnly: 'lease-based', checkQuorum: true },
    learners: [4],
  });
  cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.settle();
  const heartbeats: number[] = [];
  cluster.drop = ({ kind, to }) => {
    if (kind === MessageKind.heartbeat) heartbeats.push(to);
    return false;
  };
  for (const id of [2, 4]) read(cluster, id, `of ${id}`);
  cluster.settle();
  for (const id of [2, 4]) expect(cluster.member(id).reads).toEqual([{ index: 2, text: `of ${id}` }]);
  expect(heartbeats).toEqual([]);
});

test('lease-based reads need no round, but the first commit of the term all the same', () => {
  const cluster = new TestCluster(3, { config: { readOnly: 'lease-based', checkQuorum: true } });
  cluster.drop = ({ kind }) => kind === MessageKind.app;
  cluster.elect(1);
  read(cluster, 1, 'x');
  cluster.work(1);
  expect(cluster.member(1).reads).toEqual([]);
  cluster.drop = () => false;
  cluster.tick(1);
  cluster.settle();
  expect(cluster.member(1).reads).toEqual([{ index: 1, text: 'x' }]);
  cluster.isolate(1);
  read(cluster, 1, 'y');
  cluster.work(1);
  expect(cluster.member(1).reads[1]).toEqual({ index: 1, text: 'y' });
});

describe('the queue of reads', () => {
  test('releases in order, up to the round that a quorum confirmed, and forgets what it released', () => {
    const queue = new ReadOnlyQueue();
    for (const letter of 'abc') queue.add(1, 0, bytesOf(letter));
    expect(queue.roundPending).toBe(3);
    expect(queue.release(0)).toEqual([]);
    expect(queue.release(2).map(({ round }) => round)).toEqual([1, 2]);
    expect(queue.count).toBe(1);
    expect(queue.release(Number.POSITIVE_INFINITY).length).toBe(1);
    expect(queue.roundPending).toBe(0);
  });

  test('acknowledges no round that was never asked, and none backwards', () => {
    const queue = new ReadOnlyQueue();
    queue.add(1, 0, bytesOf('a'));
    queue.acknowledge(2, 9);
    expect(queue.acknowledged(2)).toBe(0);
    queue.acknowledge(2, 1);
    queue.acknowledge(2, 0);
    expect(queue.acknowledged(2)).toBe(1);
  });

  test('rounds travel as eight bytes, and none as nothing', () => {
    expect(encodeRound(0).length).toBe(0);
    expect(new Reader(encodeRound(7)).u53()).toBe(7);
    for (const round of [1, 2 ** 32, 2 ** 53 - 1]) expect(decodeRound(encodeRound(round))).toBe(round);
    expect(decodeRound(new Uint8Array(7))).toBe(0);
    expect(decodeRound(new Uint8Array(8).fill(255))).toBe(0);
  });
});
