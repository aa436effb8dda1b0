import { expect, test } from 'vitest';
import { groupsOf, moveOf } from './arguments.ts';

test('groups to join come with their stores beside them, or each with its own', () => {
  expect(groupsOf(['3'], 's1,s2, s3')).toEqual({ 3: ['s1', 's2', 's3'] });
  expect(groupsOf(['3=s1,s2,s3', '4=s4'], undefined)).toEqual({ 3: ['s1', 's2', 's3'], 4: ['s4'] });
  const seven = ['s1', 's2', 's3', 's4', 's5', 's6', 's7'];
  expect(groupsOf([`9=${seven.join(',')}`], undefined)).toEqual({ 9: seven });
});

test.each([
  [['3'], undefined, /group 3 has no stores: add --stores s1,s2,s3, or write 3=s1,s2,s3/],
  [['3=s1', '4'], undefined, /group 4 has no stores/],
  [['3=s1'], 's1', /--stores and 3=s1 exclude each other/],
  [['3', '4'], 's1', /--stores is for one group/],
  [['3=s1', '3=s2'], undefined, /group 3 is named twice/],
  [['3='], undefined, /3=: "" is not a store id/],
  [['0=s1'], undefined, /0 is the controller group/],
  [['x=s1'], undefined, /"x" is not the id of a data group/],
  [['3=s1,s1'], undefined, /3=s1,s1 names s1 twice/],
  [['3'], 's1,s2,s3,s4,s5,s6,s7,s8', /8 replicas are too many/],
])('a mistake in join %j --stores %s is told', (args, stores, message) => {
  expect(() => groupsOf(args, stores)).toThrow(message);
});

test('a move is named by its config, and by its shard if only one is meant', () => {
  expect([moveOf('17'), moveOf('17/4'), moveOf('17/0')]).toEqual([
    17,
    { moveId: 17, shard: 4 },
    { moveId: 17, shard: 0 },
  ]);
  for (const text of ['', '17/', '/4', '17/4/1', 'x', '-1', '1.5', '17/99999'])
    expect(() => moveOf(text)).toThrow(/is not a move: use 17 for all moves of config 17, or 17\/4/);
});
