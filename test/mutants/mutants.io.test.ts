import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { patchedTexts } from './apply.ts';
import { mutants } from './named/index.ts';
import { allPlaces } from './places.ts';
import { Runner } from './runner.ts';
import { filesOf, root } from './suites.ts';
import { survivors } from './survivors.ts';

test.each(mutants)('the mutant $name fits the sources of now', ({ patches }) => {
  expect(Object.keys(patchedTexts(patches)).length).toBeGreaterThan(0);
});

test('mutants have names of their own, and there are at least fifty', () => {
  const names = new Set(mutants.map(({ name }) => name));
  expect(names.size).toBe(mutants.length);
  expect(names.size).toBeGreaterThanOrEqual(50);
});

test('the documentation tells of every mutant, with its rule and the source of that, and of no other', () => {
  const documentation = readFileSync(join(root, 'docs', 'testing.md'), 'utf8');
  const section =
    documentation.split('\n## ').find((text) => text.startsWith('What the mutants break')) ?? '';
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(rows.map(([, name, rule, source]) => [name, rule, source])).toEqual(
    mutants.map(({ name, rule, source }) => [`\`${name}\``, rule, source]),
  );
});

test('every survivor in the list is a place of the core of now, and stands there once', () => {
  const names = new Set(allPlaces().map(({ name }) => name));
  expect(survivors.filter(({ place }) => !names.has(place))).toEqual([]);
  expect(new Set(survivors.map(({ place }) => place)).size).toBe(survivors.length);
});

test('there are places to choose from, each with a name of its own', () => {
  const places = allPlaces();
  expect(places.length).toBeGreaterThan(500);
  expect(new Set(places.map(({ name }) => name)).size).toBe(places.length);
});

describe('the runner', () => {
  const runner = new Runner(60_000, 'inherit');
  const files = filesOf('raft').filter((file) => /\/(election|roles)\.test\.ts$/.test(file));
  const file = 'packages/raft/src/roles.ts';
  const textsWith = (find: string, replace: string): Readonly<Record<string, string>> =>
    patchedTexts([{ file, find, replace }]);

  afterAll(() => runner.stop());

  test('tells a core that gives its vote twice from a harmless change, in either order', async () => {
    const harmless = textsWith('    core.vote = 0;\n', '    core.vote = 0 + 0;\n');
    const wrong = textsWith('  if (core.term !== term) {', '  {');
    expect(await runner.run({ texts: harmless, files })).toMatchObject({ kind: 'survived' });
    expect(await runner.run({ texts: wrong, files })).toMatchObject({ kind: 'killed' });
    expect(await runner.run({ texts: harmless, files })).toMatchObject({ kind: 'survived' });
  });

  test('praises nobody for a module that does not load', async () => {
    const broken = textsWith('export function becomeFollower', 'nowhere();\nexport function becomeFollower');
    expect(await runner.run({ texts: broken, files })).toMatchObject({ kind: 'broken' });
    const other = { [join(root, 'packages/raft/src/no-such-file.ts')]: '' };
    expect(await runner.run({ texts: other, files })).toMatchObject({ kind: 'broken' });
  });

  test('ends what does not end by itself, and goes on', async () => {
    const endless = textsWith('  core.electionElapsed = 0;\n', '  for (;;);\n');
    const hasty = new Runner(3_000, 'ignore');
    expect(await hasty.run({ texts: endless, files })).toEqual({ kind: 'killed', by: 'time' });
    hasty.stop();
    expect(await runner.run({ texts: {}, files })).toMatchObject({ kind: 'survived' });
  });
});
