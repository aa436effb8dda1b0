import { Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import { jointIndex, jointVote, majority, majorityIndex, majorityVote } from './quorum.ts';

const from =
  <Value>(values: Readonly<Record<number, Value>>) =>
  (id: number): Value | undefined =>
    values[id];

test('a majority is more than half of the voters (paper 5.2)', () => {
  expect([1, 2, 3, 4, 5, 6, 7].map(majority)).toEqual([1, 2, 2, 3, 3, 4, 4]);
});

test('an index is committed once a majority has it, and voters without an answer count as zero', () => {
  expect(majorityIndex([1, 2, 3], from({ 1: 5, 2: 9 }))).toBe(5);
  expect(majorityIndex([1, 2, 3], from({ 1: 5 }))).toBe(0);
  expect(majorityIndex([1, 2, 3, 4], from({ 1: 4, 2: 3, 3: 2, 4: 1 }))).toBe(2);
  expect(majorityIndex([], from({}))).toBe(Number.POSITIVE_INFINITY);
});

test('while joint an index needs both majorities (thesis 4.3)', () => {
  expect(jointIndex([1, 2, 3], [3, 4, 5], from({ 1: 9, 2: 9, 3: 9, 4: 0, 5: 0 }))).toBe(0);
  expect(jointIndex([1, 2, 3], [3, 4, 5], from({ 1: 9, 2: 9, 3: 9, 4: 4, 5: 0 }))).toBe(4);
  expect(jointIndex([1, 2, 3], [], from({ 1: 9, 2: 8 }))).toBe(8);
});

test('a vote is decided as soon as the missing answers cannot change it', () => {
  expect(majorityVote([1, 2, 3], from({ 1: true, 2: true }))).toBe('won');
  expect(majorityVote([1, 2, 3], from({ 1: true, 2: false }))).toBe('pending');
  expect(majorityVote([1, 2, 3], from({ 1: false, 2: false }))).toBe('lost');
  expect(majorityVote([1, 2, 3, 4], from({ 1: false, 2: false }))).toBe('lost');
  expect(majorityVote([1, 2, 3, 4], from({ 1: true, 2: true }))).toBe('pending');
});

test('a joint vote is won in both halves and lost in one (thesis 4.3)', () => {
  expect(jointVote([1, 2], [3], from({ 1: true, 2: true }))).toBe('pending');
  expect(jointVote([1, 2], [3], from({ 1: true, 2: true, 3: false }))).toBe('lost');
  expect(jointVote([1, 2], [3], from({ 3: false }))).toBe('lost');
  expect(jointVote([1, 2], [3], from({ 1: true, 2: true, 3: true }))).toBe('won');
});

test('sorting and counting agree on random quorums', () => {
  const prng = new Prng(11);
  for (let round = 0; round < 2_000; round++) {
    const voters = Array.from({ length: 1 + prng.below(7) }, (_, at) => at + 1);
    const indexes = new Map(voters.filter(() => prng.chance(0.8)).map((id) => [id, prng.below(6)]));
    const index = majorityIndex(voters, (id) => indexes.get(id));
    const having = (least: number): number => voters.filter((id) => (indexes.get(id) ?? 0) >= least).length;
    expect(having(index) * 2).toBeGreaterThan(voters.length);
    expect(having(index + 1) * 2).toBeLessThanOrEqual(voters.length);
  }
});
