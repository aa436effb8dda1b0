import { DecodeError, Reader, Writer } from '@flotilla/base';
import { expect, test } from 'vitest';
import { limits } from './limits.ts';
import {
  CURSOR_BYTES_MAX,
  MoveAnswer,
  type MoveEntry,
  type MoveOutcome,
  MoveStep,
  readMoveEntry,
  readMoveOutcome,
  writeMoveEntry,
  writeMoveOutcome,
} from './move-entries.ts';
import { facts, outcomes, steps } from './testing/move-samples.ts';

function encodedStep(step: MoveEntry): Uint8Array {
  const out = new Writer(8);
  writeMoveEntry(out, step);
  return out.finish();
}

function encodedOutcome(outcome: MoveOutcome): Uint8Array {
  const out = new Writer(8);
  writeMoveOutcome(out, outcome);
  return out.finish();
}

test('every step comes back as it was, and ends where its bytes end', () => {
  expect(new Set(steps.map((step) => step.step))).toEqual(new Set(Object.values(MoveStep)));
  for (const step of steps) {
    const from = new Reader(encodedStep(step));
    expect(readMoveEntry(from)).toEqual(step);
    from.expectEnd();
  }
});

test('every answer comes back as it was, and ends where its bytes end', () => {
  expect(new Set(outcomes.map((outcome) => outcome.answer))).toEqual(new Set(Object.values(MoveAnswer)));
  for (const outcome of outcomes) {
    const from = new Reader(encodedOutcome(outcome));
    expect(readMoveOutcome(from)).toEqual(outcome);
    from.expectEnd();
  }
});

test('steps and answers that are cut short cannot be read', () => {
  for (const step of steps) {
    const bytes = encodedStep(step);
    for (let length = 0; length < bytes.length; length++)
      expect(() => readMoveEntry(new Reader(bytes.subarray(0, length)))).toThrow(DecodeError);
  }
  for (const outcome of outcomes) {
    const bytes = encodedOutcome(outcome);
    for (let length = 0; length < bytes.length; length++)
      expect(() => readMoveOutcome(new Reader(bytes.subarray(0, length)))).toThrow(DecodeError);
  }
});

test('steps and answers of later versions are not guessed at', () => {
  const step = encodedStep({ step: MoveStep.abort, moveId: 1, shard: 2 });
  for (const unknown of [0, MoveStep.abort + 1, 255]) {
    step[0] = unknown;
    expect(() => readMoveEntry(new Reader(step))).toThrow(`move step ${unknown} is not known here`);
  }
  for (const unknown of [0, MoveAnswer.aborted + 1, 255]) {
    expect(() => readMoveOutcome(new Reader(new Uint8Array([unknown])))).toThrow(
      `move answer ${unknown} is not known here`,
    );
  }
});

test('pages and deltas are read up to the largest that a move may have, and not beyond', () => {
  const of = { moveId: 1, shard: 2 };
  const carriers = [
    (page: Uint8Array) => {
      const read = readMoveEntry(new Reader(encodedStep({ step: MoveStep.importChunk, ...of, page })));
      return read.step === MoveStep.importChunk ? read.page.length : -1;
    },
    (delta: Uint8Array) => {
      const read = readMoveEntry(new Reader(encodedStep({ step: MoveStep.importDelta, ...of, delta })));
      return read.step === MoveStep.importDelta ? read.delta.length : -1;
    },
    (delta: Uint8Array) => {
      const bytes = encodedOutcome({ answer: MoveAnswer.frozen, r0: 0, facts, delta });
      const read = readMoveOutcome(new Reader(bytes));
      return read.answer === MoveAnswer.frozen ? read.delta.length : -1;
    },
  ];
  for (const carry of carriers) {
    expect(carry(new Uint8Array(limits.importBytes))).toBe(limits.importBytes);
    expect(() => carry(new Uint8Array(limits.importBytes + 1))).toThrow(DecodeError);
  }
});

test('a cursor is read up to the longest key that it may name, and not beyond', () => {
  const staged = (length: number): MoveOutcome => ({
    answer: MoveAnswer.staged,
    cursor: new Uint8Array(length),
    isComplete: false,
    pos: 0,
  });
  expect(CURSOR_BYTES_MAX).toBe(1 + limits.keyBytes);
  expect(readMoveOutcome(new Reader(encodedOutcome(staged(CURSOR_BYTES_MAX))))).toEqual(
    staged(CURSOR_BYTES_MAX),
  );
  expect(() => readMoveOutcome(new Reader(encodedOutcome(staged(CURSOR_BYTES_MAX + 1))))).toThrow(
    DecodeError,
  );
});
