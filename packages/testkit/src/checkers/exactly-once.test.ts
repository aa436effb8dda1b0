import { describe, expect, test } from 'vitest';
import { checkAppends, checkCounter } from './exactly-once.ts';
import { parseHistory } from './history-text.ts';

const three = 'a> append k a1;\na< ok\nb> append k b1;\nb?\na> append k a2;\na< ok';

describe('appends', () => {
  const good: [string, string, string | undefined][] = [
    ['nothing was appended', '', undefined],
    ['an unknown append that happened', three, 'a1;b1;a2;'],
    ['an unknown append that never happened', three, 'a1;a2;'],
    ['an unknown append that happened late', three, 'a1;a2;b1;'],
    ['a refused append that did not happen', 'a> append k a1;\na!\na> append k a2;\na< ok', 'a2;'],
    ['concurrent appends in any order', 'a> append k a1;\nb> append k b1;\na< ok\nb< ok', 'b1;a1;'],
  ];
  test.each(good)('%s', (_title, text, final) => {
    checkAppends('k', parseHistory(text), final);
  });

  const bad: [string, string, string | undefined, string][] = [
    ['an acknowledged append is lost', three, 'a1;b1;', 'a2; is lost'],
    ['everything is lost', three, undefined, 'a1; is lost'],
    ['an acknowledged append happened twice', three, 'a1;a2;a1;', 'a1; happened twice'],
    ['an unknown append happened twice', three, 'a1;b1;b1;a2;', 'b1; happened twice'],
    ['a foreign id', three, 'a1;a2;z9;', 'z9;, which nobody appended'],
    ['a torn id', three, 'a1;a2;b', 'torn'],
    ['a refused append happened', 'a> append k a1;\na!', 'a1;', 'refused and yet happened'],
    ['appends of one writer change places', three, 'a2;a1;', 'a1; stands after one that began later'],
    [
      'an append stands behind one that another client began after its answer',
      'a> append k a1;\na< ok\nb> append k b1;\nb< ok',
      'b1;a1;',
      'a1; stands after',
    ],
    [
      'an unknown append stands before what was answered before it began',
      'a> append k a1;\na< ok\nb> append k b1;\nb?',
      'b1;a1;',
      'a1; stands after',
    ],
  ];
  test.each(bad)('%s', (_title, text, final, message) => {
    expect(() => checkAppends('k', parseHistory(text), final)).toThrow(message);
  });

  test('a workload that uses an id twice is refused', () => {
    const twice = parseHistory('a> append k x;\na< ok\nb> append k x;\nb< ok');
    expect(() => checkAppends('k', twice, 'x;x;')).toThrow('used id x; twice');
  });
});

describe('counters', () => {
  const some = 'a> incr k 5\na< ok =5\nb> incr k 3\nb?\nc> incr k -2\nc?\nd> incr k 9\nd!';
  test.each(['5', '8', '3', '6'])('%s can be', (final) => {
    checkCounter('k', parseHistory(some), final);
  });
  test.each(['2', '9', '17', undefined, 'many', '5.5'])('%s cannot be', (final) => {
    expect(() => checkCounter('k', parseHistory(some), final)).toThrow('must be 3 to 8');
  });
});
