import { EMPTY_BYTES, EntryKind, InvariantError, MessageKind, type RaftId } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import type { ConfChange, ConfChangeKind, ConfChangeTransition } from './conf-change.ts';
import { LEAVE_JOINT } from './conf-change.ts';
import { MemoryStorage } from './memory-storage.ts';
import { bytesOf, confOf, TestCluster, TestMember } from './test-cluster.ts';

function change(
  transition: ConfChangeTransition,
  ...changes: readonly (readonly [ConfChangeKind, RaftId])[]
): ConfChange {
  return { transition, changes: changes.map(([kind, id]) => ({ kind, id })), context: EMPTY_BYTES };
}

function blank(id: RaftId, cluster: TestCluster): void {
  cluster.add(new TestMember(id, new MemoryStorage(), cluster.member(1).config));
}

describe('changes of membership (thesis chapter 4)', () => {
  test('one is under way at a time; a second one becomes an empty entry', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    expect(leader.proposeConfChange(change('auto', ['add-learner', 4])).accepted).toBe(true);
    expect(leader.proposeConfChange(change('auto', ['add-learner', 5]))).toMatchObject({
      accepted: false,
      reason: 'conf-change-pending',
    });
    expect(leader.lastIndex).toBe(3);
    cluster.settle();
    expect(leader.confState.learners).toEqual([4]);
    const kinds = cluster
      .member(2)
      .storage.all()
      .map(({ kind }) => kind);
    expect(kinds).toEqual([EntryKind.normal, EntryKind.confChangeV2, EntryKind.normal]);
    expect(leader.proposeConfChange(change('auto', ['add-learner', 5])).accepted).toBe(true);
  });

  test('a committed change counts as under way until it is applied', () => {
    const cluster = new TestCluster(1, { config: { asyncStorageWrites: true } });
    const leader = cluster.elect(1);
    leader.proposeConfChange(change('auto', ['add-learner', 4]));
    cluster.work(1);
    cluster.appendOne(1);
    cluster.work(1);
    expect([leader.commitIndex, leader.appliedIndex]).toEqual([2, 1]);
    expect(leader.proposeConfChange(change('auto', ['add-learner', 5])).accepted).toBe(false);
    cluster.settle();
    expect(leader.proposeConfChange(change('auto', ['add-learner', 5])).accepted).toBe(true);
  });

  test('a new leader waits until it has applied its log before it takes a change', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.work(1);
    cluster.deliver();
    cluster.deliver();
    cluster.work(3);
    cluster.network = [];
    expect([cluster.node(3).lastIndex, cluster.node(3).appliedIndex]).toEqual([2, 1]);
    cluster.drop = ({ kind }) => kind === MessageKind.app;
    const leader = cluster.elect(3);
    expect(leader.proposeConfChange(change('auto', ['add-learner', 4]))).toMatchObject({
      reason: 'conf-change-pending',
    });
  });

  test('joint and simple changes are refused where they do not fit, impossible ones before they enter the log', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    expect(leader.proposeConfChange(LEAVE_JOINT)).toMatchObject({ reason: 'conf-change-not-joint' });
    cluster.settle();
    leader.proposeConfChange(change('joint-explicit', ['remove', 3]));
    cluster.settle();
    expect(leader.proposeConfChange(change('auto', ['add-voter', 5]))).toMatchObject({
      reason: 'conf-change-joint',
    });
    cluster.settle();
    leader.proposeConfChange(LEAVE_JOINT);
    cluster.settle();
    expect(leader.confState).toEqual(confOf([1, 2]));
    const { lastIndex } = leader;
    const all = change('joint-implicit', ['remove', 1], ['remove', 2]);
    expect(leader.proposeConfChange(all)).toMatchObject({ reason: 'conf-change-impossible' });
    expect(leader.lastIndex).toBe(lastIndex);
    expect(() => leader.applyConfChange(all)).toThrow(InvariantError);
  });

  test('what no replica could read does not enter the log: so many operations are taken, and not one more', () => {
    for (const [count, taken] of [
      [256, true],
      [257, false],
    ] as const) {
      const cluster = new TestCluster(1);
      const leader = cluster.elect(1);
      const crossedOut = new Array(count).fill(['add-learner', 0] as const);
      expect(leader.proposeConfChange(change('joint-explicit', ...crossedOut)).accepted).toBe(taken);
      cluster.settle();
      expect(leader.lastIndex).toBe(taken ? 2 : 1);
    }
    const { node } = new TestCluster(1).member(1);
    node.campaign();
    for (const id of [-1, 0.5, 2 ** 53]) {
      expect(node.proposeConfChange(change('auto', ['add-voter', id]))).toMatchObject({
        reason: 'conf-change-impossible',
      });
    }
    const context = new Uint8Array((1 << 20) + 1);
    expect(node.proposeConfChange({ ...change('auto', ['update', 1]), context })).toMatchObject({
      reason: 'conf-change-impossible',
    });
  });

  test('a refused change that did not fit the limits leaves no change pending', () => {
    const cluster = new TestCluster(3, { config: { uncommittedBytesMax: 10 } });
    const leader = cluster.elect(1);
    cluster.isolate(1);
    cluster.propose(1, 'x'.repeat(10));
    cluster.settle();
    expect(leader.proposeConfChange(change('auto', ['add-learner', 4]))).toMatchObject({
      reason: 'overloaded',
    });
    expect(leader.status().pendingConfIndex).toBeLessThanOrEqual(1);
  });

  test('a blank node joins as a learner, catches up by snapshot and becomes a voter', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    cluster.propose(1, 'a', 'b');
    cluster.settle();
    cluster.member(1).compact();
    blank(4, cluster);
    leader.proposeConfChange(change('auto', ['add-learner', 4]));
    cluster.settle();
    cluster.member(1).compact();
    cluster.tick(1);
    cluster.settle();
    leader.reportSnapshot(4, true);
    cluster.tick(1);
    cluster.settle();
    leader.proposeConfChange(change('auto', ['add-voter', 4]), EntryKind.confChange);
    cluster.settle();
    expect(cluster.node(4).confState).toEqual(confOf([1, 2, 3, 4]));
    expect(cluster.member(4).state.digest).toBe(cluster.member(1).state.digest);
    cluster.elect(4);
  });

  test('the context of a change and operations that were crossed out pass through', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    leader.proposeConfChange({ ...change('auto', ['update', 2]), context: bytesOf('c') });
    cluster.settle();
    expect(leader.applyConfChange(change('auto', ['add-voter', 0]))).toEqual(confOf([1, 2, 3]));
  });

  test('a smaller quorum commits at once what it has', () => {
    const cluster = new TestCluster(2);
    const leader = cluster.elect(1);
    leader.proposeConfChange(change('auto', ['remove', 2]));
    cluster.propose(1, 'x');
    cluster.work(1);
    // The change reaches 2, the proposal behind it does not.
    cluster.deliver();
    cluster.network = [];
    cluster.settle();
    expect(leader.confState).toEqual(confOf([1]));
    expect(cluster.member(1).appliedTexts()).toEqual(['x']);
  });

  test('while joint a commit needs both majorities', () => {
    const cluster = new TestCluster(5, { voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    leader.proposeConfChange(
      change('joint-explicit', ['remove', 2], ['remove', 3], ['add-voter', 4], ['add-voter', 5]),
    );
    cluster.settle();
    expect(leader.confState).toMatchObject({ voters: [1, 4, 5], votersOutgoing: [1, 2, 3] });
    cluster.isolate(4);
    cluster.isolate(5);
    cluster.propose(1, 'x');
    cluster.settle();
    expect(cluster.member(1).appliedTexts()).toEqual([]);
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect(cluster.member(1).appliedTexts()).toEqual(['x']);
    cluster.isolate(2);
    cluster.isolate(3);
    cluster.propose(1, 'y');
    cluster.settle();
    expect(cluster.member(1).appliedTexts()).toEqual(['x']);
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect(cluster.member(1).appliedTexts()).toEqual(['x', 'y']);
  });
});

describe('leaving a joint configuration by itself (thesis 4.3)', () => {
  const joint = change('joint-implicit', ['add-learner', 4]);

  test('happens once the change is applied, and only once', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    leader.proposeConfChange(joint);
    cluster.propose(1, 'a');
    cluster.propose(1, 'b');
    cluster.settle();
    expect(leader.confState).toEqual(confOf([1, 2, 3], [4]));
    const ways = cluster
      .member(1)
      .storage.all()
      .filter(({ kind }) => kind !== EntryKind.normal);
    expect(ways.length).toBe(2);
  });

  test('waits for the pending conf index: entries applied on the way do not trigger it again', () => {
    const cluster = new TestCluster(1, { config: { committedBytesPerReadyMax: 1 } });
    const leader = cluster.elect(1);
    leader.proposeConfChange(joint);
    for (const text of ['a', 'b', 'c']) cluster.propose(1, text);
    cluster.settle();
    const ways = cluster
      .member(1)
      .storage.all()
      .filter(({ kind }) => kind !== EntryKind.normal);
    expect([ways.length, leader.confState.votersOutgoing]).toEqual([2, []]);
    // Nor does a refused way out leave empty entries behind.
    expect(leader.lastIndex).toBe(6);
  });

  test('is the business of the next leader if the first one is gone', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.node(1).proposeConfChange(joint);
    // The way out never leaves node 1.
    cluster.drop = ({ from, entries }) => from === 1 && entries.some(({ index }) => index > 2);
    cluster.settle();
    expect(cluster.node(2).confState.autoLeave).toBe(true);
    cluster.isolate(1);
    cluster.elect(2);
    cluster.settle();
    expect(cluster.node(2).confState).toEqual(confOf([1, 2, 3], [4]));
  });

  test('is tried again when a transfer that stood in its way has failed', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    cluster.isolate(3);
    leader.proposeConfChange(joint);
    leader.transferLeader(3);
    cluster.settle();
    expect(leader.confState.autoLeave).toBe(true);
    cluster.tick(1, 10);
    cluster.settle();
    expect(leader.confState).toEqual(confOf([1, 2, 3], [4]));
  });
});

describe('a leader that is removed (thesis 4.2.2)', () => {
  test('stays in charge without counting itself, takes no proposals, and probes nobody anew', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    leader.proposeConfChange(change('auto', ['remove', 1]));
    cluster.settle();
    expect([leader.role, leader.confState.voters, leader.promotable]).toEqual(['leader', [2, 3], false]);
    expect(cluster.propose(1, 'x')).toMatchObject({ accepted: false, reason: 'not-member' });
    cluster.tick(1);
    cluster.work(1);
    expect(cluster.inFlight(MessageKind.heartbeat).length).toBe(2);
  });

  test('does nothing more in the switch: it probes nobody on behalf of a group that it is no part of', () => {
    const cluster = new TestCluster(3, { config: { asyncStorageWrites: true } });
    const leader = cluster.elect(1);
    cluster.cut(1, 3);
    leader.proposeConfChange(change('auto', ['remove', 1]));
    while (cluster.work(1) || cluster.appendOne(1));
    cluster.deliver();
    while (cluster.work(2) || cluster.appendOne(2));
    cluster.deliver();
    while (cluster.work(1) || cluster.appendOne(1));
    // Committed and handed out. 3 is behind, and nothing stands against sending to it.
    expect([leader.commitIndex, cluster.member(1).applyWork.length]).toEqual([2, 1]);
    leader.reportUnreachable(3);
    expect(leader.status().progress.get(3)).toMatchObject({ state: 'probe', paused: false, next: 2 });
    cluster.applyOne(1);
    expect([leader.confState.voters, leader.hasReady()]).toEqual([[2, 3], false]);
  });

  test('does not take the group with it when nobody has heard of the commit', () => {
    const cluster = new TestCluster(2, { config: { preVote: true } });
    const leader = cluster.elect(2);
    // The commit of the change never reaches 1, an entry behind the change never gets to it at all.
    cluster.drop = ({ from, entries, commit }) =>
      from === 2 && (commit > 1 || entries.some(({ index }) => index > 2));
    leader.proposeConfChange(change('auto', ['remove', 2]));
    cluster.propose(2, 'behind');
    cluster.settle();
    expect([leader.confState.voters, cluster.node(1).confState.voters]).toEqual([[1], [1, 2]]);
    cluster.member(2).restart();
    cluster.heal();
    expect(cluster.node(2).lastIndex).toBeGreaterThan(cluster.node(1).lastIndex);
    for (let round = 0; round < 60; round++) {
      for (const id of [1, 2]) cluster.tick(id);
      cluster.settle();
    }
    expect([cluster.node(1).role, cluster.node(1).confState.voters]).toEqual(['leader', [1]]);
  });

  test('steps down as it applies the change, if it is configured so', () => {
    for (const kind of ['remove', 'add-learner'] as const) {
      const cluster = new TestCluster(3, { config: { stepDownOnRemoval: true } });
      const leader = cluster.elect(1);
      leader.proposeConfChange(change('auto', [kind, 1]));
      cluster.settle();
      expect([leader.role, leader.term, leader.leaderId]).toEqual(['follower', 1, 0]);
      leader.campaign();
      expect(leader.role).toBe('follower');
    }
  });
});
