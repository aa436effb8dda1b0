import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Prng } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { type DataFile, findDataFiles, runFile } from './runner.ts';

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

function runAll(title: string, list: readonly DataFile[]): void {
  describe.each(RANDOM)(`${title} with %s election timeouts`, (_, random) => {
    test.each(list)('$name', (file) => {
      const { difference, passed } = runFile(file, random);
      expect(difference).toBeUndefined();
      expect(passed).toBeGreaterThan(0);
    });
  });
}

if (files === undefined) {
  test('the data files of etcd raft are not here', () => {
    console.log(`conformance skipped: no directory ${directory} (set FLOTILLA_RAFT_TESTDATA)`);
  });
} else {
  runAll("etcd raft's data files", files);
}

// Our own files in the same form: what etcd's leave out.
runAll('our own scenarios', findDataFiles(resolve(import.meta.dirname, 'scenarios')) ?? []);

test('a wrong expectation is reported with its line and the first difference', () => {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-conformance-'));
  mkdirSync(join(directory, 'quorum'));
  const path = join(directory, 'quorum', 'wrong.txt');
  writeFileSync(
    path,
    '# A comment\nvote\n----\nVoteWon\n\nvote cfg=(1) votes=(_)\n----\nVoteWon\n\nvote\n----\nVoteWon\n',
  );
  const [file] = findDataFiles(directory) ?? [];
  const result = runFile(file as DataFile, () => 0);
  rmSync(directory, { recursive: true });
  expect(result).toEqual({
    passed: 1,
    failed: 2,
    difference: 'quorum/wrong.txt:6: vote\n  - VoteWon\n  + VotePending',
  });
});
