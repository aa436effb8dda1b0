import { expect, test } from 'vitest';
import { countWithin, entriesBytes, entryBytes, payloadBytes } from './storage.ts';
import { entryOf } from './test-cluster.ts';

const entries = [entryOf(1, 1, 'abc'), entryOf(2, 1), entryOf(3, 1, 'defgh')];

test('payload is the data alone, and nothing has none', () => {
  expect(payloadBytes(entries)).toBe(8);
  expect(payloadBytes([])).toBe(0);
});

test('in the other limits each entry counts with its head', () => {
  expect(entries.map(entryBytes)).toEqual([19, 16, 21]);
  expect(entriesBytes(entries)).toBe(56);
  expect(entriesBytes([])).toBe(0);
});

test('as many entries are within a limit as fit exactly, and one always is', () => {
  const within = (bytesMax: number, begin = 0, end = 3): number => countWithin(entries, begin, end, bytesMax);
  expect([0, 34, 35, 55, 56].map((bytesMax) => within(bytesMax))).toEqual([1, 1, 2, 2, 3]);
  expect(within(36, 1)).toBe(1);
  expect(within(37, 1)).toBe(2);
  expect(within(100, 2, 2)).toBe(0);
});
