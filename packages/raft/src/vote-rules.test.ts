import { InvariantError, MessageKind, type RaftId } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { Core } from './core.ts';
import type { Role } from './describe.ts';
import { MemoryStorage } from './memory-storage.ts';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts';
import { ask, hear, lone, take } from './test-alone.ts';
import { confOf, entryOf, messageOf, TEST_CONFIG, TestCluster, TestMember } from './test-cluster.ts';

/** Node 1 of {1, 2, 3} with the log [1, 2] in a role at term 3, or at term 4 where the role takes a campaign to get there. */
function inRole(role: Role): TestMember {
  const member = lone([1, 2], 3, { preVote: role === 'pre-candidate' });
  if (role === 'follower') return member;
  member.node.campaign();
  take(member);
  if (role === 'leader') hear(member, { kind: MessageKind.voteResp });
  take(member);
  expect(member.node.role).toBe(role);
  return member;
}

const ROLES: readonly Role[] = ['follower', 'pre-candidate', 'candidate', 'leader'];

/** Whether the own log [1, 2] lets a candidate pass whose log ends so (paper 5.4.1). */
const LOGS: readonly (readonly [logTerm: number, index: number, fresh: boolean])[] = [
  [2, 2, true],
  [2, 3, true],
  [3, 1, true],
  [2, 1, false],
  [1, 2, false],
  [1, 9, false],
];

describe('granting votes (paper figure 2, RequestVote; 5.2, 5.4.1)', () => {
  test('within a term: only to whom the vote went already, or to anybody while there is neither vote nor leader', () => {
    for (const vote of [0, 2, 3]) {
      for (const leader of [0, 2, 3]) {
        for (const [logTerm, index, fresh] of LOGS) {
          const storage = new MemoryStorage();
          storage.setConfState(confOf([1, 2, 3]));
          storage.append([entryOf(1, 1), entryOf(2, 2)]);
          storage.setHardState({ term: 3, vote, commit: 0 });
          const member = new TestMember(1, storage, {});
          if (leader !== 0) {
            hear(member, { kind: MessageKind.heartbeat, from: leader });
            take(member);
          }
          const may = fresh && (vote === 2 || (vote === 0 && leader === 0));
          const what = `vote ${vote}, leader ${leader}, log (${index}, ${logTerm})`;
          expect(ask(member, 2, 3, logTerm, index), what).toBe(may ? 'granted' : 'rejected');
          expect([member.node.vote, member.node.term], what).toEqual([may ? 2 : vote, 3]);
        }
      }
    }
  });

  test('of a higher term: in every role, to whoever has a log that is no older', () => {
    for (const role of ROLES) {
      for (const [logTerm, index, fresh] of LOGS) {
        const member = inRole(role);
        const behind = role === 'leader' && logTerm < 4; // It has an entry of its own term 4 by now.
        const granted = fresh && !behind;
        expect(ask(member, 2, 9, logTerm, index), `${role} (${index}, ${logTerm})`).toBe(
          granted ? 'granted' : 'rejected',
        );
        const { node } = member;
        expect([node.role, node.term, node.vote]).toEqual(['follower', 9, granted ? 2 : 0]);
      }
    }
  });

  test('a pre-vote is granted by the same logs, in every role, and changes nothing at all (thesis 9.6)', () => {
    for (const role of ROLES) {
      for (const [logTerm, index, fresh] of LOGS) {
        const member = inRole(role);
        member.node.tick();
        take(member);
        const before = JSON.stringify([member.node.status(), member.node.electionElapsed]);
        const granted = fresh && !(role === 'leader' && logTerm < 4);
        expect(ask(member, 2, 9, logTerm, index, MessageKind.preVote), `${role} (${index}, ${logTerm})`).toBe(
          granted ? 'granted' : 'rejected',
        );
        expect(JSON.stringify([member.node.status(), member.node.electionElapsed])).toBe(before);
      }
    }
  });

  test('a vote and a pre-vote carry the term that was asked about, a refusal the own one', () => {
    for (const kind of [MessageKind.vote, MessageKind.preVote]) {
      const granting = lone([1], 3);
      hear(granting, { kind, term: 7, index: 1, logTerm: 1 });
      expect(take(granting)[0]).toMatchObject({ term: 7, reject: false });
      const refusing = lone([1, 1], 3);
      hear(refusing, { kind, term: 7, index: 1, logTerm: 1 });
      expect(take(refusing)[0]).toMatchObject({ term: kind === MessageKind.vote ? 7 : 3, reject: true });
    }
  });

  test('nobody asks whether either side is a voter: the configuration here may be the older one', () => {
    const stranger = lone([1], 1);
    expect(ask(stranger, 77, 2, 1, 1)).toBe('granted');
    const outside = lone([1], 1, {}, [2, 3]);
    expect(ask(outside, 2, 2, 1, 1)).toBe('granted');
  });
});

describe('one vote per term, also after a change of role (paper 5.2)', () => {
  test('a pre-candidate that hears the leader of its term keeps its vote: the term has a leader already', () => {
    const member = lone([1], 1, { preVote: true });
    expect(ask(member, 2, 2, 1, 1)).toBe('granted');
    member.node.campaign();
    expect(member.node.role).toBe('pre-candidate');
    hear(member, { kind: MessageKind.heartbeat });
    take(member);
    expect([member.node.role, member.node.term, member.node.vote]).toEqual(['follower', 2, 2]);
    member.node.forgetLeader();
    // Were the vote free again, 3 would lead term 2 as well.
    expect(ask(member, 3, 2, 1, 1)).toBe('rejected');
  });

  test('a candidate that conceded to the leader of its term votes for nobody else in it', () => {
    const member = lone([1], 1);
    member.node.campaign();
    take(member);
    hear(member, { kind: MessageKind.app, from: 3, index: 1, logTerm: 1 });
    take(member);
    member.node.forgetLeader();
    expect([member.node.role, member.node.vote]).toEqual(['follower', 1]);
    expect(ask(member, 2, 2, 5, 5)).toBe('rejected');
    expect(ask(member, 2, 3, 5, 5)).toBe('granted');
  });

  test('a leader that steps down within its term votes for nobody else in it', () => {
    const member = lone([1], 1, { checkQuorum: true });
    member.node.campaign();
    take(member);
    hear(member, { kind: MessageKind.voteResp });
    take(member);
    for (let ticks = 0; ticks < 20; ticks++) member.node.tick();
    take(member);
    expect([member.node.role, member.node.term, member.node.leaderId]).toEqual(['follower', 2, 0]);
    expect(ask(member, 2, 2, 5, 5)).toBe('rejected');
  });

  test('a request that comes late, of a term that is over, is not answered', () => {
    const member = lone([1], 5);
    expect(ask(member, 2, 4, 9, 9)).toBe('silent');
    expect([member.node.term, member.node.vote]).toEqual([5, 0]);
  });
});

describe('counting votes (paper 5.2)', () => {
  test('a candidate of one to seven voters leads with a majority, fails without, and waits while it is open', () => {
    for (let size = 1; size <= 7; size++) {
      const voters = Array.from({ length: size }, (_, at) => at + 1);
      const majority = Math.floor(size / 2) + 1;
      for (let granted = 0; granted < size; granted++) {
        for (let refused = 0; granted + refused < size; refused++) {
          const member = lone([1], 1, {}, voters);
          member.node.campaign();
          take(member); // The own vote.
          for (let from = 2; from <= 1 + granted + refused; from++) {
            hear(member, { kind: MessageKind.voteResp, from, term: 2, reject: from > 1 + granted });
          }
          const role =
            granted + 1 >= majority ? 'leader' : refused > size - majority ? 'follower' : 'candidate';
          expect(member.node.role, `${size} voters, ${granted} for, ${refused} against`).toBe(role);
          expect(member.node.term).toBe(2);
        }
      }
    }
  });

  test('answers of an earlier election, and repeated ones, elect nobody', () => {
    const member = lone([1], 1, {}, [1, 2, 3, 4, 5]);
    member.node.campaign();
    take(member);
    member.node.campaign();
    take(member);
    expect([member.node.role, member.node.term]).toEqual(['candidate', 3]);
    for (const from of [2, 3, 4, 5]) hear(member, { kind: MessageKind.voteResp, from, term: 2 });
    expect(member.node.role).toBe('candidate');
    for (let repeat = 0; repeat < 3; repeat++) hear(member, { kind: MessageKind.voteResp, from: 2 });
    expect(member.node.role).toBe('candidate');
    hear(member, { kind: MessageKind.voteResp, from: 3 });
    expect(member.node.role).toBe('leader');
  });

  test('the own vote that becomes durable after the election was lost does not revive it', () => {
    for (const preVote of [false, true]) {
      const member = lone([1], 1, { preVote, asyncStorageWrites: true });
      member.node.campaign();
      const order = member.node.ready().messages.find(({ kind }) => kind === MessageKind.storageAppend);
      const own = order?.responses.find(({ to }) => to === 1);
      expect(own?.kind).toBe(preVote ? MessageKind.preVoteResp : MessageKind.voteResp);
      hear(member, { kind: MessageKind.heartbeat, from: 3 });
      for (const response of order?.responses ?? []) member.node.step(response);
      const kind = preVote ? MessageKind.preVoteResp : MessageKind.voteResp;
      hear(member, { kind, from: 2, term: 2 });
      expect([member.node.role, member.node.leaderId, member.node.term]).toEqual([
        'follower',
        3,
        preVote ? 1 : 2,
      ]);
    }
  });

  test('votes of learners and strangers count for nothing', () => {
    const storage = new MemoryStorage();
    storage.setConfState(confOf([1, 2, 3], [4, 5]));
    const member = new TestMember(1, storage, {});
    member.node.campaign();
    take(member);
    for (const from of [4, 5]) hear(member, { kind: MessageKind.voteResp, from });
    const vote = { kind: MessageKind.voteResp, from: 6, to: 1, term: 1 };
    expect(member.node.step(messageOf(vote))).toBe('unknown-peer');
    expect(member.node.role).toBe('candidate');
  });
});

describe('two candidates (paper 5.2)', () => {
  function duel(preVote: boolean): TestCluster {
    const cluster = new TestCluster(3, { config: { preVote } });
    cluster.cut(1, 3);
    for (const id of [1, 3]) cluster.node(id).campaign();
    cluster.settle();
    expect(cluster.node(1).role).toBe('leader'); // 2 heard it first.
    cluster.heal();
    return cluster;
  }

  test('one wins, and the other one never wins with a shorter log, but raises the term', () => {
    const cluster = duel(false);
    cluster.node(3).campaign();
    cluster.settle();
    expect([1, 2, 3].map((id) => cluster.node(id).role)).toEqual(['follower', 'follower', 'follower']);
    expect([1, 2, 3].map((id) => cluster.node(id).term)).toEqual([2, 2, 2]);
    expect([1, 2, 3].map((id) => cluster.node(id).lastIndex)).toEqual([1, 1, 0]);
  });

  test('with pre-vote the one with the shorter log does not even raise the term (thesis 9.6)', () => {
    const cluster = duel(true);
    cluster.node(3).campaign();
    cluster.settle();
    expect([1, 2, 3].map((id) => cluster.node(id).role)).toEqual(['leader', 'follower', 'follower']);
    expect([1, 2, 3].map((id) => cluster.node(id).term)).toEqual([1, 1, 1]);
  });
});

test('any member of a healthy group can follow any other one as leader (paper 5.2)', () => {
  for (const preVote of [false, true]) {
    const cluster = new TestCluster(3, { config: { preVote } });
    for (const id of [1, 2, 3, 2, 1, 3]) {
      cluster.elect(id);
      cluster.propose(id, `of ${id}`);
      cluster.settle();
      const leaders = [1, 2, 3].filter((other) => cluster.node(other).role === 'leader');
      expect(leaders).toEqual([id]);
    }
    expect(cluster.member(2).appliedTexts().length).toBe(6);
  }
});

test('a higher term makes every role a follower that has kept its log (paper 5.1)', () => {
  for (const role of ROLES) {
    for (const kind of [MessageKind.vote, MessageKind.app] as const) {
      const member = inRole(role);
      const { lastIndex } = member.node;
      const entry = kind === MessageKind.app ? { index: 2, logTerm: 2 } : {};
      hear(member, { kind, term: 9, ...entry });
      const { node } = member;
      const leader = kind === MessageKind.app ? 2 : 0;
      expect([node.role, node.term, node.leaderId, node.lastIndex]).toEqual([
        'follower',
        9,
        leader,
        lastIndex,
      ]);
    }
  }
});

test('roles change only along the arrows of the paper (figure 4), and the term never goes back', () => {
  const arrow: Readonly<Record<string, (core: Core) => void>> = {
    follower: (core) => becomeFollower(core, core.term, 0),
    'pre-candidate': becomePreCandidate,
    candidate: becomeCandidate,
    leader: becomeLeader,
  };
  const reached = (from: Role): Core => {
    const storage = new MemoryStorage();
    storage.setConfState(confOf([1, 2, 3]));
    storage.setHardState({ term: 1, vote: 0, commit: 0 });
    const core = new Core({ ...TEST_CONFIG, id: 1, storage, applied: 0, random: () => 0 });
    if (from === 'leader') becomeCandidate(core);
    arrow[from]?.(core);
    return core;
  };
  const allowed: Readonly<Record<Role, readonly Role[]>> = {
    follower: ['follower', 'pre-candidate', 'candidate'],
    'pre-candidate': ['follower', 'pre-candidate', 'candidate'],
    candidate: ['follower', 'pre-candidate', 'candidate', 'leader'],
    leader: ['follower'],
  };
  for (const from of ROLES) {
    for (const to of ROLES) {
      const core = reached(from);
      const { term } = core;
      if (!allowed[from].includes(to)) {
        expect(() => arrow[to]?.(core), `${from} to ${to}`).toThrow(InvariantError);
        continue;
      }
      arrow[to]?.(core);
      const leaderId: RaftId = to === 'leader' ? 1 : 0;
      expect([core.role, core.term, core.leaderId], `${from} to ${to}`).toEqual([
        to,
        to === 'candidate' ? term + 1 : term,
        leaderId,
      ]);
      expect(() => becomeFollower(core, core.term - 1, 0)).toThrow(InvariantError);
    }
  }
});
