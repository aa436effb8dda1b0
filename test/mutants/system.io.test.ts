import { expect, test } from 'vitest';
import { patchedTexts } from './apply.ts';
import { ask } from './system/ask.ts';
import { sabotages } from './system/index.ts';
import { writtenRows } from './system/table.ts';

/** Of each kind one that shows in the first clusters. */
const sample = [
  'answers-before-the-commit',
  'log-dropped-beyond-the-durable-state',
  'read-at-whatever-is-applied',
  'doubt-forgotten',
  'session-row-removed-early',
  'writes-after-the-freeze',
  'rows-left-behind-and-nothing-compared',
  'owner-without-a-new-epoch',
];
const SAMPLE_SEEDS = 20;
const TEST_MS_MAX = 120_000;

test.each(sabotages)('the sabotage $name fits the sources of now', ({ patches }) => {
  expect(Object.keys(patchedTexts(patches)).length).toBeGreaterThan(0);
});

test('sabotages have names of their own, and there are at least thirty', () => {
  const names = new Set(sabotages.map(({ name }) => name));
  expect(names.size).toBe(sabotages.length);
  expect(names.size).toBeGreaterThanOrEqual(30);
});

test('the documentation tells of every sabotage, with its rule and a check that it names, and of no other', () => {
  const rows = writtenRows();
  expect(rows.map(([name, rule]) => [name, rule])).toEqual(
    sabotages.map(({ name, rule }) => [`\`${name}\``, rule]),
  );
  for (const [at, [, , checker = '', , tried]] of rows.entries()) {
    expect(sabotages[at]?.checkers).toContain(checker);
    expect(Number(tried)).toBeLessThanOrEqual(200);
  }
});

test.each(sample)('the simulator notices the sabotage %s', { timeout: 2 * TEST_MS_MAX }, async (name) => {
  const verdict = await ask({ name, first: 1, seeds: SAMPLE_SEEDS }, TEST_MS_MAX);
  expect(verdict).toMatchObject({ kind: 'caught' });
  const checkers = sabotages.find((each) => each.name === name)?.checkers ?? [];
  expect(checkers).toContain(verdict.kind === 'caught' ? verdict.checker : '');
});
