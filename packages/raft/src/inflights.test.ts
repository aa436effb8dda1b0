import { InvariantError, Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import { Inflights } from './inflights.ts';

test('a window is full by count or by bytes, and one message may pass the byte limit', () => {
  const byCount = new Inflights(2, 1_000);
  byCount.add(1, 10);
  expect(byCount.full).toBe(false);
  byCount.add(2, 10);
  expect(byCount.full).toBe(true);
  const byBytes = new Inflights(100, 50);
  byBytes.add(3, 49);
  expect(byBytes.full).toBe(false);
  byBytes.add(4, 1_000);
  expect(byBytes.full).toBe(true);
  expect(() => byBytes.add(5, 1)).toThrow(InvariantError);
});

test('an acknowledgement frees everything up to it', () => {
  const window = new Inflights(4, 1_000);
  for (const index of [2, 4, 6, 8]) window.add(index, 100);
  window.freeUpTo(1);
  expect(window.count).toBe(4);
  window.freeUpTo(6);
  expect([window.count, window.bytes, window.full]).toEqual([1, 100, false]);
  window.freeUpTo(100);
  expect([window.count, window.bytes]).toEqual([0, 0]);
});

test('indexes only grow', () => {
  const window = new Inflights(4, 1_000);
  window.add(5, 1);
  expect(() => window.add(5, 1)).toThrow(InvariantError);
});

test('the ring agrees with a plain list over many additions and acknowledgements', () => {
  const prng = new Prng(3);
  const window = new Inflights(37, 2_000);
  let list: { index: number; bytes: number }[] = [];
  let index = 0;
  let full = 0;
  for (let round = 0; round < 5_000; round++) {
    if (!window.full && prng.chance(0.6)) {
      index += 1 + prng.below(3);
      const bytes = prng.below(90);
      window.add(index, bytes);
      list.push({ index, bytes });
    } else {
      const upTo = index - prng.below(400);
      window.freeUpTo(upTo);
      list = list.filter((item) => item.index > upTo);
    }
    const bytes = list.reduce((sum, item) => sum + item.bytes, 0);
    expect([window.count, window.bytes]).toEqual([list.length, bytes]);
    expect(window.full).toBe(list.length >= 37 || bytes >= 2_000);
    if (window.full) full++;
  }
  expect(full).toBeGreaterThan(10);
});
