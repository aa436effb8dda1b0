import type { StoreId } from '@flotilla/base';
import {
  type GroupRecord,
  type MoveEntry,
  type MoveQuestion,
  type MoveReply,
  MoveStep,
  Verdict,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import type { MoveCalls } from './move-calls.ts';
import type { MoveOrder } from './move-order.ts';
import { WriterBrake } from './writer-brake.ts';

const source = { gid: 1, incarnation: 1, leaving: false, replicas: [] } as GroupRecord;
const order: MoveOrder = {
  ...{ moveId: 17, shard: 4, source: 1, target: 2, epoch: 3, isPaused: false, isCancelling: false },
};

test('the leader is asked again and again, and another one is looked for when it leads no more', () => {
  let leader: StoreId | undefined;
  const asked: { to: StoreId; question: MoveQuestion; answer: (reply: MoveReply | undefined) => void }[] = [];
  const steps: { step: MoveEntry; found: () => void }[] = [];
  const calls = {
    leaderOf: () => leader,
    ask: (to: StoreId, _group: unknown, question: MoveQuestion, answer: (reply?: MoveReply) => void) =>
      void asked.push({ to, question, answer }),
    step: (_group: unknown, step: MoveEntry, found: () => void) => void steps.push({ step, found }),
  } as unknown as MoveCalls;
  const brake = new WriterBrake(calls);
  expect(brake.isOn).toBe(false);

  brake.hold(source, order, 500, 1_000);
  brake.hold(source, order, 500, 1_001);
  expect(steps.map(({ step }) => step)).toEqual([
    { step: MoveStep.beginExport, moveId: 17, shard: 4, epoch: 3 },
  ]);
  leader = 's1';
  steps[0]?.found();
  brake.hold(source, order, 400, 1_010);
  expect(asked).toMatchObject([{ to: 's1', question: { bytesPerSecond: 400, shard: 4 } }]);
  asked[0]?.answer({ verdict: Verdict.noted });
  brake.hold(source, order, 300, 3_009);
  expect(asked.length).toBe(1);
  brake.hold(source, order, 300, 3_010);
  expect(asked.length).toBe(2);

  asked[1]?.answer({ verdict: Verdict.notSource });
  brake.hold(source, order, 300, 3_020);
  expect(steps.length).toBe(2);
  leader = 's2';
  steps[1]?.found();
  brake.hold(source, order, 300, 3_030);
  expect(asked.at(-1)?.to).toBe('s2');
});
