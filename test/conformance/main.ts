import { resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Prng } from '@flotilla/base';
import { findDataFiles, rewriteFile, runFile } from './runner.ts';

/**
 * Runs etcd raft's data files against our core: `npm run conformance -- [DIR]`. DIR (or FLOTILLA_RAFT_TESTDATA)
 * has the folders quorum, confchange and interaction. Prints the first difference of each file that fails. With
 * `--rewrite DIR` the files get what they print now; that is for our own ones, in `scenarios`.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const args = process.argv.slice(2);
const rewrite = args[0] === '--rewrite';
if (rewrite) args.shift();
const given = args[0] ?? process.env.FLOTILLA_RAFT_TESTDATA;
const directory = given === undefined ? resolve(root, '../shared/conformance/etcd-raft') : resolve(given);
const files = findDataFiles(directory);

if (files === undefined) {
  console.error(
    `There is no directory ${directory}. Name one that has quorum, confchange and interaction files.`,
  );
  process.exitCode = 1;
} else {
  const prng = new Prng(1);
  let passed = 0;
  let failed = 0;
  for (const file of files) {
    if (rewrite) rewriteFile(file, (limit) => prng.below(limit));
    const result = runFile(file, (limit) => prng.below(limit));
    passed += result.passed;
    failed += result.failed;
    if (result.difference !== undefined) console.log(`FAIL ${result.difference}`);
  }
  console.log(`${files.length} files, ${passed} cases passed, ${failed} failed`);
  if (failed > 0 || files.length === 0) process.exitCode = 1;
}
