import { expect, test } from 'vitest';
import { checkReferences, fullPath } from './doc-references.ts';
import { describeViolation } from './violation.ts';

const files: Readonly<Record<string, string>> = {
  'packages/raft/src/log.ts': 'export class RaftLog {\n  maybeCommit(index: number): boolean {}\n}',
  'packages/raft/src/log.test.ts':
    "test('it can\\'t go back (paper 5.3)', () => {});\ntest(`of $1; and $2, too`, () => {});",
  'test/host/leases.test.ts': "describe('the lease', () => {});",
};

function found(text: string): readonly string[] {
  return checkReferences('doc.md', text, ['raft', 'ports'], (path) => files[path]).map(describeViolation);
}

const wrong = (rule: string): string[] => [`doc.md:1: ${rule}. name what is there, or restore it`];

test('short paths are those of sources, contracts and tests', () => {
  expect(fullPath('raft/log.ts', ['raft'])).toBe('packages/raft/src/log.ts');
  expect(fullPath('ports/contract/network.ts', ['ports'])).toBe('packages/ports/contract/network.ts');
  expect(fullPath('test/host/leases.test.ts', [])).toBe('test/host/leases.test.ts');
  expect(fullPath('cluster.sim.test.ts', ['raft'])).toBeUndefined();
});

test('what is there passes: files, functions, whole titles, and titles with gaps', () => {
  expect(
    found(
      '| rule | `raft/log.ts`: `RaftLog`, `RaftLog.maybeCommit` | `test/host/leases.test.ts` "the lease" |',
    ),
  ).toEqual([]);
  expect(found('`raft/log.test.ts` "it can\'t go back (paper 5.3)", "it can\'t…", "it…(paper 5.3)"')).toEqual(
    [],
  );
  expect(found('`raft/log.test.ts` "of …; and …, too"')).toEqual([]);
});

test('a file, a function or a title that is not there is found', () => {
  expect(found('`raft/gone.test.ts` "anything"')).toEqual(
    wrong('there is no packages/raft/src/gone.test.ts'),
  );
  expect(found('`raft/log.ts`: `maybeCommitted`')).toEqual(
    wrong('packages/raft/src/log.ts has no maybeCommitted'),
  );
  for (const title of ['it can', 'go back…', "it can't go back"]) {
    expect(found(`\`raft/log.test.ts\` "${title}"`)).toEqual(
      wrong(`packages/raft/src/log.test.ts has no "${title}"`),
    );
  }
  // The second title belongs to the second file.
  expect(
    found('`raft/log.test.ts` "of …; and …, too", `test/host/leases.test.ts` "of …; and …, too"').length,
  ).toBe(1);
});

test('what is quoted behind a semicolon, a full stop or the end of a cell is no title of the file', () => {
  expect(found('`raft/log.test.ts` "of …; and …, too"; checker "no progress". See "this" | "that"')).toEqual(
    [],
  );
});
