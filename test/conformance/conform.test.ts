import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { conform } from './conform.ts';

/** The command `npm run conformance` on directories of all kinds. */

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-conformance-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
  vi.unstubAllEnvs();
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), text);
}

function run(...args: string[]): { passes: boolean; lines: string[] } {
  const lines: string[] = [];
  const passes = conform(args, (line) => lines.push(line));
  return { passes, lines };
}

const VOTE = 'vote\n----\nVoteWon\n';

test('all three suites run, however deep their files lie and whatever they are called', () => {
  write('quorum/a.txt', `${VOTE}\n${VOTE}`);
  write('quorum/deeper/and deeper/a.txt', VOTE);
  write('other/confchange/x-y.txt', 'simple\nv1\n----\nvoters=(1)\n1: StateProbe match=0 next=1\n');
  write('interaction/quorum.txt', 'log-level none\n----\nok\n');
  write('interaction/confchange/b.txt', "leave-joint\n----\ncan't leave a non-joint config\n");
  write('NOTICE', 'not a data file');
  write('read me.txt', 'belongs to no suite');
  write('interaction/notes.md', 'not a data file');
  expect(run(directory)).toEqual({ passes: true, lines: ['5 files, 6 cases passed, 0 failed'] });
});

test('a folder of one suite may be named itself', () => {
  write('quorum/a.txt', VOTE);
  write('interaction/b.txt', 'nothing\n----\nok\n');
  expect(run(join(directory, 'quorum'))).toEqual({
    passes: true,
    lines: ['1 files, 1 cases passed, 0 failed'],
  });
});

test('the first difference of each failing file is printed, and the cases behind it count as failed', () => {
  write('quorum/right.txt', VOTE);
  write('quorum/wrong.txt', `# A comment\n${VOTE}\nvote cfg=(1) votes=(_)\n----\nVoteWon\n\n${VOTE}`);
  write('interaction/wrong.txt', 'add-nodes 1\n----\nINFO 1 switched to configuration voters=()\n');
  const { passes, lines } = run(directory);
  expect(passes).toBe(false);
  expect(lines).toEqual([
    [
      'FAIL interaction/wrong.txt:1: add-nodes',
      '    INFO 1 switched to configuration voters=()',
      '  - (end)',
      '  + INFO 1 became follower at term 0',
    ].join('\n'),
    'FAIL quorum/wrong.txt:6: vote\n  - VoteWon\n  + VotePending',
    '3 files, 2 cases passed, 3 failed',
  ]);
});

test('a file that is no data file fails alone', () => {
  write('quorum/a.txt', 'vote\nVoteWon\n');
  write('quorum/b.txt', '# Nothing but a comment\n');
  write('quorum/c.txt', VOTE);
  expect(run(directory)).toEqual({
    passes: false,
    lines: [
      'FAIL quorum/a.txt: line 1: no ---- after the directive',
      'FAIL quorum/b.txt: there is no case in it',
      '3 files, 1 cases passed, 2 failed',
    ],
  });
});

test('white space counts', () => {
  write('quorum/a.txt', 'vote\n----\nVoteWon \n');
  expect(run(directory).passes).toBe(false);
});

test('a directory that is absent, no directory, or empty is said to be so', () => {
  const absent = run(join(directory, 'absent'));
  expect(absent).toEqual({
    passes: false,
    lines: [
      `There is no directory ${join(directory, 'absent')}. Name a directory with quorum, confchange and interaction files.`,
    ],
  });
  write('file.txt', VOTE);
  expect(run(join(directory, 'file.txt')).lines[0]).toContain('There is no directory');
  mkdirSync(join(directory, 'quorum'));
  const empty = run(directory);
  expect(empty.passes).toBe(false);
  expect(empty.lines).toHaveLength(1);
  expect(empty.lines[0]).toContain('holds no .txt file in a folder quorum, confchange, interaction');
});

test('the directory may come from FLOTILLA_RAFT_TESTDATA, and an argument goes before it', () => {
  write('one/quorum/a.txt', VOTE);
  write('two/quorum/a.txt', `${VOTE}\n${VOTE}`);
  vi.stubEnv('FLOTILLA_RAFT_TESTDATA', join(directory, 'one'));
  expect(run().lines).toEqual(['1 files, 1 cases passed, 0 failed']);
  expect(run(join(directory, 'two')).lines).toEqual(['1 files, 2 cases passed, 0 failed']);
});

test.each([[['a', 'b']], [['--rewrite']], [['--what']]])('%j is answered with the usage', (args) => {
  const { passes, lines } = run(...args);
  expect(passes).toBe(false);
  expect(lines[0]).toMatch(/^usage: /);
});

test('rewriting leaves comments and directives alone', () => {
  write('quorum/a.txt', '# Why\n\nvote cfg=(1) \\\n  votes=(n)\n----\nVoteWon\n\n# And\nvote\n----\n');
  expect(run('--rewrite', directory).passes).toBe(true);
  expect(run(directory).lines).toEqual(['1 files, 2 cases passed, 0 failed']);
});
