import {
  APPEND_THREAD,
  APPLY_THREAD,
  EMPTY_BYTES,
  EntryKind,
  InvariantError,
  MessageKind,
} from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { type ConfChange, encodeConfChange } from './conf-change.ts';
import { MemoryStorage } from './memory-storage.ts';
import { entryBytes } from './storage.ts';
import { confOf, entryOf, messageOf, TestCluster, TestMember } from './test-cluster.ts';

const config = { asyncStorageWrites: true };

/** A follower 1 of {1, 2, 3} with asynchronous writes, and what a leader of a term appends to it. */
function follower(): {
  member: TestMember;
  append: (term: number, index: number, logTerm: number, entry: number, commit?: number) => void;
} {
  const storage = new MemoryStorage();
  storage.setConfState(confOf([1, 2, 3]));
  const member = new TestMember(1, storage, config);
  return {
    member,
    append: (term, index, logTerm, entryTerm, commit = 0) => {
      const entries = [entryOf(index + 1, entryTerm)];
      member.node.step(
        messageOf({ kind: MessageKind.app, from: 2, to: 1, term, index, logTerm, entries, commit }),
      );
      for (const message of member.node.ready().messages) {
        if (message.to === APPEND_THREAD) member.appendWork.push(message);
      }
    },
  };
}

/** Executes the oldest write; its notice to the node itself comes later. */
function write(member: TestMember): readonly Parameters<TestMember['node']['step']>[0][] {
  const order = member.appendWork.shift();
  if (order === undefined) return [];
  const { term, vote, commit } = order;
  member.persist(term === 0 ? undefined : { term, vote, commit }, order.snapshot, order.entries);
  return order.responses.filter(({ to }) => to === 1);
}

describe('asynchronous storage writes (thesis 10.2.1)', () => {
  test('entries are applied only once they are durable here, however committed they are', () => {
    const { member, append } = follower();
    append(1, 0, 0, 1, 1);
    expect(member.node.commitIndex).toBe(1);
    expect(member.node.hasReady()).toBe(false);
    for (const response of write(member)) member.node.step(response);
    const ready = member.node.ready();
    expect(ready.committedEntries.map(({ index }) => index)).toEqual([1]);
    const order = ready.messages.find(({ to }) => to === APPLY_THREAD);
    expect(order?.responses[0]?.kind).toBe(MessageKind.storageApplyResp);
    expect(member.node.appliedIndex).toBe(0);
    for (const response of order?.responses ?? []) member.node.step(response);
    expect(member.node.appliedIndex).toBe(1);
  });

  test('acknowledgements ride on the write that they speak of', () => {
    const { member, append } = follower();
    append(1, 0, 0, 1);
    const order = member.appendWork[0];
    expect(order?.responses.map(({ kind, to }) => [kind, to])).toEqual([
      [MessageKind.appResp, 2],
      [MessageKind.storageAppendResp, 1],
    ]);
  });

  test('a notice of an overwritten entry does not make its successor stable', () => {
    const { member, append } = follower();
    append(1, 0, 0, 1);
    append(2, 0, 0, 2);
    for (const response of write(member)) member.node.step(response);
    // The second write has not happened; the log must still answer from memory.
    expect(member.node.termAt(1)).toBe(2);
    append(2, 1, 2, 2, 1);
    expect(member.node.hasReady()).toBe(false);
  });

  test('nor does it when the same entry came back since: entry terms repeat, terms of nodes do not (ABA)', () => {
    const { member, append } = follower();
    append(1, 0, 0, 1);
    append(2, 0, 0, 2);
    append(3, 0, 0, 1);
    const notices = write(member);
    write(member); // Storage holds the entry of term 2 now.
    for (const response of notices) member.node.step(response);
    expect(member.storage.term(1)).toBe(2);
    expect(member.node.termAt(1)).toBe(1);
  });

  test('many writes may be under way, and each Ready contains only what is new', () => {
    const cluster = new TestCluster(3, { config });
    cluster.elect(1);
    for (const text of ['a', 'b', 'c']) {
      cluster.propose(1, text);
      cluster.work(1);
    }
    expect(cluster.member(1).appendWork.map(({ entries }) => entries.map(({ index }) => index))).toEqual([
      [2],
      [3],
      [4],
    ]);
    expect(cluster.work(1)).toBe(false);
    cluster.settle();
    expect(cluster.member(3).appliedTexts()).toEqual(['a', 'b', 'c']);
  });

  test('pages of application wait for their acknowledgement', () => {
    const limit = entryBytes(entryOf(1, 1, 'a')) * 2;
    const cluster = new TestCluster(1, { config: { ...config, committedBytesPerReadyMax: limit } });
    cluster.elect(1);
    cluster.propose(1, 'a', 'b', 'c');
    cluster.work(1);
    cluster.appendOne(1);
    while (cluster.work(1));
    expect(cluster.member(1).applyWork.map(({ entries }) => entries.length)).toEqual([2]);
    cluster.applyOne(1);
    while (cluster.work(1));
    expect(cluster.member(1).applyWork.map(({ entries }) => entries.length)).toEqual([1]);
    cluster.settle();
    expect(cluster.member(1).appliedTexts()).toEqual(['a', 'b', 'c']);
  });

  test('a snapshot counts as applied by its notice, even one of an earlier term', () => {
    const { member } = follower();
    const snapshot = { index: 5, term: 1, confState: confOf([1, 2, 3]), data: new Uint8Array(0) };
    member.node.step(messageOf({ kind: MessageKind.snap, from: 2, to: 1, term: 1, snapshot }));
    for (const message of member.node.ready().messages) {
      if (message.to === APPEND_THREAD) member.appendWork.push(message);
    }
    const responses = write(member);
    member.node.step(messageOf({ kind: MessageKind.heartbeat, from: 3, to: 1, term: 2 }));
    expect(member.node.appliedIndex).toBe(0);
    for (const response of responses) member.node.step(response);
    expect([member.node.appliedIndex, member.node.promotable]).toEqual([5, true]);
  });

  test('a change of membership that a snapshot overtakes goes to the configuration from before the snapshot', () => {
    const { member } = follower();
    const { node } = member;
    const add: ConfChange = {
      transition: 'auto',
      changes: [{ kind: 'add-voter', id: 4 }],
      context: EMPTY_BYTES,
    };
    const entries = [{ ...entryOf(1, 1), kind: EntryKind.confChangeV2, data: encodeConfChange(add) }];
    node.step(messageOf({ kind: MessageKind.app, from: 2, to: 1, term: 1, entries, commit: 1 }));
    const take = (): void => {
      for (const message of node.ready().messages) {
        if (message.to === APPEND_THREAD) member.appendWork.push(message);
      }
    };
    take();
    for (const response of write(member)) node.step(response);
    expect(node.ready().committedEntries.length).toBe(1); // Handed out; the host takes its time.
    const snapshot = { index: 5, term: 1, confState: confOf([1, 2, 3], [5]), data: new Uint8Array(0) };
    node.step(messageOf({ kind: MessageKind.snap, from: 2, to: 1, term: 1, snapshot }));
    take();
    expect(node.applyConfChange(add)).toEqual(confOf([1, 2, 3, 4]));
    expect(node.confState).toEqual(confOf([1, 2, 3], [5]));
    for (const response of write(member)) node.step(response);
    expect(node.applyConfChange(add)).toEqual(confOf([1, 2, 3, 4], [5]));
    expect(node.confState.voters).toEqual([1, 2, 3, 4]);
  });

  test('a late or repeated notice of application does no harm', () => {
    const cluster = new TestCluster(1, { config });
    cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.settle();
    const entries = [entryOf(1, 1)];
    cluster
      .node(1)
      .step(messageOf({ kind: MessageKind.storageApplyResp, from: APPLY_THREAD, to: 1, entries }));
    expect(cluster.node(1).appliedIndex).toBe(2);
  });

  test('there is nothing to advance', () => {
    const { member } = follower();
    expect(() => member.node.advance()).toThrow(InvariantError);
  });
});

describe('synchronous writes', () => {
  test('advance comes between two calls of ready', () => {
    const cluster = new TestCluster(1);
    const node = cluster.node(1);
    node.campaign();
    node.ready();
    expect(() => node.ready()).toThrow(InvariantError);
    node.advance();
    expect(() => node.advance()).toThrow(InvariantError);
  });

  test('only entries, term and vote have to survive a crash at once, a moved commit does not', () => {
    const cluster = new TestCluster(2);
    cluster.node(1).campaign();
    cluster.work(1);
    expect(cluster.member(1).last?.mustSync).toBe(true);
    cluster.settle();
    expect(cluster.member(2).last?.hardState).toEqual({ term: 1, vote: 1, commit: 1 });
    expect(cluster.member(2).last?.mustSync).toBe(false);
    cluster.propose(1, 'x');
    cluster.work(1);
    expect(cluster.member(1).last?.mustSync).toBe(true);
  });
});
