import { expect, test } from 'vitest';
import { Sources } from './sources.ts';

const places = ['s1', 's2', 's3'].map((storeId, at) => ({
  raftId: at + 1,
  storeId,
  storeIncarnation: 'a',
}));

test('a replica on this very store is asked first, the leader last', () => {
  expect(new Sources('s3', () => true).pick(places, 's1', 0)).toBe('s3');
  expect(new Sources('s9', () => true).pick(places, 's1', 0)).toBe('s2');
  expect(new Sources('s1', () => true).pick(places, 's1', 0)).toBe('s1');
});

test('one that could not answer is left alone for a while, and the leader is asked when nobody else is left', () => {
  const sources = new Sources('s9', () => true);
  sources.avoid('s2', 100);
  expect(sources.pick(places, 's1', 0)).toBe('s3');
  sources.avoid('s3', 50);
  expect(sources.pick(places, 's1', 0)).toBe('s1');
  sources.avoid('s1', 20);
  expect(sources.pick(places, 's1', 0)).toBeUndefined();
  expect(sources.pick(places, 's1', 60)).toBe('s3');
});

test('whoever answered answers again, unless it cannot be reached', () => {
  const down = new Set<string>();
  const sources = new Sources('s9', (storeId) => !down.has(storeId));
  sources.avoid('s2', 100);
  expect(sources.pick(places, 's1', 0)).toBe('s3');
  expect(sources.pick(places, 's1', 200)).toBe('s3');
  down.add('s3');
  expect(sources.pick(places, 's1', 200)).toBe('s2');
});
