import { EMPTY_BYTES, MessageKind, type RaftId } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { CAMPAIGN_TRANSFER } from './messages.ts';
import { ask, hear, lone, take } from './test-alone.ts';
import { messageOf, TestCluster } from './test-cluster.ts';

describe('leases and pre-vote (thesis 6.4, 9.6)', () => {
  test('the lease lasts the plain election timeout, however long the randomized one is', () => {
    const member = lone([1], 1, { checkQuorum: true, random: (limit: number) => limit - 1 });
    member.node.step(messageOf({ kind: MessageKind.heartbeat, from: 2, to: 1, term: 1 }));
    member.node.ready();
    member.node.advance();
    for (let ticks = 0; ticks < 9; ticks++) member.node.tick();
    expect(ask(member, 3, 2, 1, 1)).toBe('silent');
    expect(member.node.term).toBe(1);
    member.node.tick();
    expect(member.node.role).toBe('follower');
    expect(ask(member, 3, 2, 1, 1)).toBe('granted');
  });

  test('the vote request of a transfer passes the lease, a pre-vote request does not', () => {
    const member = lone([1], 1, { checkQuorum: true, preVote: true });
    member.node.step(messageOf({ kind: MessageKind.heartbeat, from: 2, to: 1, term: 1 }));
    member.node.ready();
    member.node.advance();
    expect(ask(member, 3, 2, 1, 1, MessageKind.preVote)).toBe('silent');
    member.node.step(
      messageOf({
        kind: MessageKind.vote,
        from: 3,
        to: 1,
        term: 2,
        logTerm: 1,
        index: 1,
        context: CAMPAIGN_TRANSFER,
      }),
    );
    expect([member.node.term, member.node.vote]).toEqual([2, 3]);
  });

  test('with pre-vote a node that was cut off does not depose the leader when it returns', () => {
    const cluster = new TestCluster(3, { config: { preVote: true, checkQuorum: true } });
    cluster.elect(1);
    cluster.isolate(3);
    for (let round = 0; round < 100; round++) {
      for (const id of [1, 2, 3]) cluster.tick(id);
      cluster.settle();
    }
    expect([cluster.node(3).role, cluster.node(3).term]).toEqual(['pre-candidate', 1]);
    cluster.heal();
    for (let round = 0; round < 30; round++) {
      for (const id of [1, 2, 3]) cluster.tick(id);
      cluster.settle();
    }
    expect([1, 2, 3].map((id) => cluster.node(id).leaderId)).toEqual([1, 1, 1]);
    expect(cluster.node(1).term).toBe(1);
  });

  test('a node stuck at a higher term frees itself through the answer to a heartbeat', () => {
    const cluster = new TestCluster(3, { config: { checkQuorum: true } });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.node(3).campaign();
    cluster.settle();
    expect(cluster.node(3).term).toBe(2);
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect([cluster.node(1).role, cluster.node(1).term]).toEqual(['follower', 2]);
    cluster.elect(1);
    expect(cluster.node(3).leaderId).toBe(1);
  });

  test('a pre-candidate learns the higher term of a voter that refuses it', () => {
    const cluster = new TestCluster(3, { config: { preVote: true } });
    cluster.member(2).storage.setHardState({ term: 7, vote: 0, commit: 0 });
    cluster.member(2).restart();
    cluster.node(1).campaign();
    cluster.settle();
    expect(cluster.node(1).term).toBe(7);
  });

  test('a leader without an active majority of voters steps down, learners do not help (thesis 6.2)', () => {
    const cluster = new TestCluster(5, { config: { checkQuorum: true }, learners: [4, 5] });
    cluster.elect(1);
    cluster.cut(1, 2);
    cluster.cut(1, 3);
    for (let round = 0; round < 21; round++) {
      cluster.tick(1);
      cluster.settle();
    }
    expect([cluster.node(1).role, cluster.node(1).leaderId]).toEqual(['follower', 0]);
  });

  test('a leader with an active majority stays', () => {
    const cluster = new TestCluster(5, { config: { checkQuorum: true } });
    cluster.elect(1);
    cluster.isolate(4);
    cluster.isolate(5);
    for (let round = 0; round < 50; round++) {
      cluster.tick(1);
      cluster.settle();
    }
    expect(cluster.node(1).role).toBe('leader');
  });
});

/** Everybody ticks, and all that follows happens, `rounds` times. */
function pass(cluster: TestCluster, rounds: number, ids: Iterable<RaftId> = cluster.members.keys()): void {
  const ticking = [...ids];
  for (let round = 0; round < rounds; round++) {
    for (const id of ticking) cluster.tick(id);
    cluster.settle();
  }
}

function leaders(cluster: TestCluster): readonly RaftId[] {
  return [...cluster.members.values()].filter(({ node }) => node.role === 'leader').map(({ id }) => id);
}

describe('pre-vote where not everybody is at the same term (thesis 9.6)', () => {
  test('a pre-vote of a lower term is refused with the own term, and a refusal is believed', () => {
    const member = lone([1], 7, { preVote: true });
    hear(member, { kind: MessageKind.preVote, term: 3, index: 9, logTerm: 2 });
    expect(take(member)).toMatchObject([{ kind: MessageKind.preVoteResp, term: 7, reject: true }]);
    member.node.campaign();
    take(member);
    hear(member, { kind: MessageKind.preVoteResp, term: 12, reject: true });
    expect([member.node.role, member.node.term]).toEqual(['follower', 12]);
  });

  test('a node that got to a higher term before pre-vote was on helps the others to elect a leader', () => {
    const cluster = new TestCluster(3, { config: { preVote: true } });
    cluster.isolate(3);
    cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.settle();
    // 3 has a short log and a high term: nobody would vote for it, and it would hear nobody of a lower term.
    cluster.member(3).storage.setHardState({ term: 5, vote: 3, commit: 0 });
    cluster.member(3).restart();
    cluster.heal();
    cluster.isolate(1);
    cluster.node(2).campaign();
    cluster.settle();
    expect([cluster.node(2).role, cluster.node(2).term]).toEqual(['follower', 5]);
    cluster.elect(2);
    expect([cluster.node(2).term, cluster.node(3).leaderId]).toEqual([6, 2]);
  });

  test('a node with a smaller term that comes back as the leader goes does not hold up the election', () => {
    const cluster = new TestCluster(3, { config: { preVote: true } });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.elect(2);
    cluster.elect(1);
    expect([1, 2, 3].map((id) => cluster.node(id).term)).toEqual([3, 3, 1]);
    cluster.node(3).campaign();
    cluster.heal();
    cluster.isolate(1);
    pass(cluster, 60, [2, 3]);
    expect(leaders(cluster).filter((id) => id !== 1).length).toBe(1);
    expect(cluster.node(2).term).toBe(cluster.node(3).term);
  });

  test('a split vote after two won pre-votes is settled in a later round', () => {
    const cluster = new TestCluster(3, { config: { preVote: true } });
    cluster.elect(1);
    cluster.isolate(1);
    for (const id of [2, 3]) cluster.node(id).campaign();
    cluster.settle();
    expect([2, 3].map((id) => cluster.node(id).term)).toEqual([2, 2]);
    expect(leaders(cluster)).toEqual([1]);
    pass(cluster, 60, [2, 3]);
    expect(leaders(cluster).length).toBe(2);
    expect(cluster.node(2).leaderId).toBe(cluster.node(3).leaderId);
    cluster.heal();
    pass(cluster, 2);
    expect(leaders(cluster)).toEqual([cluster.node(2).leaderId]);
  });
});

describe('check of the quorum (thesis 6.2)', () => {
  const config = { checkQuorum: true, preVote: true };

  test('a leader is replaced when a majority has missed it, and not while they hold its lease', () => {
    const cluster = new TestCluster(3, { config });
    cluster.elect(1);
    cluster.isolate(1);
    cluster.node(2).campaign();
    cluster.settle();
    // 3 has heard the leader lately.
    expect(leaders(cluster)).toEqual([1]);
    expect(cluster.node(2).role).toBe('pre-candidate');
    cluster.tick(3, 9);
    cluster.node(2).campaign();
    cluster.settle();
    expect(cluster.node(2).role).toBe('pre-candidate');
    // One tick later the lease is over, though the randomized timeout may not be.
    cluster.node(3).restartTimers();
    cluster.node(3).overrideElectionTimeout(20);
    cluster.tick(3, 10);
    cluster.node(2).campaign();
    cluster.settle();
    expect([cluster.node(2).role, cluster.node(3).leaderId]).toEqual(['leader', 2]);
  });

  test('a pre-candidate has no leader whose lease would stand against others', () => {
    const cluster = new TestCluster(3, { config });
    cluster.elect(1);
    cluster.isolate(1);
    cluster.node(2).campaign();
    cluster.node(3).campaign();
    cluster.settle();
    cluster.node(2).campaign();
    cluster.settle();
    expect(leaders(cluster).filter((id) => id !== 1).length).toBe(1);
  });

  test('both majorities have to answer a leader of a joint configuration (thesis 4.3)', () => {
    for (const [reached, role] of [
      [[2, 4], 'leader'],
      [[2, 3], 'follower'],
      [[4, 5], 'follower'],
    ] as const) {
      const cluster = new TestCluster(5, { config: { checkQuorum: true }, voters: [1, 2, 3] });
      const leader = cluster.elect(1);
      leader.proposeConfChange({
        transition: 'joint-explicit',
        changes: [
          { kind: 'remove', id: 2 },
          { kind: 'remove', id: 3 },
          { kind: 'add-voter', id: 4 },
          { kind: 'add-voter', id: 5 },
        ],
        context: EMPTY_BYTES,
      });
      cluster.settle();
      expect(leader.confState).toMatchObject({ voters: [1, 4, 5], votersOutgoing: [1, 2, 3] });
      cluster.tick(1, 10); // Whatever was heard until now no longer counts.
      cluster.settle();
      cluster.tick(1, 10);
      for (const id of [2, 3, 4, 5]) if (!reached.some((other) => other === id)) cluster.isolate(id);
      cluster.network = [];
      for (let round = 0; round < 9; round++) {
        cluster.tick(1);
        cluster.settle();
      }
      cluster.tick(1);
      cluster.settle();
      expect(leader.role, `${reached}`).toBe(role);
    }
  });

  test('a member that was just added counts as active: adding it does not fail the next check', () => {
    const cluster = new TestCluster(1, { config: { checkQuorum: true } });
    const leader = cluster.elect(1);
    cluster.tick(1, 9);
    leader.proposeConfChange({
      transition: 'auto',
      changes: [{ kind: 'add-voter', id: 2 }],
      context: EMPTY_BYTES,
    });
    cluster.settle();
    cluster.tick(1);
    expect(leader.role).toBe('leader');
    cluster.tick(1, 10); // Nobody is there, which the check after that notices.
    expect(leader.role).toBe('follower');
  });
});

describe('disruptive servers (thesis 4.2.3, 9.6)', () => {
  test('without pre-vote a node that was cut off deposes the leader by its term, but wins nothing', () => {
    const cluster = new TestCluster(3, { config: { checkQuorum: true } });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, 'a');
    pass(cluster, 25);
    expect(cluster.node(3).term).toBeGreaterThan(1);
    cluster.heal();
    pass(cluster, 60);
    const leader = leaders(cluster)[0] as RaftId;
    expect(cluster.node(leader).term).toBeGreaterThan(1);
    expect(leader).not.toBe(3);
    expect(cluster.member(3).appliedTexts()).toEqual(['a']);
  });

  test('a member that was removed and does not know it disturbs nobody, however long it campaigns (R5)', () => {
    const cluster = new TestCluster(4, { config: { checkQuorum: true, preVote: true } });
    const leader = cluster.elect(1);
    cluster.isolate(4);
    leader.proposeConfChange({
      transition: 'auto',
      changes: [{ kind: 'remove', id: 4 }],
      context: EMPTY_BYTES,
    });
    cluster.settle();
    expect([leader.confState.voters, cluster.node(4).confState.voters]).toEqual([
      [1, 2, 3],
      [1, 2, 3, 4],
    ]);
    cluster.heal();
    pass(cluster, 300);
    expect([leaders(cluster), leader.term, cluster.node(4).term]).toEqual([[1], 1, 1]);
    expect(cluster.propose(1, 'x').accepted).toBe(true);
    cluster.settle();
    expect(cluster.member(2).appliedTexts()).toEqual(['x']);
  });

  test('a member that knows that it was removed neither campaigns nor votes itself into the group', () => {
    const cluster = new TestCluster(3, { config: { checkQuorum: true, preVote: true } });
    const leader = cluster.elect(1);
    leader.proposeConfChange({
      transition: 'auto',
      changes: [{ kind: 'remove', id: 3 }],
      context: EMPTY_BYTES,
    });
    cluster.settle();
    // The leader stops sending to it as it applies the change, so it may be told by nobody; here it was.
    cluster.node(3).applyConfChange({
      transition: 'auto',
      changes: [{ kind: 'remove', id: 3 }],
      context: EMPTY_BYTES,
    });
    pass(cluster, 60);
    expect([leaders(cluster), cluster.node(3).role, cluster.node(3).term]).toEqual([[1], 'follower', 1]);
  });

  test('in one direction, too: who hears nobody but is heard keeps its term for a hundred timeouts (R23)', () => {
    const cluster = new TestCluster(3, { config: { checkQuorum: true, preVote: true } });
    cluster.elect(1);
    cluster.drop = ({ to }) => to === 3;
    pass(cluster, 1_500);
    expect([leaders(cluster), cluster.node(1).term, cluster.node(3).term]).toEqual([[1], 1, 1]);
    cluster.heal();
    pass(cluster, 2);
    expect([leaders(cluster), cluster.node(1).term, cluster.node(3).leaderId]).toEqual([[1], 1, 1]);
  });

  test('a learner with a huge term does not stop the group: it is deposed once and goes on', () => {
    const cluster = new TestCluster(4, { config: { checkQuorum: true, preVote: true }, learners: [4] });
    cluster.elect(1);
    cluster.isolate(4);
    cluster.member(4).storage.setHardState({ term: 1_000, vote: 0, commit: 1 });
    cluster.member(4).restart();
    cluster.heal();
    pass(cluster, 60);
    const [leader] = leaders(cluster);
    expect(leaders(cluster).length).toBe(1);
    expect(cluster.node(4)).toMatchObject({ term: cluster.node(leader as RaftId).term, leaderId: leader });
  });
});

test('forgetting the leader frees the vote, but never where reads rely on being remembered (thesis 6.4)', () => {
  for (const readOnly of ['safe', 'lease-based'] as const) {
    const member = lone([1], 1, { checkQuorum: true, readOnly });
    hear(member, { kind: MessageKind.heartbeat });
    take(member);
    member.node.forgetLeader();
    expect(member.node.leaderId).toBe(readOnly === 'safe' ? 0 : 2);
    expect(ask(member, 3, 2, 1, 1)).toBe(readOnly === 'safe' ? 'granted' : 'silent');
  }
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  leader.forgetLeader();
  expect([leader.role, leader.leaderId]).toEqual(['leader', 1]);
});
