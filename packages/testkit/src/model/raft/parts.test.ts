import { type Message, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { bytesOf, IDENTITY, In, renamed } from './codec.ts';
import { Histories } from './history.ts';
import { MessageSets } from './message-sets.ts';
import { opened } from './opened-source.ts';
import { decides, quorumsMeet } from './quorums.ts';

function conf(voters: readonly number[], votersOutgoing: readonly number[] = []) {
  return { voters, votersOutgoing, learners: [], learnersNext: [], autoLeave: false };
}

function vote(from: number, to: number): Message {
  return {
    kind: MessageKind.vote,
    from,
    to,
    term: 2,
    logTerm: 1,
    index: 1,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: [{ index: 1, term: 1, kind: 0, data: Uint8Array.of(7) }],
    snapshot: undefined,
    context: Uint8Array.of(9),
    responses: [],
  };
}

describe('the model of the core', () => {
  test('tells which configurations can decide without each other', () => {
    expect(quorumsMeet(conf([1, 2, 3]), conf([1, 2]))).toBe(true);
    expect(quorumsMeet(conf([1, 2, 3]), conf([1]))).toBe(false);
    expect(quorumsMeet(conf([1, 2, 3]), conf([1], [1, 2, 3]))).toBe(true);
    expect(decides(0b001, conf([1], [1, 2, 3]))).toBe(false);
    expect(decides(0b011, conf([1], [1, 2, 3]))).toBe(true);
  });

  test('reads messages as it wrote them, also under other names', () => {
    const message = vote(1, 3);
    expect(new In(bytesOf(message, IDENTITY)).message()).toEqual(message);
    expect(new In(bytesOf(message, [3, 1, 2])).message()).toMatchObject({ from: 3, to: 2 });
    expect(renamed([3, 1, 2], 0)).toBe(0);
  });

  test('has one number for a set of messages, in whatever order they came', () => {
    const sets = new MessageSets();
    const [one, other] = [vote(1, 2), vote(1, 3)].map((message) => sets.number(bytesOf(message, IDENTITY)));
    const both = sets.of([other as number, one as number, one as number]);
    expect(sets.union(sets.of([one as number]), sets.of([other as number]))).toBe(both);
    expect(sets.includes(both, sets.of([other as number]))).toBe(true);
    expect(sets.includes(sets.of([other as number]), both)).toBe(false);
    expect(sets.rename(both, [1, 3, 2])).toBe(both);
  });

  test('keeps what was led and committed', () => {
    const histories = new Histories();
    const history = {
      led: [{ term: 1, log: [...vote(1, 2).entries] }],
      committed: [...vote(1, 2).entries],
      terms: [2],
      confIndex: 3,
      conf: conf([1], [1, 2, 3]),
    };
    expect(histories.get(histories.number(history))).toEqual(history);
  });

  test('makes private names plain and changes nothing else', () => {
    expect(opened.rewritten('  #term = 1; // issue #4\n  get term() { return this.#term; }')).toBe(
      '  $term = 1; // issue #4\n  get term() { return this.$term; }',
    );
  });
});
