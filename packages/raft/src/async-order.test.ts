import { APPEND_THREAD, APPLY_THREAD, EMPTY_BYTES, type Message, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { MemoryStorage } from './memory-storage.ts';
import { entryBytes } from './storage.ts';
import { hear, lone } from './test-alone.ts';
import { confOf, entryOf, messageOf, TestCluster, TestMember } from './test-cluster.ts';

/** Asynchronous storage whose work is slow, overtaken by events, or cut off by a crash (thesis 10.2.1). */

const config = { asyncStorageWrites: true };

/** Takes a Ready; orders queue up, and what is left are the messages to others. */
function take(member: TestMember): readonly Message[] {
  const sent: Message[] = [];
  while (member.node.hasReady()) {
    for (const message of member.node.ready().messages) {
      if (message.to === APPEND_THREAD) member.appendWork.push(message);
      else if (message.to === APPLY_THREAD) member.applyWork.push(message);
      else sent.push(message);
    }
  }
  return sent;
}

/** Executes the oldest write, tells the node of it, and returns what may be sent from then on. */
function write(member: TestMember): readonly Message[] {
  const order = member.appendWork.shift();
  if (order === undefined) throw new Error('there is nothing to write');
  const { term, vote, commit } = order;
  member.persist(term === 0 ? undefined : { term, vote, commit }, order.snapshot, order.entries);
  for (const response of order.responses) if (response.to === 1) member.node.step(response);
  return order.responses.filter(({ to }) => to !== 1);
}

const snapshotOf = (index: number, term: number) => ({
  index,
  term,
  confState: confOf([1, 2, 3]),
  data: EMPTY_BYTES,
});

describe('a follower with a slow disk (paper figure 2: durable before the answer)', () => {
  test('acknowledges each append when its own write is done, and not before', () => {
    const member = lone([], 1, config);
    for (const index of [0, 1, 2]) {
      const entries = [entryOf(index + 1, 1)];
      hear(member, { kind: MessageKind.app, index, logTerm: Math.min(index, 1), entries, commit: index });
      expect(take(member)).toEqual([]);
    }
    expect(member.node).toMatchObject({ lastIndex: 3, commitIndex: 2, appliedIndex: 0 });
    for (const index of [1, 2, 3]) {
      expect(write(member)).toMatchObject([{ kind: MessageKind.appResp, to: 2, index }]);
    }
  });

  test('applies what is durable and committed, in order, while later writes are under way', () => {
    const member = lone([], 1, config);
    hear(member, { kind: MessageKind.app, entries: [entryOf(1, 1), entryOf(2, 1)], commit: 2 });
    take(member);
    hear(member, { kind: MessageKind.app, index: 2, logTerm: 1, entries: [entryOf(3, 1)], commit: 3 });
    take(member);
    expect(member.applyWork).toEqual([]);
    write(member);
    take(member);
    write(member);
    take(member);
    expect(member.applyWork.map(({ entries }) => entries.map(({ index }) => index))).toEqual([[1, 2], [3]]);
  });

  test('whose write is overtaken by another leader sends both acknowledgements, each of its own term', () => {
    const member = lone([1], 1, config);
    hear(member, { kind: MessageKind.app, index: 1, logTerm: 1, entries: [entryOf(2, 1), entryOf(3, 1)] });
    take(member);
    const entries = [entryOf(2, 2)];
    hear(member, { kind: MessageKind.app, from: 3, term: 2, index: 1, logTerm: 1, entries, commit: 2 });
    take(member);
    // The first leader is told what is durable then; its term is over, so it believes nothing of it.
    expect(write(member)).toMatchObject([{ to: 2, term: 1, index: 3 }]);
    expect(member.node).toMatchObject({ lastIndex: 2, lastTerm: 2, appliedIndex: 0 });
    take(member);
    expect(member.applyWork.map(({ entries }) => entries.map(({ index }) => index))).toEqual([[1]]);
    expect(write(member)).toMatchObject([{ to: 3, term: 2, index: 2 }]);
    expect(member.storage.all().map(({ term }) => term)).toEqual([1, 2]);
    take(member);
    expect(member.applyWork[1]?.entries.map(({ index, term }) => [index, term])).toEqual([[2, 2]]);
  });

  test('that loses power before a write forgets it, and has promised nothing', () => {
    const member = lone([1], 1, config);
    hear(member, { kind: MessageKind.app, index: 1, logTerm: 1, entries: [entryOf(2, 1)] });
    hear(member, { kind: MessageKind.vote, from: 3, term: 2, index: 2, logTerm: 1 });
    expect(take(member)).toEqual([]);
    member.restart();
    expect(member.node).toMatchObject({ term: 1, vote: 0, lastIndex: 1 });
  });

  test('holds a vote until term and vote are durable, with everything that was unstable before', () => {
    const member = lone([1], 1, config);
    hear(member, { kind: MessageKind.app, index: 1, logTerm: 1, entries: [entryOf(2, 1)] });
    take(member);
    hear(member, { kind: MessageKind.vote, from: 3, term: 2, index: 2, logTerm: 1 });
    take(member);
    expect(write(member).map(({ kind }) => kind)).toEqual([MessageKind.appResp]);
    expect(member.appendWork[0]).toMatchObject({ term: 2, vote: 3 });
    expect(write(member)).toMatchObject([{ kind: MessageKind.voteResp, to: 3, term: 2, reject: false }]);
  });
});

describe('a leader with a slow disk (thesis 10.2.1)', () => {
  test('that is deposed while it writes counts none of it, and takes over the other log', () => {
    const cluster = new TestCluster(3, { config });
    cluster.elect(1);
    cluster.isolate(1);
    cluster.propose(1, 'mine');
    cluster.work(1);
    const [order] = cluster.member(1).appendWork;
    cluster.elect(2);
    cluster.propose(2, 'theirs');
    cluster.settle();
    // While 1 was away its write took place, but its notice comes after the new leader's messages.
    const member = cluster.member(1);
    member.appendWork = [];
    cluster.heal();
    cluster.tick(2);
    while (cluster.work(2) || cluster.appendOne(2) || cluster.deliver());
    member.persist(undefined, undefined, order?.entries ?? []);
    for (const response of order?.responses ?? []) if (response.to === 1) member.node.step(response);
    cluster.settle();
    expect([member.node.role, member.appliedTexts()]).toEqual(['follower', ['theirs']]);
    expect(member.state.digest).toBe(cluster.member(3).state.digest);
  });

  test('takes a member that was removed meanwhile for a stranger, whose late answers are refused', () => {
    const cluster = new TestCluster(3, { config });
    const leader = cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.settle();
    leader.proposeConfChange({
      transition: 'auto',
      changes: [{ kind: 'remove', id: 3 }],
      context: EMPTY_BYTES,
    });
    cluster.settle();
    const answer = { kind: MessageKind.appResp, from: 3, to: 1, term: 1, index: 2 };
    expect(leader.step(messageOf(answer))).toBe('unknown-peer');
    leader.reportUnreachable(3);
    leader.reportSnapshot(3, true);
    expect(leader.status().progress.has(3)).toBe(false);
  });

  test('leads at once when the votes are there, and commits its first entry with the disks of others', () => {
    const cluster = new TestCluster(3, { config });
    cluster.node(1).campaign();
    cluster.work(1);
    cluster.appendOne(1); // Its term and its vote.
    while (cluster.deliver());
    for (const id of [2, 3]) while (cluster.work(id) || cluster.appendOne(id));
    while (cluster.deliver());
    expect(cluster.node(1).role).toBe('leader');
    cluster.work(1);
    while (cluster.deliver());
    for (const id of [2, 3]) while (cluster.work(id) || cluster.appendOne(id));
    while (cluster.deliver());
    expect(cluster.node(1)).toMatchObject({ commitIndex: 1, firstCommitOfTermDone: true });
    // It is applied here when it is durable here.
    while (cluster.work(1));
    expect(cluster.member(1).applyWork).toEqual([]);
    cluster.appendOne(1);
    cluster.work(1);
    expect(cluster.member(1).applyWork.length).toBe(1);
  });
});

describe('snapshots and a slow disk (paper 7)', () => {
  const offer = (index: number, term = 1): Partial<Message> & Pick<Message, 'kind'> => ({
    kind: MessageKind.snap,
    snapshot: snapshotOf(index, term),
  });

  test('are acknowledged when they are durable, and count as applied then', () => {
    const member = lone([1], 1, config);
    hear(member, offer(5));
    expect(take(member)).toEqual([]);
    expect(member.node).toMatchObject({ commitIndex: 5, appliedIndex: 0, promotable: false });
    expect(write(member)).toMatchObject([{ kind: MessageKind.appResp, to: 2, index: 5 }]);
    expect(member.node).toMatchObject({ appliedIndex: 5, promotable: true, firstIndex: 6 });
  });

  test('a second one may arrive while the first is written: the notice of the first is not that of the second', () => {
    const member = lone([1], 1, config);
    hear(member, offer(5));
    take(member);
    hear(member, offer(9));
    take(member);
    expect(member.appendWork.map(({ snapshot }) => snapshot?.index)).toEqual([5, 9]);
    write(member);
    expect(member.node).toMatchObject({ lastIndex: 9, promotable: false });
    expect(write(member)).toMatchObject([{ index: 9 }]);
    expect(member.node).toMatchObject({ appliedIndex: 9, promotable: true });
  });

  test('entries behind one are taken and written, and applied when the snapshot is in place', () => {
    const member = lone([1], 1, config);
    hear(member, offer(5));
    take(member);
    hear(member, { kind: MessageKind.app, index: 5, logTerm: 1, entries: [entryOf(6, 1)], commit: 6 });
    take(member);
    expect(member.appendWork[1]?.entries.map(({ index }) => index)).toEqual([6]);
    expect(member.applyWork).toEqual([]);
    write(member);
    write(member);
    take(member);
    expect(member.applyWork.map(({ entries }) => entries.map(({ index }) => index))).toEqual([[6]]);
  });

  test('one that arrives while entries are applied does not bring their notice down', () => {
    const member = lone([1, 1], 1, config);
    hear(member, { kind: MessageKind.app, index: 2, logTerm: 1, commit: 2 });
    take(member);
    const [order] = member.applyWork;
    expect(order?.entries.length).toBe(2);
    hear(member, offer(9));
    take(member);
    for (const write of member.appendWork) {
      member.persist(undefined, write.snapshot, write.entries);
      for (const response of write.responses) if (response.to === 1) member.node.step(response);
    }
    expect(member.node.appliedIndex).toBe(9);
    for (const response of order?.responses ?? []) expect(member.node.step(response)).toBe('ok');
    expect(member.node.appliedIndex).toBe(9);
  });
});

describe('pages of application after a restart (thesis 3.8)', () => {
  for (const asyncStorageWrites of [false, true]) {
    test(`leave out no entry, whatever their size (${asyncStorageWrites ? 'asynchronous' : 'synchronous'})`, () => {
      const texts = ['a', 'b'.repeat(40), 'c', 'd'.repeat(90), 'e', 'f'];
      for (let limit = 1; limit < 160; limit += 7) {
        const storage = new MemoryStorage();
        storage.setConfState(confOf([1]));
        storage.append(texts.map((text, at) => entryOf(at + 1, 1, text)));
        storage.setHardState({ term: 1, vote: 1, commit: 5 });
        const cluster = new TestCluster(0);
        const member = cluster.add(
          new TestMember(1, storage, { asyncStorageWrites, committedBytesPerReadyMax: limit }),
        );
        const pages: number[] = [];
        while (member.node.hasReady()) {
          cluster.work(1);
          const page = member.last?.committedEntries ?? [];
          const bytes = page.reduce((sum, entry) => sum + entryBytes(entry), 0);
          expect(page.length === 1 || bytes <= limit).toBe(true);
          pages.push(page.length);
          cluster.applyOne(1);
        }
        expect(member.appliedTexts()).toEqual(texts.slice(0, 5));
        cluster.elect(1);
        expect(member.appliedTexts()).toEqual(texts);
      }
    });
  }
});
