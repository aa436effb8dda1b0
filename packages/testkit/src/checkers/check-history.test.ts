import { describe, expect, test } from 'vitest';
import { badHistories } from './bad-histories.fixture.ts';
import { checkHistory } from './check-history.ts';
import { CheckFailure } from './failure.ts';
import { goodHistories } from './good-histories.fixture.ts';
import { HistoryReader, operationLine, type RecordedHistory } from './history-lines.ts';
import { parseHistory } from './history-text.ts';

function read(lines: readonly string[]): RecordedHistory {
  const reader = new HistoryReader();
  for (const line of lines) reader.line(line);
  return reader.end();
}

function failureOf(lines: readonly string[]): CheckFailure | undefined {
  try {
    checkHistory(read(lines));
    return undefined;
  } catch (error) {
    if (error instanceof CheckFailure) return error;
    throw error;
  }
}

const linesOf = (text: string): string[] => parseHistory(text).map(operationLine);

describe('written histories are judged alike as recorded lines', () => {
  test.each(goodHistories)('good: $title', ({ text }) => {
    expect(failureOf(linesOf(text))?.report()).toBeUndefined();
  });
  test.each(badHistories)('bad: $title', ({ text }) => {
    expect(failureOf(linesOf(text))).toBeInstanceOf(CheckFailure);
  });
});

describe('a recorded line', () => {
  test('is read as it was written', () => {
    for (const { text } of [...goodHistories, ...badHistories]) {
      const operations = parseHistory(text);
      const again = read(operations.map(operationLine)).operations;
      expect(again.map(({ call, outcome, client, key }) => ({ call, outcome, client, key }))).toEqual(
        operations.map(({ call, outcome, client, key }) => ({ call, outcome, client, key })),
      );
    }
  });

  test('whose call has the time of another one’s answer overlaps with it', () => {
    const put = { client: 'a', call: 'put', key: 'k', value: '1', invoked: 1, responded: 5, outcome: 'ok' };
    const get = { client: 'b', call: 'get', key: 'k', responded: 7, outcome: 'ok', result: null };
    const history = (invoked: number): string[] =>
      [put, { ...get, invoked }].map((each) => JSON.stringify(each));
    expect(failureOf(history(5))).toBeUndefined();
    expect(failureOf(history(6))?.checker).toBe('linearizability');
  });

  const whole = { client: 'a', call: 'put', key: 'k', value: '1', invoked: 1, responded: 2, outcome: 'ok' };
  const wrong: [string, string, string][] = [
    ['no JSON', '{', 'not JSON'],
    ['no object', '[]', 'an object is wanted'],
    ['an unknown call', JSON.stringify({ ...whole, call: 'push' }), 'call: "push" is none of get, put'],
    ['an unknown outcome', JSON.stringify({ ...whole, outcome: 'fine' }), 'outcome: "fine" is none of ok'],
    [
      'a field of another call',
      JSON.stringify({ ...whole, delta: 1 }),
      'there is no field "delta": use client',
    ],
    ['no client', JSON.stringify({ ...whole, client: undefined }), 'client: a text is wanted'],
    ['no time', JSON.stringify({ ...whole, invoked: undefined }), 'invoked: a number is wanted'],
    [
      'no answer although it is known',
      JSON.stringify({ ...whole, responded: undefined }),
      'responded: a number',
    ],
    ['an answer before the call', JSON.stringify({ ...whole, responded: 0 }), 'responded: a number from 1'],
    ['no value', JSON.stringify({ ...whole, value: undefined }), 'value: a text is wanted'],
    ['a version below nothing', JSON.stringify({ ...whole, version: -1 }), 'version: a whole number from 0'],
    [
      'two conditions',
      JSON.stringify({ ...whole, ifAbsent: true, ifVersion: 3 }),
      'ifVersion: an operation has one',
    ],
    ['a condition that is none', JSON.stringify({ ...whole, ifAbsent: false }), 'ifAbsent: leave it out'],
    [
      'a conflict without condition',
      JSON.stringify({ ...whole, outcome: 'conflict' }),
      'only an operation with a',
    ],
    [
      'a read without result',
      JSON.stringify({ ...whole, call: 'get', value: undefined }),
      'result: what the read found is missing',
    ],
    [
      'a record without key',
      JSON.stringify({
        client: 'a',
        call: 'scan',
        prefix: '',
        invoked: 1,
        responded: 2,
        outcome: 'ok',
        records: [{ value: '1' }],
      }),
      'records[0].key: a text is wanted',
    ],
  ];
  test.each(wrong)('that is wrong is refused: %s', (_title, line, message) => {
    expect(() => read([line])).toThrow(message);
  });
});

describe('beyond single registers', () => {
  const scan = (...keys: readonly string[]): string =>
    JSON.stringify({
      client: 's',
      call: 'scan',
      prefix: 'x',
      invoked: 50,
      responded: 60,
      outcome: 'ok',
      records: keys.map((key) => ({ key, value: '1' })),
    });
  const writes = linesOf('a> put x1 1\na< ok @1\na> put x2 1\na< ok @2');

  test('a scan that lists everything is fine', () => {
    expect(failureOf([...writes, scan('x1', 'x2')])).toBeUndefined();
  });

  test('a scan that misses a key is wrong', () => {
    expect(failureOf([...writes, scan('x2')])).toMatchObject({ checker: 'scans' });
  });

  test('a scan that failed says nothing', () => {
    const failed = {
      client: 's',
      call: 'scan',
      prefix: 'x',
      invoked: 50,
      responded: 60,
      outcome: 'not-applied',
    };
    expect(failureOf([...writes, JSON.stringify(failed)])).toBeUndefined();
  });

  test('an append that happened twice is told by its name', () => {
    const lines = linesOf('a> append k x;\na< ok\nb> append k y;\nb< ok\nc> get k\nc< = x;y;x;');
    expect(failureOf(lines)?.message).toBe('key k: the append x; happened twice');
  });

  test('a counter is counted', () => {
    const lines = linesOf('a> incr k 5\na< ok\nb> incr k 2\nb?\nc> get k\nc< = 8');
    expect(failureOf(lines)?.message).toBe('counter k is 8 and must be 5 to 7');
  });

  test('a value may be written twice', () => {
    const lines = linesOf(
      'a> put k 1\na< ok @1\nb> put k 2\nb< ok @2\na> put k 1\na< ok @3\nc> get k\nc< = 1 @3',
    );
    expect(failureOf(lines)).toBeUndefined();
  });

  test('appends whose ids are parts of one another are judged without them', () => {
    const lines = linesOf(
      'a> append k 1;\na< ok\na> append k 11;\na< ok\na> append k 1;\na< ok\nc> get k\nc< = 1;11;1;',
    );
    expect(failureOf(lines)).toBeUndefined();
  });

  test('an append that never happened may stand across two that did', () => {
    const lines = linesOf(
      'a> append k ab\na< ok\na> append k cd\na< ok\nb> append k bc\nb?\nc> get k\nc< = abcd\nc> get k\nc< = abcd',
    );
    expect(failureOf(lines)).toBeUndefined();
  });

  test('a sum may look like a value that was never written', () => {
    const lines = linesOf('a> incr k 5\na< ok =5 @1\nb> put k 5\nb?\nc> get k\nc< = 5 @1');
    expect(failureOf(lines)).toBeUndefined();
  });
});
