import type { Host } from '@flotilla/host';
import {
  type AdminReply,
  type ClusterConfig,
  type GroupRecord,
  MoveAnswer,
  type MoveEntry,
  MoveStep,
  type MoveStepReply,
  StepFate,
} from '@flotilla/wire';
import { beforeEach, expect, test } from 'vitest';
import type { InternalCommand } from '../admin/changes.ts';
import { Cancels } from './cancels.ts';
import type { MoveCalls } from './move-calls.ts';
import type { MoveOrder } from './move-order.ts';
import type { MoveWorld } from './move-world.ts';

let now: number;
let leads: boolean;
let asked: { gid: number; step: MoveEntry; answer: (reply: MoveStepReply | undefined) => void }[];
let commands: InternalCommand[];
let cancels: Cancels;

beforeEach(() => {
  now = 0;
  leads = true;
  asked = [];
  commands = [];
  const groups = [1, 2].map((gid) => ({ gid, incarnation: 1, replicas: [], leaving: false }));
  const world = {
    now: () => now,
    config: () => ({ groups }) as unknown as ClusterConfig,
    host: { replica: () => ({ isServing: leads }) } as unknown as Host,
    command: (command: InternalCommand, done: (reply: AdminReply) => void) => {
      commands.push(command);
      done({ ok: true, result: {} });
    },
  } as unknown as MoveWorld;
  const calls = {
    step: (group: GroupRecord, step: MoveEntry, answer: (reply: MoveStepReply | undefined) => void) =>
      void asked.push({ gid: group.gid, step, answer }),
  } as unknown as MoveCalls;
  cancels = new Cancels(world, calls, () => {});
});

function order(shard: number, fields: Partial<MoveOrder> = {}): MoveOrder {
  const whole = { moveId: 17, shard, source: 1, target: 2, epoch: 3, isPaused: false, isCancelling: true };
  return { ...whole, ...fields };
}

function answered(
  answer:
    | typeof MoveAnswer.cancelled
    | typeof MoveAnswer.tooLate
    | typeof MoveAnswer.aborted
    | typeof MoveAnswer.active
    | typeof MoveAnswer.stale,
): MoveStepReply {
  return { fate: StepFate.answered, outcome: { answer } };
}

test('the source of a move decides, or the target where there is no source', () => {
  cancels.tick([order(4), order(5, { source: 0 }), order(6, { isCancelling: false })]);
  expect(asked).toMatchObject([
    { gid: 1, step: { step: MoveStep.cancel, moveId: 17, shard: 4 } },
    { gid: 2, step: { step: MoveStep.abort, moveId: 17, shard: 5 } },
  ]);
});

test.each([
  [MoveAnswer.cancelled, 'cancelled'],
  [MoveAnswer.aborted, 'cancelled'],
  [MoveAnswer.tooLate, 'tooLate'],
  [MoveAnswer.active, 'tooLate'],
] as const)('an answer %i is written down as %s', (answer, kind) => {
  cancels.tick([order(4)]);
  asked[0]?.answer(answered(answer));
  cancels.tick([order(4)]);
  expect(commands).toEqual([{ kind, moves: [{ moveId: 17, shard: 4 }] }]);
  expect(asked.length).toBe(1);
});

test.each([
  ['no answer', undefined],
  ['an unknown fate', { fate: StepFate.unknown } as const],
  ['an answer that decides nothing', answered(MoveAnswer.stale)],
])('after %s the group is asked again, ever more rarely', (_what, reply) => {
  const times: number[] = [];
  for (; now < 10_000; now += 25) {
    const before = asked.length;
    cancels.tick([order(4)]);
    if (asked.length === before) continue;
    times.push(now);
    asked.at(-1)?.answer(reply);
  }
  expect(commands).toEqual([]);
  expect(times.length).toBeGreaterThan(10);
  expect(times.length).toBeLessThan(20);
});

test('only so many are asked for at a time, and answers make room', () => {
  const orders = Array.from({ length: 65 }, (_, shard) => order(shard));
  cancels.tick(orders);
  expect(asked.length).toBe(64);
  asked[0]?.answer(answered(MoveAnswer.cancelled));
  cancels.tick(orders);
  expect(asked.length).toBe(65);
});

test('whoever does not lead the controller asks nobody, and forgets what was answered', () => {
  cancels.tick([order(4)]);
  asked[0]?.answer(answered(MoveAnswer.tooLate));
  leads = false;
  cancels.tick([order(4)]);
  expect(commands).toEqual([]);
  leads = true;
  cancels.tick([order(4)]);
  expect(asked.length).toBe(2);
});

test('a move that is wanted after all and then cancelled again is asked for again', () => {
  cancels.tick([order(4)]);
  asked[0]?.answer(answered(MoveAnswer.tooLate));
  cancels.tick([order(4)]);
  cancels.tick([order(4, { isCancelling: false })]);
  cancels.tick([order(4)]);
  expect(asked.length).toBe(2);
});
