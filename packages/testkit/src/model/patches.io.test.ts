import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { models } from './models.ts';
import { checkPatches, noAssertions, patched } from './patches.ts';

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

describe.each(models)('the model $name', ({ bounds, variants }) => {
  test.each(bounds)('has patches for the search $name that fit the sources of now', ({ patches }) => {
    checkPatches(patches);
  });

  test.each(variants)('has patches for $name that fit the sources of now', (variant) => {
    const search = bounds.find(({ name }) => name === variant.bounds);
    expect(search?.walks).toBe(false);
    checkPatches([...(search?.patches ?? []), noAssertions, ...variant.patches]);
  });

  test('names searches and wrong rules once', () => {
    for (const names of [bounds.map(({ name }) => name), variants.map(({ name }) => name)]) {
      expect(new Set(names).size).toBe(names.length);
    }
  });

  test('is documented with every wrong rule', () => {
    const documentation = readFileSync(new URL('../../../../docs/testing.md', import.meta.url), 'utf8');
    for (const { name, harm, rule } of variants) {
      const line = documentation.split('\n').find((each) => each.includes(`\`${name}\``));
      expect(line).toContain(harm);
      expect(line).toContain(rule);
    }
  });
});
