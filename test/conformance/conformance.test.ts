import { resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Prng } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { findDataFiles, runFile } from './runner.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const given = process.env.FLOTILLA_RAFT_TESTDATA;
const directory = given === undefined ? resolve(root, '../shared/conformance/etcd-raft') : resolve(given);
const files = findDataFiles(directory);

// No file may depend on what the election timeouts happen to be.
const prng = new Prng(7);
const RANDOM: readonly (readonly [string, (limit: number) => number])[] = [
  ['shortest', () => 0],
  ['longest', (limit) => limit - 1],
  ['random', (limit) => prng.below(limit)],
];

if (files === undefined) {
  test('the data files of etcd raft are not here', () => {
    console.log(`conformance skipped: no directory ${directory} (set FLOTILLA_RAFT_TESTDATA)`);
  });
} else {
  describe.each(RANDOM)("etcd raft's data files with %s election timeouts", (_, random) => {
    test.each(files)('$name', (file) => {
      const { difference, passed } = runFile(file, random);
      expect(difference).toBeUndefined();
      expect(passed).toBeGreaterThan(0);
    });
  });
}
