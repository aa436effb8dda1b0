import { Prng } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { type DataFile, dataDirectory, findDataFiles, SCENARIOS_DIRECTORY } from './data-files.ts';
import { type Random, runFile } from './runner.ts';

// No file may depend on what the election timeouts happen to be.
const prng = new Prng(7);
const RANDOM: readonly (readonly [string, Random])[] = [
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

const { files, problem } = findDataFiles(dataDirectory(undefined));
if (files !== undefined) {
  runAll("etcd raft's data files", files);
} else {
  test("etcd raft's data files are not here", (context) => {
    console.log(`conformance skipped: ${problem} Name another one with FLOTILLA_RAFT_TESTDATA.`);
    context.skip();
  });
}

runAll('our own scenarios', findDataFiles(SCENARIOS_DIRECTORY).files ?? []);
