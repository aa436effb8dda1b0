import { APPEND_THREAD, APPLY_THREAD, EMPTY_BYTES, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { hear, lone } from './test-alone.ts';
import { confOf, messageOf } from './test-cluster.ts';

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
