import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInteraction } from './commands.ts';
import { ConfChangeSuite } from './confchange-suite.ts';
import { Environment } from './environment.ts';
import { parseFile, type TestCase } from './parser.ts';
import { runQuorum } from './quorum-suite.ts';

/** Finds the data files and runs them; knows nothing of what they say. */

export const SUITES = ['quorum', 'confchange', 'interaction'] as const;
export type Suite = (typeof SUITES)[number];

export interface DataFile {
  readonly suite: Suite;
  /** Suite and file name. */
  readonly name: string;
  readonly path: string;
}

export interface FileResult {
  readonly passed: number;
  /** The case that failed, and those behind it, which depend on it. */
  readonly failed: number;
  /** The first difference; undefined if there is none. */
  readonly difference: string | undefined;
}

/** The data files below a directory, sorted; undefined if it is absent. */
export function findDataFiles(directory: string): DataFile[] | undefined {
  if (!isDirectory(directory)) return undefined;
  const files: DataFile[] = [];
  for (const suite of SUITES) {
    const folder = join(directory, suite);
    if (!isDirectory(folder)) continue;
    for (const file of readdirSync(folder).sort()) {
      if (file.endsWith('.txt')) files.push({ suite, name: `${suite}/${file}`, path: join(folder, file) });
    }
  }
  return files;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

export function runFile(file: DataFile, random: (limit: number) => number): FileResult {
  const cases = parseFile(readFileSync(file.path, 'utf8'));
  const run = runnerOf(file.suite, random);
  let passed = 0;
  for (const test of cases) {
    const difference = check(test, run);
    if (difference !== undefined) {
      const text = `${file.name}:${test.line}: ${test.command}\n${difference}`;
      return { passed, failed: cases.length - passed, difference: text };
    }
    passed++;
  }
  return { passed, failed: 0, difference: undefined };
}

/** Writes what the cases print now in place of what they expect. For our own files, to be read before they are committed. */
export function rewriteFile(file: DataFile, random: (limit: number) => number): void {
  const text = readFileSync(file.path, 'utf8');
  const lines = text.split('\n');
  const run = runnerOf(file.suite, random);
  let output = '';
  let at = 0;
  for (const test of parseFile(text)) {
    for (; at < test.expectedFrom; at++) output += `${lines[at]}\n`;
    const actual = run(test);
    output += actual === '' || actual.endsWith('\n') ? actual : `${actual}\n`;
    at = test.expectedTo;
  }
  writeFileSync(file.path, output + lines.slice(at).join('\n'));
}

function runnerOf(suite: Suite, random: (limit: number) => number): (test: TestCase) => string {
  if (suite === 'quorum') return runQuorum;
  if (suite === 'confchange') {
    const state = new ConfChangeSuite();
    return (test) => state.run(test);
  }
  const env = new Environment(random);
  return (test) => runInteraction(env, test);
}

function check(test: TestCase, run: (test: TestCase) => string): string | undefined {
  let actual: string;
  try {
    actual = run(test);
  } catch (error) {
    return `  threw ${error instanceof Error ? error.stack : String(error)}`;
  }
  if (actual !== '' && !actual.endsWith('\n')) actual += '\n';
  return actual === test.expected ? undefined : firstDifference(test.expected, actual);
}

/** The first line that differs, with a few lines before it. */
function firstDifference(expected: string, actual: string): string {
  const wanted = expected.split('\n');
  const got = actual.split('\n');
  let at = 0;
  while (wanted[at] === got[at]) at++;
  const lines = wanted.slice(Math.max(0, at - 4), at).map((line) => `    ${line}`);
  const show = (list: readonly string[]): string => (at < list.length - 1 ? (list[at] as string) : '(end)');
  lines.push(`  - ${show(wanted)}`, `  + ${show(got)}`);
  return lines.join('\n');
}
