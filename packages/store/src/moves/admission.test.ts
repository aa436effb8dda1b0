import { expect, test } from 'vitest';
import { type Candidate, turnsOf } from './admission.ts';
import type { MoveOrder } from './move-order.ts';

function candidate(
  fields: Partial<Candidate> = {},
  order: Partial<Pick<MoveOrder, 'source' | 'isPaused' | 'isCancelling'>> = {},
): Candidate {
  const whole = { moveId: 1, shard: 0, source: 1, target: 2, epoch: 2, isPaused: false, isCancelling: false };
  return { order: { ...whole, ...order }, isRunning: false, isUrgent: false, isStalled: false, ...fields };
}

test('so many at a time, the first ones first', () => {
  const all = [candidate(), candidate(), candidate()];
  expect(turnsOf(all, 2)).toEqual(['runs', 'runs', 'full']);
});

test('those that run go on before those that wait, whatever their order', () => {
  const all = [candidate(), candidate({ isRunning: true }), candidate({ isRunning: true })];
  expect(turnsOf(all, 2)).toEqual(['full', 'runs', 'runs']);
  expect(turnsOf(all, 1)).toEqual(['full', 'runs', 'full']);
});

test('one that may be past its freeze runs whatever the limit, also paused or being cancelled', () => {
  const urgent = { isUrgent: true };
  const all = [
    candidate({ isRunning: true }),
    candidate(urgent),
    candidate(urgent, { isPaused: true }),
    candidate(urgent, { isCancelling: true }),
  ];
  expect(turnsOf(all, 1)).toEqual(['runs', 'runs', 'runs', 'runs']);
});

test('paused ones and those being cancelled are held back and take no place', () => {
  const all = [
    candidate({ isRunning: true }, { isPaused: true }),
    candidate({}, { isCancelling: true }),
    candidate(),
  ];
  expect(turnsOf(all, 1)).toEqual(['held-back', 'held-back', 'runs']);
});

test('a source that does not answer takes no place from others, and is asked for one move only', () => {
  const all = [
    candidate({ isRunning: true, isStalled: true }, { source: 7 }),
    candidate({}, { source: 7 }),
    candidate({}, { source: 8 }),
    candidate({}, { source: 9 }),
  ];
  expect(turnsOf(all, 1)).toEqual(['runs', 'source-stalled', 'runs', 'full']);
});

test('one that is held back says nothing about its source', () => {
  const all = [
    candidate({ isRunning: true, isUrgent: true, isStalled: true }, { isPaused: true }),
    candidate(),
  ];
  expect(turnsOf(all, 1)).toEqual(['runs', 'runs']);
});
