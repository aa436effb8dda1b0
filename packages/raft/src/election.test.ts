import { EMPTY_BYTES, EntryKind, InvariantError, MessageKind, Prng, Writer } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { encodeConfChange } from './conf-change.ts';
import { MemoryStorage } from './memory-storage.ts';
import { RaftNode } from './node.ts';
import { ask, lone } from './test-alone.ts';
import { confOf, entryOf, messageOf, TEST_CONFIG, TestCluster, TestMember } from './test-cluster.ts';

describe('one vote per term (paper 5.2)', () => {
  test('the first candidate of a term gets the vote, a second one does not, the first may ask again', () => {
    const member = lone([1], 1);
    expect(ask(member, 2, 2, 1, 1)).toBe('granted');
    expect(ask(member, 3, 2, 1, 1)).toBe('rejected');
    expect(ask(member, 2, 2, 1, 1)).toBe('granted');
    expect(member.node.vote).toBe(2);
    expect(ask(member, 3, 3, 1, 1)).toBe('granted');
  });

  test('the vote survives a restart', () => {
    const cluster = new TestCluster(3);
    cluster.isolate(3);
    cluster.elect(2);
    const member = cluster.member(1);
    expect(member.node.vote).toBe(2);
    member.restart();
    expect([member.node.term, member.node.vote]).toEqual([1, 2]);
    expect(ask(member, 3, 1, 1, 5)).toBe('rejected');
  });

  test('a vote is not given against a known leader of the term', () => {
    const member = lone([1], 1);
    member.node.step(messageOf({ kind: MessageKind.heartbeat, from: 2, to: 1, term: 2 }));
    expect(member.node.vote).toBe(0);
    expect(ask(member, 3, 2, 1, 1)).toBe('rejected');
    member.node.forgetLeader();
    expect(ask(member, 3, 2, 1, 1)).toBe('granted');
  });

  test('falling back to follower within the term keeps the vote: two leaders of one term else', () => {
    const member = lone([1], 1);
    member.node.campaign();
    member.node.ready();
    member.node.advance();
    expect(member.node.role).toBe('candidate');
    for (const from of [2, 3]) {
      member.node.step(messageOf({ kind: MessageKind.voteResp, from, to: 1, term: 2, reject: true }));
    }
    expect([member.node.role, member.node.term, member.node.vote]).toEqual(['follower', 2, 1]);
    expect(ask(member, 2, 2, 5, 5)).toBe('rejected');
  });

  test('a pre-candidate keeps the vote of its term, and pre-votes do not use it up (thesis 9.6)', () => {
    const member = lone([1], 1, { preVote: true });
    expect(ask(member, 2, 2, 1, 1)).toBe('granted');
    member.node.campaign();
    expect([member.node.role, member.node.term, member.node.vote]).toEqual(['pre-candidate', 2, 2]);
    expect(ask(member, 3, 2, 1, 1)).toBe('rejected');
    expect(ask(member, 3, 3, 1, 1, MessageKind.preVote)).toBe('granted');
    expect(ask(member, 2, 3, 1, 1, MessageKind.preVote)).toBe('granted');
    expect([member.node.term, member.node.vote]).toEqual([2, 2]);
  });
});

test('a vote starts the timer anew, a refusal and a pre-vote do not: the candidate gets its chance', () => {
  const elapsed = (kind: MessageKind, index: number): number => {
    const member = lone([1], 1);
    for (let ticks = 0; ticks < 7; ticks++) member.node.tick();
    member.node.step(messageOf({ kind: MessageKind.heartbeatResp, from: 2, to: 1, term: 2 }));
    for (let ticks = 0; ticks < 7; ticks++) member.node.tick();
    ask(member, 2, kind === MessageKind.vote ? 2 : 3, 1, index, kind);
    return member.node.electionElapsed;
  };
  expect(elapsed(MessageKind.vote, 1)).toBe(0);
  expect(elapsed(MessageKind.vote, 0)).toBe(7);
  expect(elapsed(MessageKind.preVote, 1)).toBe(7);
});

test('a voter never helps a candidate whose log is behind its own (paper 5.4.1)', () => {
  const table: readonly (readonly [number, number, string])[] = [
    [2, 2, 'granted'],
    [2, 9, 'granted'],
    [3, 1, 'granted'],
    [2, 1, 'rejected'],
    [1, 9, 'rejected'],
  ];
  for (const [logTerm, index, answer] of table) {
    expect(ask(lone([1, 2], 2), 2, 3, logTerm, index)).toBe(answer);
    expect(ask(lone([1, 2], 2), 2, 3, logTerm, index, MessageKind.preVote)).toBe(answer);
  }
});

test('while joint an election needs both majorities (thesis 4.3)', () => {
  const joint = { ...confOf([1, 2, 3]), votersOutgoing: [3, 4, 5] };
  const storage = new MemoryStorage();
  storage.setConfState(joint);
  const { node } = new TestMember(1, storage, {});
  node.campaign();
  node.ready();
  node.advance();
  const vote = (from: number): void => {
    node.step(messageOf({ kind: MessageKind.voteResp, from, to: 1, term: 1 }));
  };
  vote(2);
  vote(3);
  expect(node.role).toBe('candidate');
  vote(4);
  expect(node.role).toBe('leader');
});

test('a joint election is lost with one of the two majorities (thesis 4.3)', () => {
  const storage = new MemoryStorage();
  storage.setConfState({ ...confOf([1, 2, 3]), votersOutgoing: [3, 4, 5] });
  const { node } = new TestMember(1, storage, {});
  node.campaign();
  for (const from of [4, 5]) {
    node.step(messageOf({ kind: MessageKind.voteResp, from, to: 1, term: 1, reject: true }));
  }
  expect(node.role).toBe('follower');
});

test('the first answer of a voter counts, later ones do not (paper 5.2)', () => {
  const member = lone([1], 1);
  member.node.campaign();
  member.node.ready();
  member.node.advance(); // The own vote counts.
  const answer = (from: number, reject: boolean): void => {
    member.node.step(messageOf({ kind: MessageKind.voteResp, from, to: 1, term: 2, reject }));
  };
  answer(2, true);
  answer(2, false);
  answer(2, false);
  expect(member.node.role).toBe('candidate');
});

test('a late own pre-vote is no vote for the election that followed (thesis 9.6)', () => {
  const storage = new MemoryStorage();
  storage.setConfState(confOf([1, 2, 3]));
  const { node } = new TestMember(1, storage, { preVote: true, asyncStorageWrites: true });
  node.campaign();
  const own = node.ready().messages.find(({ kind }) => kind === MessageKind.storageAppend)?.responses[0];
  node.step(messageOf({ kind: MessageKind.preVoteResp, from: 2, to: 1, term: 1 }));
  node.step(messageOf({ kind: MessageKind.preVoteResp, from: 3, to: 1, term: 1 }));
  expect([node.role, node.term]).toEqual(['candidate', 1]);
  expect(own?.kind).toBe(MessageKind.preVoteResp);
  if (own !== undefined) node.step(own);
  node.step(messageOf({ kind: MessageKind.voteResp, from: 2, to: 1, term: 1 }));
  // Two votes would be a majority; the pre-vote must not be one of them.
  expect(node.role).toBe('candidate');
});

test('a candidate counts its own vote only once it is durable (paper figure 2)', () => {
  const storage = new MemoryStorage();
  storage.setConfState(confOf([1]));
  const { node } = new TestMember(1, storage, { asyncStorageWrites: true });
  node.campaign();
  const order = node.ready().messages[0];
  expect([node.role, order?.kind, order?.vote]).toEqual(['candidate', MessageKind.storageAppend, 1]);
  for (const response of order?.responses ?? []) node.step(response);
  expect(node.role).toBe('leader');
});

test('nobody leads a term that its own disk does not know, whoever else votes for it', () => {
  const storage = new MemoryStorage();
  storage.setConfState(confOf([1, 2, 3]));
  const { node } = new TestMember(1, storage, { asyncStorageWrites: true });
  node.campaign();
  const order = node.ready().messages.find(({ kind }) => kind === MessageKind.storageAppend);
  for (const from of [2, 3]) {
    node.step(messageOf({ kind: MessageKind.voteResp, from, to: 1, term: 1 }));
    expect(node.role).toBe('candidate');
  }
  for (const response of order?.responses ?? []) node.step(response);
  expect(node.role).toBe('leader');
});

describe('who may campaign (thesis 4.1, 4.2)', () => {
  test('a learner and a node outside of its configuration do not', () => {
    for (const conf of [confOf([2, 3], [1]), confOf([2, 3])]) {
      const storage = new MemoryStorage();
      storage.setConfState(conf);
      const { node } = new TestMember(1, storage, {});
      node.campaign();
      for (let ticks = 0; ticks < 50; ticks++) node.tick();
      node.step(messageOf({ kind: MessageKind.timeoutNow, from: 2, to: 1, term: 1 }));
      expect(node.role).toBe('follower');
      expect(node.hasReady() && node.ready().messages.length > 0).toBe(false);
    }
  });

  test('a learner votes all the same: its configuration may be the older one', () => {
    const storage = new MemoryStorage();
    storage.setConfState(confOf([2, 3], [1]));
    expect(ask(new TestMember(1, storage, {}), 2, 1, 0, 0)).toBe('granted');
  });

  test('a node that waits for the installation of a snapshot does not', () => {
    const member = lone([1], 1);
    member.node.step(
      messageOf({
        kind: MessageKind.snap,
        from: 2,
        to: 1,
        term: 1,
        snapshot: { index: 5, term: 1, confState: confOf([1, 2, 3]), data: EMPTY_BYTES },
      }),
    );
    member.node.campaign();
    expect([member.node.role, member.node.promotable]).toEqual(['follower', false]);
    const ready = member.node.ready();
    member.node.campaign();
    expect(member.node.role).toBe('follower');
    member.persist(ready.hardState, ready.snapshot, ready.entries);
    member.node.advance();
    member.node.campaign();
    expect(member.node.role).toBe('candidate');
  });

  test('a node with a committed change of membership that it has not applied does not', () => {
    const change = encodeConfChange({
      transition: 'auto',
      changes: [{ kind: 'add-voter', id: 4 }],
      context: EMPTY_BYTES,
    });
    for (const [commit, role] of [
      [2, 'follower'],
      [1, 'candidate'],
    ] as const) {
      const storage = new MemoryStorage();
      storage.setConfState(confOf([1, 2, 3]));
      storage.append([entryOf(1, 1), { ...entryOf(2, 1), kind: EntryKind.confChangeV2, data: change }]);
      storage.setHardState({ term: 1, vote: 0, commit });
      const { node } = new TestMember(1, storage, {});
      node.campaign();
      expect(node.role).toBe(role);
    }
  });

  test('a leader ignores the wish to campaign', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    leader.campaign();
    expect([leader.role, leader.term]).toEqual(['leader', 1]);
  });
});

describe('election timeouts (paper 5.2)', () => {
  test('they are drawn from [T, 2T), all of them, and drawn anew with each campaign', () => {
    const prng = new Prng(1);
    const storage = new MemoryStorage();
    storage.setConfState(confOf([1, 2, 3]));
    const node = new RaftNode({
      ...TEST_CONFIG,
      id: 1,
      storage,
      applied: 0,
      random: (limit) => prng.below(limit),
    });
    const seen = new Set<number>();
    for (let round = 0; round < 400; round++) {
      const { term } = node;
      let ticks = 0;
      while (node.term === term) {
        node.tick();
        ticks++;
      }
      seen.add(ticks);
    }
    expect([...seen].sort((left, right) => left - right)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  test('a live leader keeps its followers from campaigning', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    for (let round = 0; round < 60; round++) {
      for (const id of [1, 2, 3]) cluster.tick(id);
      cluster.settle();
    }
    expect([cluster.node(1).role, cluster.node(1).term]).toEqual(['leader', 1]);
  });
});

describe('messages of other terms (paper 5.1)', () => {
  test('a higher term makes every role a follower, without a leader unless a leader sent it', () => {
    for (const kind of [MessageKind.vote, MessageKind.app, MessageKind.heartbeatResp] as const) {
      const cluster = new TestCluster(3);
      const leader = cluster.elect(1);
      const index = kind === MessageKind.app ? 1 : 0;
      leader.step(messageOf({ kind, from: 2, to: 1, term: 5, index, logTerm: index }));
      expect([leader.role, leader.term]).toEqual(['follower', 5]);
      expect(leader.leaderId).toBe(kind === MessageKind.app ? 2 : 0);
    }
  });

  test('a lower term is ignored, and changes nothing', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.elect(2);
    const follower = cluster.node(3);
    const before = [follower.lastIndex, follower.commitIndex, follower.leaderId];
    follower.step(
      messageOf({
        kind: MessageKind.app,
        from: 1,
        to: 3,
        term: 1,
        index: 1,
        logTerm: 1,
        entries: [entryOf(2, 1, 'old')],
        commit: 2,
      }),
    );
    expect([follower.lastIndex, follower.commitIndex, follower.leaderId]).toEqual(before);
    expect(follower.hasReady()).toBe(false);
  });

  test('a candidate that hears the leader of its term concedes', () => {
    const member = lone([1], 1);
    member.node.campaign();
    member.node.step(
      messageOf({
        kind: MessageKind.app,
        from: 2,
        to: 1,
        term: 2,
        index: 1,
        logTerm: 1,
        entries: [entryOf(2, 2)],
      }),
    );
    expect([member.node.role, member.node.leaderId, member.node.lastIndex]).toEqual(['follower', 2, 2]);
  });
});

test('a refusal of a vote tells the commit index, which counts only where the log has that very entry', () => {
  const told = (index: number, term: number): number => {
    const member = lone([1, 1, 2], 2);
    member.node.campaign();
    const out = new Writer(16);
    out.u53(index);
    out.u53(term);
    const refusal = { kind: MessageKind.voteResp, from: 2, to: 1, term: 3, reject: true };
    expect(member.node.step(messageOf({ ...refusal, context: out.finish() }))).toBe('ok');
    return member.node.commitIndex;
  };
  expect(told(2, 1)).toBe(2);
  expect(told(3, 2)).toBe(3);
  expect(told(3, 1)).toBe(0);
  expect(told(4, 2)).toBe(0);
});

test('the border refuses what no correct node sends, and nothing throws', () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  const follower = cluster.node(2);
  const before = JSON.stringify(follower.status());
  const refused = (fields: Parameters<typeof messageOf>[0]): string => follower.step(messageOf(fields));
  expect(refused({ kind: MessageKind.hup, from: 1, to: 2 })).toBe('local-message');
  expect(refused({ kind: MessageKind.checkQuorum, from: 1, to: 2, term: 9 })).toBe('local-message');
  expect(refused({ kind: MessageKind.appResp, from: 9, to: 2, term: 9 })).toBe('unknown-peer');
  expect(refused({ kind: MessageKind.app, from: 1, to: 3, term: 9 })).toBe('malformed');
  expect(refused({ kind: MessageKind.app, from: 1, to: 2, term: 0 })).toBe('malformed');
  expect(refused({ kind: MessageKind.vote, from: 0, to: 2, term: 9, logTerm: 9 })).toBe('malformed');
  expect(refused({ kind: MessageKind.snap, from: 1, to: 2, term: 9 })).toBe('malformed');
  expect(refused({ kind: MessageKind.prop, from: 3, to: 2 })).toBe('malformed');
  const gap = [entryOf(2, 1), entryOf(4, 1)];
  expect(
    refused({ kind: MessageKind.app, from: 1, to: 2, term: 9, index: 1, logTerm: 1, entries: gap }),
  ).toBe('malformed');
  const falling = [entryOf(2, 3), entryOf(3, 2)];
  expect(
    refused({ kind: MessageKind.app, from: 1, to: 2, term: 9, index: 1, logTerm: 1, entries: falling }),
  ).toBe('malformed');
  expect(refused({ kind: MessageKind.heartbeat, from: 1, to: 2, term: 1, commit: 99 })).toBe('inconsistent');
  expect(JSON.stringify(follower.status())).toBe(before);
  expect(leader.step(messageOf({ kind: MessageKind.appResp, from: 2, to: 1, term: 1, index: 99 }))).toBe(
    'inconsistent',
  );
  expect(leader.step(messageOf({ kind: MessageKind.app, from: 2, to: 1, term: 1 }))).toBe('inconsistent');
  expect(leader.role).toBe('leader');
});

test('ids, terms and indexes are safe integers, and a term is left to campaign in', () => {
  const { node } = lone([1], 1);
  const heartbeat = { kind: MessageKind.heartbeat, from: 2, to: 1, term: 2 };
  for (const wrong of [Number.NaN, -1, 0.5, 2 ** 53, Number.POSITIVE_INFINITY]) {
    for (const field of ['term', 'index', 'logTerm', 'commit', 'rejectHint', 'from'] as const) {
      // Ids below 0 are those of the storage threads, which no message from outside has.
      if (field === 'from' && wrong === -1) continue;
      expect(node.step(messageOf({ ...heartbeat, [field]: wrong })), `${field} ${wrong}`).toBe('malformed');
    }
    const entries = [entryOf(2, wrong)];
    const append = { kind: MessageKind.app, from: 2, to: 1, term: 2, index: 1, logTerm: 1, entries };
    expect(node.step(messageOf(append)), `entry of term ${wrong}`).toBe('malformed');
  }
  expect(node.step(messageOf({ ...heartbeat, term: Number.MAX_SAFE_INTEGER }))).toBe('malformed');
  expect([node.term, node.leaderId]).toEqual([1, 0]);
  const { node: old } = lone([1], Number.MAX_SAFE_INTEGER - 1);
  old.campaign();
  expect(old.term).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => old.campaign()).toThrow(InvariantError);
});
