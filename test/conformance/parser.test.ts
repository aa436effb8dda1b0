import { expect, test } from 'vitest';
import { boolean, integer, parseFile } from './parser.ts';

/** The grammar of data files, above all what etcd's own files never use. */

/** Directive and input of every case, and what it expects, in a short form. */
function parsed(text: string): unknown {
  return parseFile(text).map(({ command, args, input, expected }) => [
    command,
    args.map(({ key, values }) => (values.length === 0 ? key : { [key]: values })),
    input,
    expected,
  ]);
}

test('blank lines and comments may stand between cases, and comments are indented at will', () => {
  const text = '\n# one\n\n  ## two\nfirst\n----\nok\n\n\n\n# three\n\nsecond\n----\nok\n';
  expect(parsed(text)).toEqual([
    ['first', [], '', 'ok\n'],
    ['second', [], '', 'ok\n'],
  ]);
});

test('a backslash at the end of a directive takes the next line in', () => {
  expect(parsed('  do a \\\n   b=1 \\\n  c\n----\n')).toEqual([['do', ['a', { b: ['1'] }, 'c'], '', '']]);
});

test('arguments are words, empty values, values and lists', () => {
  expect(
    parsed('do word "quoted" empty= one=a(b)=c list=(a,b,  c d) none=()   nested=((1,2),(3))\n----\n'),
  ).toEqual([
    [
      'do',
      [
        'word',
        '"quoted"',
        { empty: [''] },
        { one: ['a(b)=c'] },
        { list: ['a', 'b', 'c d'] },
        { none: [''] },
        { nested: ['(1,2)', '(3)'] },
      ],
      '',
      '',
    ],
  ]);
});

test('input is everything up to the separator, comments and blank lines included', () => {
  expect(parsed('do\n\n  v1 l2\n# no comment\n\n ----\n-----\n----\nok\n')).toEqual([
    ['do', [], 'v1 l2\n# no comment\n\n ----\n-----', 'ok\n'],
  ]);
});

test('an expected block ends at the first blank line, white space included, or with the file', () => {
  expect(parsed('a\n----\nx\n  y\n \t\nb\n----\nz')).toEqual([
    ['a', [], '', 'x\n  y\n'],
    ['b', [], '', 'z\n'],
  ]);
});

test('a block whose first line is blank expects nothing', () => {
  expect(parsed('a\n----\n\nb\n----\nx\n')).toEqual([
    ['a', [], '', ''],
    ['b', [], '', 'x\n'],
  ]);
});

test('between double separators blank lines and single separators are expected text', () => {
  expect(parsed('a\n----\n----\nx\n\n----\ny\n----\n----\n\nb\n----\nz\n')).toEqual([
    ['a', [], '', 'x\n\n----\ny\n'],
    ['b', [], '', 'z\n'],
  ]);
});

test('lines may end with a carriage return', () => {
  expect(parsed('a b=(1,\t2)\r\n----\r\nok\r\n\r\nc\r\n----\r\nok\r\n')).toEqual([
    ['a', [{ b: ['1', '\t2'] }], '', 'ok\n'],
    ['c', [], '', 'ok\n'],
  ]);
});

test.each([
  ['a directive without a separator', 'a\n----\nok\n\nb\n', 'line 5: no ---- after the directive'],
  [
    'a double separator that is never closed',
    'a\n----\n----\nok\n',
    'line 3: the double separator is not closed',
  ],
  ['text right behind a double separator', 'a\n----\n----\nx\n----\n----\nb\n', 'a blank line has to follow'],
  ['a list without its end', 'a b=(1,2\n----\nok\n', 'unbalanced parentheses'],
])('%s is told, not guessed at', (_, text, problem) => {
  expect(() => parseFile(text)).toThrow(problem);
});

test('integers are decimal, and booleans have twelve spellings', () => {
  expect(['0', '12', '+3', '-4', '007'].map(integer)).toEqual([0, 12, 3, -4, 7]);
  for (const wrong of ['', ' 1', '0x1', '1.0', '1e3', '1_000', 'a', '18446744073709551615', undefined]) {
    expect(() => integer(wrong)).toThrow();
  }
  expect(['1', 't', 'T', 'TRUE', 'true', 'True'].map(boolean)).toEqual(new Array(6).fill(true));
  expect(['0', 'f', 'F', 'FALSE', 'false', 'False'].map(boolean)).toEqual(new Array(6).fill(false));
  for (const wrong of ['', 'yes', 'tRUE', 'TrUe', undefined]) expect(() => boolean(wrong)).toThrow();
});
