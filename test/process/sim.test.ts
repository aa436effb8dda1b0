import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { removeDirectories, temporaryDirectory } from './harness/places.ts';
import { flotilla } from './harness/running.ts';

// The simulator as a program: what becomes of files, and exit codes.

afterAll(removeDirectories);

const kept = join('test', 'sim', 'regressions', 'exactly-once.json');

test('a kept run is replayed, twice if one likes', async () => {
  const { code, out, err } = await flotilla(['sim', '--replay', kept, '--twice']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const [file, line] = out.split('\n');
  expect(file).toBe(kept);
  expect(line).toMatch(/^seed \d+ .* 0 faults .* [0-9a-f]{16}$/);
});

test('a file that is no kept run is refused with the place of the mistake', async () => {
  const file = join(temporaryDirectory(), 'case.json');
  writeFileSync(file, '{"found":{},"options":{},"schedule":{}}');
  const { code, out, err } = await flotilla(['sim', '--replay', file]);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toBe(`${file}: found.story: a text is wanted, nothing stands there`);
});

test('an option that does not exist is answered with the usage', async () => {
  const { code, err } = await flotilla(['sim', '--sed', '7']);
  expect(code).toBe(1);
  expect(err).toMatch(/^Unknown option '--sed'.*\nusage: npm run sim -- \[options\]/s);
});
