import { APPEND_THREAD, APPLY_THREAD, EMPTY_BYTES, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import type { ConfChange } from './conf-change.ts';
import { hear, lone } from './test-alone.ts';
import { confOf, entryOf, messageOf } from './test-cluster.ts';
import { UnstableLog } from './unstable.ts';

describe('what a Ready hands out for writing', () => {
  test('names a vote also where the term is durable already (paper figure 2)', () => {
    const member = lone([1, 2], 3);
    hear(member, { kind: MessageKind.vote, from: 2, logTerm: 2, index: 2 });
    const ready = member.node.ready();
    expect(ready.hardState).toEqual({ term: 3, vote: 2, commit: 0 });
    expect(ready.mustSync).toBe(true);
  });

  test('names a snapshot once, also while its write is under way', () => {
    const member = lone([], 1, { asyncStorageWrites: true });
    const snapshot = { index: 5, term: 1, confState: confOf([1, 2, 3]), data: EMPTY_BYTES };
    hear(member, { kind: MessageKind.snap, snapshot });
    const [order] = member.node.ready().messages.filter(({ to }) => to === APPEND_THREAD);
    expect(order?.snapshot).toEqual(snapshot);
    expect(member.node.hasReady()).toBe(false);
    hear(member, { kind: MessageKind.heartbeat, commit: 5 });
    expect(member.node.ready().snapshot).toBeUndefined();
  });
});

test('a notice that nothing was applied changes nothing', () => {
  const member = lone([1], 1);
  const notice = messageOf({ kind: MessageKind.storageApplyResp, from: APPLY_THREAD, to: 1 });
  expect(member.node.step(notice)).toBe('ok');
  expect(member.node.appliedIndex).toBe(0);
});

test('entries that replace a log of which a part is durable already stand where they say', () => {
  const log = new UnstableLog(1, undefined);
  log.append([entryOf(1, 1), entryOf(2, 1), entryOf(3, 1)]);
  log.acceptInProgress();
  log.stableTo(1, 1);
  log.append([entryOf(2, 2)]);
  expect([log.offset, log.count, log.end, log.term(2), log.term(3)]).toEqual([2, 1, 3, 2, undefined]);
  expect(log.nextEntries()).toEqual([entryOf(2, 2)]);
});

test('changes that a snapshot overtakes build on each other, not on the snapshot', () => {
  const { node } = lone([1, 1], 1, { asyncStorageWrites: true });
  const snapshot = { index: 5, term: 1, confState: confOf([1, 2]), data: EMPTY_BYTES };
  node.step(messageOf({ kind: MessageKind.snap, from: 2, to: 1, term: 1, snapshot }));
  const add = (id: number): ConfChange => ({
    transition: 'auto',
    changes: [{ kind: 'add-voter', id }],
    context: EMPTY_BYTES,
  });
  expect(node.applyConfChange(add(4))).toEqual(confOf([1, 2, 3, 4]));
  expect(node.applyConfChange(add(5))).toEqual(confOf([1, 2, 3, 4, 5]));
  expect(node.confState).toEqual(confOf([1, 2]));
});
