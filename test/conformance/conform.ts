import { Prng } from '@flotilla/base';
import { dataDirectory, findDataFiles } from './data-files.ts';
import { rewriteFile, runFile } from './runner.ts';

/** The command `npm run conformance`, but for the process around it. */

const USAGE = 'usage: npm run conformance -- [--rewrite] [DIR]';

/** Runs all data files of a directory. True if there are some and all pass. */
export function conform(args: readonly string[], print: (line: string) => void): boolean {
  const rewrite = args[0] === '--rewrite';
  const [given, ...more] = rewrite ? args.slice(1) : args;
  if (more.length > 0 || given?.startsWith('-') || (rewrite && given === undefined)) {
    print(USAGE);
    return false;
  }
  const { files, problem } = findDataFiles(dataDirectory(given));
  if (files === undefined) {
    print(`${problem} Name a directory with quorum, confchange and interaction files.`);
    return false;
  }
  const prng = new Prng(1);
  const random = (limit: number): number => prng.below(limit);
  let passed = 0;
  let failed = 0;
  for (const file of files) {
    if (rewrite) rewriteFile(file, random);
    const result = runFile(file, random);
    passed += result.passed;
    failed += result.failed;
    if (result.difference !== undefined) print(`FAIL ${result.difference}`);
  }
  print(`${files.length} files, ${passed} cases passed, ${failed} failed`);
  return failed === 0;
}
