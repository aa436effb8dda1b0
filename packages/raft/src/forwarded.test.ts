import { EMPTY_BYTES, EntryKind, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { type ConfChange, encodeConfChange } from './conf-change.ts';
import { bytesOf, messageOf, TestCluster } from './test-cluster.ts';

const data = (text: string) => ({ index: 0, term: 0, kind: EntryKind.normal, data: bytesOf(text) });

function change(...changes: ConfChange['changes']) {
  const text = encodeConfChange({ transition: 'auto', changes, context: EMPTY_BYTES });
  return { index: 0, term: 0, kind: EntryKind.confChangeV2, data: text };
}

describe('a proposal that a follower has passed on', () => {
  test('ends at a change that cannot be applied: what came before it stays, what follows is dropped', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    const entries = [
      data('before'),
      change({ kind: 'remove', id: 1 }, { kind: 'remove', id: 2 }, { kind: 'remove', id: 3 }),
      data('behind'),
    ];
    const message = messageOf({ kind: MessageKind.prop, from: 2, to: 1, entries });
    expect(leader.step(message)).toBe('proposal-dropped');
    cluster.settle();
    expect(cluster.member(3).appliedTexts()).toEqual(['before']);
    expect(leader.confState.voters).toEqual([1, 2, 3]);
  });

  test('may bring data, a change and data again, in that order', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    const entries = [data('a'), data('b'), change({ kind: 'add-learner', id: 4 }), data('c')];
    expect(leader.step(messageOf({ kind: MessageKind.prop, from: 2, to: 1, entries }))).toBe('ok');
    cluster.settle();
    expect(cluster.member(1).applied.map(({ kind }) => kind)).toEqual([
      EntryKind.normal,
      EntryKind.normal,
      EntryKind.normal,
      EntryKind.confChangeV2,
      EntryKind.normal,
    ]);
    expect(cluster.member(2).appliedTexts()).toEqual(['a', 'b', 'c']);
    expect(leader.confState.learners).toEqual([4]);
  });
});
