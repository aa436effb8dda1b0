import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { flotilla, root } from './harness/running.ts';

// `flotilla check`: what it says of histories, and its exit codes.

const write = {
  client: 'a',
  call: 'put',
  key: 'k',
  value: '1',
  invoked: 1,
  responded: 2,
  outcome: 'ok',
  version: 3,
};
const read = { client: 'b', call: 'get', key: 'k', invoked: 3, responded: 4, outcome: 'ok' };

function check(lines: readonly unknown[], ...more: readonly string[]): ReturnType<typeof flotilla> {
  const input = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  return flotilla(['check', '-', ...more], { input });
}

test('a history that some order explains ends with 0', async () => {
  const good = [write, { ...read, result: '1', version: 3 }];
  expect(await check(good)).toMatchObject({ code: 0, out: '2 operations: linearizable', err: '' });
  expect(JSON.parse((await check(good, '--json')).out)).toEqual({ operations: 2, ok: true });
});

test('a history that none explains ends with 1, and with the part of it that is wrong', async () => {
  const other = { ...write, client: 'x', key: 'other' };
  const bad = [other, write, { ...read, result: null }];
  const { code, out, err } = await check(bad);
  expect({ code, err }).toEqual({ code: 1, err: '' });
  expect(out.split('\n')).toEqual([
    'linearizability: key k: no order of the operations explains "b [0.0030 s, 0.0040 s] get on k: absent"',
    '  at the last moment with no answer outstanding the key may have been:',
    '    "1" with version 3, by a [0.0010 s, 0.0020 s] put "1" on k: ok, version 3',
    '  then:',
    '    b [0.0030 s, 0.0040 s] get on k: absent',
    '  just before the answer that nothing explains, the key may have been:',
    '    "1" with version 3, by a [0.0010 s, 0.0020 s] put "1" on k: ok, version 3',
  ]);
  const json = await check(bad, '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({ operations: 3, ok: false, checker: 'linearizability' });
});

test('what is no history ends with 2 and the number of the line', async () => {
  const { code, out, err } = await check([write, '', { ...read, result: 7 }]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toBe('error: standard input, line 3: result: a text is wanted, 7 stands there');
  const missing = await flotilla(['check', 'no-such-file.jsonl']);
  expect(missing).toMatchObject({ code: 2, err: 'error: no-such-file.jsonl: it cannot be read (ENOENT)' });
});

test('the lines of the documentation are a history', async () => {
  const text = readFileSync(join(root, 'docs', 'histories.md'), 'utf8');
  const lines = /```json\n(.+?)\n```/s.exec(text)?.[1]?.split('\n') ?? [];
  expect(await check(lines)).toMatchObject({ code: 0, out: '6 operations: linearizable', err: '' });
});
