import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { freePorts, removeDirectories, temporaryDirectory } from './harness/places.ts';
import { commandLine, endAll, flotilla, Running } from './harness/running.ts';

// A disk that takes no more. The shell limits the size of files for one store; beyond it every write fails, as on a
// full disk.

afterAll(async () => {
  await endAll();
  removeDirectories();
});

const BLOCKS = 8_000;

test('a disk that takes no more ends the store with exit code 70, and what it acknowledged is there', async () => {
  const data = join(temporaryDirectory(), 's1');
  const address = `127.0.0.1:${await freePorts(1)}`;
  const args = [
    'store',
    '--id',
    's1',
    '--data',
    data,
    '--listen',
    address,
    '--bootstrap',
    's1',
    '--shards',
    '8',
  ];
  const endpoint = ['--endpoints', address];
  const limited = `trap '' XFSZ; ulimit -f ${BLOCKS}; exec ${commandLine(args)}`;
  const store = new Running(['-c', limited], { file: 'sh' });
  await store.line(/^store s1 is ready/);
  expect((await flotilla(['join', '1', '--stores', 's1', ...endpoint])).code).toBe(0);

  const lines = Array.from({ length: 20_000 }, (_, at) =>
    JSON.stringify({ key: `disk/${at}`, value: 'x'.repeat(500) }),
  );
  const load = flotilla(['load', '-', '--json', '--timeout', '2s', ...endpoint], { input: lines.join('\n') });
  expect(await store.exit).toEqual({ code: 70, signal: undefined });
  expect(store.err.some((line) => line.includes('"event":"fatal"'))).toBe(true);
  const { code, out, err } = await load;
  expect(code).toBe(3);
  const { stored, complete } = JSON.parse(out);
  expect(complete).toBe(false);
  expect(stored).toBeGreaterThan(0);
  // One outage, not one line for each write that was on its way.
  expect(err.split('\n').length).toBeLessThan(6);

  const again = new Running(args);
  await again.line(/^store s1 is ready/);
  const found = await flotilla(['scan', 'disk/', '--keys', ...endpoint]);
  expect(found.out.split('\n').length).toBeGreaterThanOrEqual(stored);
  await again.stop();
});
