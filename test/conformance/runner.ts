import { readFileSync, writeFileSync } from 'node:fs';
import { runInteraction } from './commands.ts';
import { ConfChangeSuite } from './confchange-suite.ts';
import type { DataFile, Suite } from './data-files.ts';
import { Environment } from './environment.ts';
import { parseFile, type TestCase } from './parser.ts';
import { runQuorum } from './quorum-suite.ts';

/** Runs data files and compares; knows nothing of what they say. */

export interface FileResult {
  readonly passed: number;
  /** The case that failed, and those behind it, which depend on it. */
  readonly failed: number;
  /** The first difference; undefined if there is none. */
  readonly difference: string | undefined;
}

/** A number in [0, limit), for election timeouts. */
export type Random = (limit: number) => number;

export function runFile(file: DataFile, random: Random): FileResult {
  const failed = (error: unknown): FileResult => {
    return { passed: 0, failed: 1, difference: `${file.name}: ${messageOf(error)}` };
  };
  let cases: readonly TestCase[];
  try {
    cases = parseFile(readFileSync(file.path, 'utf8'));
  } catch (error) {
    return failed(error);
  }
  if (cases.length === 0) return failed('there is no case in it');
  return runCases(file.suite, file.name, cases, random);
}

/** Stops at the first case that prints something else than it should: the later ones depend on its outcome. */
export function runCases(suite: Suite, name: string, cases: readonly TestCase[], random: Random): FileResult {
  const run = runnerOf(suite, random);
  let passed = 0;
  for (const test of cases) {
    const difference = check(test, run);
    if (difference !== undefined) {
      const text = `${name}:${test.line}: ${test.command}\n${difference}`;
      return { passed, failed: cases.length - passed, difference: text };
    }
    passed++;
  }
  return { passed, failed: 0, difference: undefined };
}

/** Writes what the cases print now in place of what they expect. For our own files, to be read before they are committed. */
export function rewriteFile(file: DataFile, random: Random): void {
  const text = readFileSync(file.path, 'utf8');
  const lines = text.split('\n');
  const run = runnerOf(file.suite, random);
  let output = '';
  let at = 0;
  for (const test of parseFile(text)) {
    for (; at < test.expectedFrom; at++) output += `${lines[at]}\n`;
    output += completed(run(test));
    at = test.expectedTo;
  }
  writeFileSync(file.path, output + lines.slice(at).join('\n'));
}

function runnerOf(suite: Suite, random: Random): (test: TestCase) => string {
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
    actual = completed(run(test));
  } catch (error) {
    return `  threw ${error instanceof Error ? error.stack : String(error)}`;
  }
  return actual === test.expected ? undefined : firstDifference(test.expected, actual);
}

/** What is printed ends with a newline, unless it is nothing. */
function completed(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
