import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { allBounds } from './move/bounds.ts';
import { noAssertions, variants } from './move/variants/index.ts';
import { checkPatches, patched } from './patches.ts';

const patch = { file: 'a.ts', find: 'x > 1', replace: 'true' };

test('a patch changes the one place that it fits', () => {
  expect(patched('if (x > 1) go();', patch)).toBe('if (true) go();');
});

test('a patch that fits no place, or two, is an error and not a test that passes', () => {
  expect(() => patched('if (x >= 1) go();', patch)).toThrow('a patch of a.ts fits 0 places instead of one');
  expect(() => patched('x > 1 && x > 1', patch)).toThrow('fits 2 places');
});

test('what is put in stands as it is, dollar signs and all', () => {
  expect(patched('a x > 1 b', { ...patch, replace: '$& $1' })).toBe('a $& $1 b');
});

test.each(allBounds)('the patches of the search $name fit the sources of now', ({ patches }) => {
  checkPatches(patches);
});

test.each(variants)('the wrong protocol $name fits the sources of now', ({ bounds, patches }) => {
  const search = allBounds.find(({ name }) => name === bounds);
  expect(search?.walks).toBe(false);
  checkPatches([...(search?.patches ?? []), noAssertions, ...patches]);
});

test('searches and wrong protocols have names of their own', () => {
  for (const names of [allBounds.map(({ name }) => name), variants.map(({ name }) => name)]) {
    expect(new Set(names).size).toBe(names.length);
  }
});

test('the documentation tells of every wrong protocol', () => {
  const documentation = readFileSync(new URL('../../../../docs/testing.md', import.meta.url), 'utf8');
  for (const { name, harm, rule } of variants) {
    const line = documentation.split('\n').find((each) => each.includes(`\`${name}\``));
    expect(line).toContain(harm);
    expect(line).toContain(rule);
  }
});
