import type { Writer } from '@flotilla/base';
import type { Proposal, Replica } from '@flotilla/host';
import { MoveAnswer, writeMoveOutcome } from '@flotilla/wire';
import { beforeEach, expect, test } from 'vitest';
import { FirstAssignments } from './first-assignments.ts';
import type { GroupScene } from './group-scene.ts';
import type { MoveOrder } from './move-order.ts';
import type { MoveWorld } from './move-world.ts';

const order: MoveOrder = {
  ...{ moveId: 17, shard: 4, source: 0, target: 2, epoch: 1, isPaused: false, isCancelling: false },
};
const scene = { replica: {} as Replica } as GroupScene;

let proposed: Proposal[];
let isOverloaded: boolean;
let wakes: number;
let assignments: FirstAssignments;

beforeEach(() => {
  proposed = [];
  isOverloaded = false;
  wakes = 0;
  const host = {
    propose: (_replica: Replica, proposal: Proposal) => {
      proposed.push(proposal);
      if (isOverloaded) proposal.refused({ kind: 'overloaded', retryAfterMs: 50, what: 'too much waits' });
    },
  };
  const world = { host, stampFor: () => 0 } as unknown as MoveWorld;
  assignments = new FirstAssignments(world, () => {
    wakes++;
  });
});

test('a shard is proposed once at a time, and its activation is looked at without delay', () => {
  assignments.activate(scene, order);
  assignments.activate(scene, order);
  expect(proposed.length).toBe(1);
  writeMoveOutcome(proposed[0]?.out() as Writer, { answer: MoveAnswer.active });
  proposed[0]?.applied(1);
  expect(wakes).toBe(1);
});

test('an overloaded group is not asked again before the next tick', () => {
  isOverloaded = true;
  assignments.activate(scene, order);
  expect(wakes).toBe(0);
  isOverloaded = false;
  assignments.activate(scene, order);
  expect(proposed.length).toBe(2);
});
