import { EMPTY_BYTES, EntryKind, MessageKind, type RaftId } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import type { ConfChange, ConfChangeKind, ConfChangeTransition } from './conf-change.ts';
import { encodeConfChange, LEAVE_JOINT } from './conf-change.ts';
import { MemoryStorage } from './memory-storage.ts';
import { hear, take } from './test-alone.ts';
import { bytesOf, confOf, messageOf, TestCluster, TestMember } from './test-cluster.ts';
import { Tracker } from './tracker.ts';

function change(
  transition: ConfChangeTransition,
  ...changes: readonly (readonly [ConfChangeKind, RaftId])[]
): ConfChange {
  return { transition, changes: changes.map(([kind, id]) => ({ kind, id })), context: EMPTY_BYTES };
}

/** Leader 1 of {1, 4, 5} and, outgoing, {1, 2, 3}. */
function joint(config = {}): TestCluster {
  const cluster = new TestCluster(5, { voters: [1, 2, 3], config });
  const leader = cluster.elect(1);
  leader.proposeConfChange(
    change('joint-explicit', ['remove', 2], ['remove', 3], ['add-voter', 4], ['add-voter', 5]),
  );
  cluster.settle();
  expect(leader.confState).toMatchObject({ voters: [1, 4, 5], votersOutgoing: [1, 2, 3] });
  return cluster;
}

describe('while two configurations are in force, both majorities decide (paper 6, thesis 4.3)', () => {
  test('an election is won in both halves and lost in either', () => {
    // Incoming {1, 2, 3}, outgoing {3, 4, 5}; 1 campaigns.
    const conf = { ...confOf([1, 2, 3]), votersOutgoing: [3, 4, 5] };
    for (let granted = 0; granted < 16; granted++) {
      const storage = new MemoryStorage();
      storage.setConfState(conf);
      const member = new TestMember(1, storage, {});
      member.node.campaign();
      expect(take(member).map(({ to }) => to)).toEqual([2, 3, 4, 5]);
      const votes = new Map<RaftId, boolean>([[1, true]]);
      for (const [at, from] of [2, 3, 4, 5].entries()) {
        const yes = (granted & (1 << at)) !== 0;
        votes.set(from, yes);
        hear(member, { kind: MessageKind.voteResp, from, term: 1, reject: !yes });
      }
      const won = (half: readonly RaftId[]): boolean => half.filter((id) => votes.get(id)).length >= 2;
      expect(member.node.role, granted.toString(2)).toBe(
        won(conf.voters) && won(conf.votersOutgoing) ? 'leader' : 'follower',
      );
    }
  });

  test('a read is confirmed by both', () => {
    for (const [reached, answered] of [
      [[2, 4], true],
      [[2, 3], false],
      [[4, 5], false],
    ] as const) {
      const cluster = joint();
      for (const id of [2, 3, 4, 5]) if (!reached.some((other) => other === id)) cluster.isolate(id);
      cluster.node(1).readIndex(bytesOf('r'));
      cluster.settle();
      expect(cluster.member(1).reads.length, `${reached}`).toBe(answered ? 1 : 0);
    }
  });

  test('a member of the outgoing half only still leads, votes and is sent entries, until it is left', () => {
    const cluster = joint();
    cluster.elect(2);
    cluster.propose(2, 'x');
    cluster.settle();
    expect(cluster.member(3).appliedTexts()).toEqual(['x']);
    cluster.node(2).proposeConfChange(LEAVE_JOINT);
    cluster.settle();
    expect(cluster.node(2).confState).toEqual(confOf([1, 4, 5]));
    expect([...cluster.node(2).status().progress.keys()]).toEqual([1, 4, 5]);
    cluster.elect(4);
  });

  test('a voter that becomes a learner votes in the outgoing half until it is left', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    leader.proposeConfChange(change('joint-explicit', ['add-learner', 3]));
    cluster.settle();
    expect(leader.confState).toMatchObject({ voters: [1, 2], votersOutgoing: [1, 2, 3], learnersNext: [3] });
    expect(leader.status().progress.get(3)?.isLearner).toBe(false);
    expect(cluster.node(3).promotable).toBe(true);
    leader.proposeConfChange(LEAVE_JOINT);
    cluster.settle();
    expect(leader.confState).toEqual(confOf([1, 2], [3]));
    expect(leader.status().progress.get(3)).toMatchObject({ isLearner: true, match: leader.lastIndex });
    expect(cluster.node(3).promotable).toBe(false);
  });

  test('it is left by whoever leads, also after a restart in the middle', () => {
    const cluster = joint();
    for (const member of cluster.members.values()) member.restart();
    cluster.elect(3);
    expect(cluster.node(3).confState.votersOutgoing).toEqual([1, 2, 3]);
    cluster.node(3).proposeConfChange(LEAVE_JOINT);
    cluster.settle();
    expect([1, 3, 4, 5].map((id) => cluster.node(id).confState.votersOutgoing)).toEqual([[], [], [], []]);
  });
});

describe('members that come in (thesis 4.2)', () => {
  test('are sent something at once, and not with the next heartbeat', () => {
    const cluster = new TestCluster(3, { voters: [1, 2] });
    const leader = cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.settle();
    leader.proposeConfChange(change('auto', ['add-learner', 3]));
    const sent: number[] = [];
    cluster.drop = ({ to }) => {
      if (to === 3) sent.push(to);
      return false;
    };
    cluster.settle();
    expect(sent.length).toBeGreaterThan(0);
    expect(cluster.node(3).commitIndex).toBe(leader.commitIndex);
  });

  test('with an id that was a member before are new: what was known of its log is forgotten', () => {
    const tracker = new Tracker(10, 1_000);
    tracker.configure(confOf([1, 2]), [1, 2], 5);
    tracker.get(2)?.advance(5);
    tracker.configure(confOf([1, 2]), [], 7);
    expect(tracker.get(2)).toMatchObject({ match: 5 });
    tracker.configure(confOf([1, 2]), [2], 9);
    expect(tracker.get(2)).toMatchObject({ match: 0, next: 9, recentActive: true });
  });

  test('as learners do not hold up a commit, and as voters count from the moment of application on', () => {
    const cluster = new TestCluster(2, { voters: [1] });
    const leader = cluster.elect(1);
    cluster.isolate(2);
    leader.proposeConfChange(change('auto', ['add-learner', 2]));
    cluster.propose(1, 'a');
    cluster.settle();
    expect(cluster.member(1).appliedTexts()).toEqual(['a']);
    leader.proposeConfChange(change('auto', ['add-voter', 2]));
    cluster.propose(1, 'b');
    cluster.settle();
    // The change was committed by the old configuration, and so was what stood before its application.
    cluster.propose(1, 'c');
    cluster.settle();
    expect([leader.confState.voters, cluster.member(1).appliedTexts()]).toEqual([
      [1, 2],
      ['a', 'b'],
    ]);
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect(cluster.member(2).appliedTexts()).toEqual(['a', 'b', 'c']);
  });

  test('one after the other from one voter to five, and back to one', () => {
    const cluster = new TestCluster(5, { voters: [1] });
    let leader = cluster.elect(1);
    for (const id of [2, 3, 4, 5]) {
      leader.proposeConfChange(change('auto', ['add-voter', id]));
      cluster.settle();
    }
    expect(leader.confState).toEqual(confOf([1, 2, 3, 4, 5]));
    for (const id of [1, 2, 3, 4]) {
      const next = id + 1;
      cluster.node(leader.id).transferLeader(next);
      cluster.settle();
      leader = cluster.node(next);
      expect(leader.role).toBe('leader');
      leader.proposeConfChange(change('auto', ['remove', id]));
      cluster.settle();
    }
    expect(leader.confState).toEqual(confOf([5]));
    cluster.propose(5, 'alone');
    cluster.settle();
    expect(cluster.member(5).appliedTexts()).toEqual(['alone']);
  });

  test('adding a member twice, or removing a stranger, changes nothing', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    for (const kind of ['add-voter', 'add-voter'] as const) {
      leader.proposeConfChange(change('auto', [kind, 3]));
      cluster.settle();
    }
    leader.proposeConfChange(change('auto', ['remove', 9]));
    cluster.settle();
    expect(leader.confState).toEqual(confOf([1, 2, 3]));
    expect(leader.status().progress.get(3)?.match).toBe(leader.lastIndex);
  });
});

describe('two changes raced by leaders of different terms (the bug of single-server changes, 2015; R1)', () => {
  test('the one that only its leader has goes with its leadership, and no two majorities are apart', () => {
    const cluster = new TestCluster(5, { voters: [1, 2, 3, 4] });
    // Leader 1 adds 5; nobody but itself and 5 could ever hear of it.
    cluster.elect(1);
    for (const id of [2, 3, 4]) cluster.cut(1, id);
    cluster.node(1).proposeConfChange(change('auto', ['add-voter', 5]));
    cluster.settle();
    expect(cluster.node(1).confState.voters).toEqual([1, 2, 3, 4]); // In force when applied, not when appended.
    // Leader 2 of the next term removes 1.
    cluster.elect(2);
    expect(cluster.node(2).proposeConfChange(change('auto', ['remove', 1])).accepted).toBe(true);
    cluster.settle();
    expect(cluster.node(2).confState.voters).toEqual([2, 3, 4]);
    // 1 campaigns again with its change in the log; the old majority cannot come together.
    cluster.member(1).restart();
    expect(cluster.node(1).lastIndex).toBe(2);
    cluster.heal();
    cluster.isolate(2);
    cluster.node(1).campaign();
    cluster.settle();
    expect(cluster.node(1).role).not.toBe('leader');
    cluster.heal();
    for (let round = 0; round < 60; round++) {
      for (const id of [1, 2, 3, 4]) cluster.tick(id);
      cluster.settle();
    }
    const leaders = [1, 2, 3, 4].filter((id) => cluster.node(id).role === 'leader');
    expect(leaders.length).toBe(1);
    expect(cluster.node(leaders[0] as RaftId).confState).toEqual(confOf([2, 3, 4]));
  });

  test('a leader takes no change before it has applied all that it found in its log', () => {
    const cluster = new TestCluster(4);
    cluster.elect(1);
    cluster.node(1).proposeConfChange(change('auto', ['remove', 4]));
    // 2 has the change, and does not know that it is committed.
    cluster.drop = ({ from, commit }) => from === 1 && commit > 1;
    cluster.settle();
    cluster.isolate(1);
    cluster.drop = ({ from, entries }) => from === 2 && entries.length > 0;
    const leader = cluster.elect(2);
    expect([leader.confState.voters.length, leader.status().pendingConfIndex]).toEqual([4, 2]);
    expect(leader.proposeConfChange(change('auto', ['remove', 3]))).toMatchObject({
      reason: 'conf-change-pending',
    });
    cluster.drop = () => false;
    cluster.tick(2);
    cluster.settle();
    expect(leader.confState.voters).toEqual([1, 2, 3]);
    expect(leader.proposeConfChange(change('auto', ['remove', 3])).accepted).toBe(true);
  });
});

describe('changes that are passed on to the leader (thesis 6.2)', () => {
  test('are judged there: the first is taken, the second becomes an empty entry', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    expect(cluster.node(2).proposeConfChange(change('auto', ['add-learner', 4]))).toMatchObject({
      reason: 'forwarded',
      leader: 1,
    });
    cluster.node(3).proposeConfChange(change('auto', ['add-learner', 5]), EntryKind.confChange);
    cluster.settle();
    expect(cluster.node(1).confState).toEqual(confOf([1, 2, 3], [4]));
    expect(cluster.node(1).lastIndex).toBe(3);
  });

  test('may stand among data, and all of it is taken in order, or nothing where a change is no change', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    const entry = (kind: EntryKind, data: Uint8Array) => ({ index: 0, term: 0, kind, data });
    const add = encodeConfChange(change('auto', ['add-learner', 4]));
    const prop = { kind: MessageKind.prop, from: 2, to: 1 };
    const good = [
      entry(EntryKind.normal, bytesOf('a')),
      entry(EntryKind.confChangeV2, add),
      entry(EntryKind.normal, bytesOf('b')),
    ];
    const bad = [...good, entry(EntryKind.confChangeV2, bytesOf('?'))];
    expect(leader.step(messageOf({ ...prop, entries: bad }))).toBe('malformed');
    expect(leader.lastIndex).toBe(1);
    expect(leader.step(messageOf({ ...prop, entries: good }))).toBe('ok');
    cluster.settle();
    expect(cluster.member(3).appliedTexts()).toEqual(['a', 'b']);
    expect([leader.confState.learners, leader.lastIndex]).toEqual([[4], 4]);
  });

  test('are dropped by a leader that is handing over, and by nodes that know none', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    cluster.isolate(3);
    leader.transferLeader(3);
    const entries = [{ index: 0, term: 0, kind: EntryKind.normal, data: bytesOf('x') }];
    const prop = { kind: MessageKind.prop, from: 2, entries };
    expect(leader.step(messageOf({ ...prop, to: 1 }))).toBe('proposal-dropped');
    cluster.node(3).campaign();
    expect(cluster.node(3).step(messageOf({ ...prop, to: 3 }))).toBe('proposal-dropped');
  });

  test('go on from a follower that is asked by another one', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    const entries = [{ index: 0, term: 0, kind: EntryKind.normal, data: bytesOf('x') }];
    cluster.node(3).step(messageOf({ kind: MessageKind.prop, from: 2, to: 3, entries }));
    cluster.settle();
    expect(cluster.member(2).appliedTexts()).toEqual(['x']);
  });
});

test('a leader that removes itself leaves no gap longer than two election timeouts (R4)', () => {
  for (const stepDownOnRemoval of [true, false]) {
    const cluster = new TestCluster(3, {
      config: { preVote: true, checkQuorum: true, stepDownOnRemoval },
    });
    cluster.elect(1);
    cluster.node(1).proposeConfChange(change('auto', ['remove', 1]));
    cluster.settle();
    // Where it does not step down its host hands over, or it goes; here it goes.
    if (!stepDownOnRemoval) cluster.isolate(1);
    const leads = (id: number): boolean => cluster.node(id).role === 'leader';
    for (let rounds = 0; rounds < 20 && ![2, 3].some(leads); rounds++) {
      for (const id of [1, 2, 3]) cluster.tick(id);
      cluster.settle();
    }
    const leader = leads(2) ? 2 : 3;
    expect(leads(leader)).toBe(true);
    expect(cluster.node(leader).confState).toEqual(confOf([2, 3]));
    expect(cluster.propose(leader, 'on').accepted).toBe(true);
    cluster.settle();
    expect(cluster.member(5 - leader).appliedTexts()).toEqual(['on']);
  }
});
