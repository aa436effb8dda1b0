import { DecodeError, EMPTY_BYTES, Prng, utf8Encode, Xxh64 } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { limits } from './limits.ts';
import {
  AskKind,
  type Delta,
  decodeMoveAsk,
  decodeMoveReply,
  decodeMoveStepAsk,
  decodeMoveStepReply,
  encodeMoveAsk,
  encodeMoveReply,
  encodeMoveStepAsk,
  encodeMoveStepReply,
  type MoveReply,
  openDelta,
  openPage,
  type Page,
  StepFate,
  sealDelta,
  sealPage,
  Verdict,
} from './move-messages.ts';
import { facts, longestCursor, questions, replies, stepReplies, steps } from './testing/move-samples.ts';

const hasher = new Xxh64();
const top = Number.MAX_SAFE_INTEGER;
const group = { gid: 0xffff_fffe, incarnation: top };

const page: Page = {
  moveId: top,
  shard: 0xffff,
  cursor: EMPTY_BYTES,
  view: top,
  next: longestCursor,
  isLast: false,
  items: utf8Encode('items'),
};
const delta: Delta = { moveId: 3, shard: 4, from: 0, to: top, items: utf8Encode('items') };

describe('a sealed piece', () => {
  test('opens as it was sealed', () => {
    for (const one of [page, { ...page, cursor: longestCursor, next: EMPTY_BYTES, isLast: true }]) {
      expect(openPage(sealPage(one, hasher), hasher)).toEqual(one);
    }
    for (const one of [delta, { ...delta, items: EMPTY_BYTES }]) {
      expect(openDelta(sealDelta(one, hasher), hasher)).toEqual(one);
    }
  });

  test('with any byte changed, cut off or added does not open', () => {
    const pieces = [
      { sealed: sealPage({ ...page, next: utf8Encode('b') }, hasher), open: openPage },
      { sealed: sealDelta(delta, hasher), open: openDelta },
    ];
    for (const { sealed, open } of pieces) {
      for (let at = 0; at < sealed.length; at++) {
        for (const flip of [1, 0x80, 0xff]) {
          const damaged = sealed.slice();
          damaged[at] = (damaged[at] as number) ^ flip;
          expect(open(damaged, hasher)).toBeUndefined();
        }
        expect(open(sealed.subarray(0, at), hasher)).toBeUndefined();
      }
      expect(open(new Uint8Array([...sealed, 0]), hasher)).toBeUndefined();
    }
  });

  test('of another kind with a right checksum is a decode error, not a wrong piece', () => {
    expect(() => openPage(sealDelta(delta, hasher), hasher)).toThrow(DecodeError);
    expect(() => openDelta(sealPage(page, hasher), hasher)).toThrow(DecodeError);
  });

  test('holds as many items as an entry may carry, and not one byte more', () => {
    const fits = new Uint8Array(limits.importBytes);
    const tooMany = new Uint8Array(limits.importBytes + 1);
    expect(openPage(sealPage({ ...page, items: fits }, hasher), hasher)?.items.length).toBe(fits.length);
    expect(openDelta(sealDelta({ ...delta, items: fits }, hasher), hasher)?.items.length).toBe(fits.length);
    expect(() => openPage(sealPage({ ...page, items: tooMany }, hasher), hasher)).toThrow(DecodeError);
    expect(() => openDelta(sealDelta({ ...delta, items: tooMany }, hasher), hasher)).toThrow(DecodeError);
  });

  test('names cursors up to the longest, and not beyond', () => {
    const long = new Uint8Array(longestCursor.length + 1);
    expect(() => openPage(sealPage({ ...page, cursor: long }, hasher), hasher)).toThrow(DecodeError);
    expect(() => openPage(sealPage({ ...page, next: long }, hasher), hasher)).toThrow(DecodeError);
  });
});

describe('stores say to each other', () => {
  test('every question about a copy, as it was asked', () => {
    expect(new Set(questions.map((question) => question.kind))).toEqual(new Set(Object.values(AskKind)));
    for (const question of questions) {
      const ask = { id: top, group, question };
      expect(decodeMoveAsk(encodeMoveAsk(ask))).toEqual(ask);
    }
  });

  test('every verdict about a copy, as it was given', () => {
    expect(new Set(replies.map((reply) => reply.verdict))).toEqual(new Set(Object.values(Verdict)));
    for (const reply of replies) {
      expect(decodeMoveReply(encodeMoveReply(top, reply))).toEqual({ id: top, reply });
    }
  });

  test('every step for another log and every fate of it', () => {
    for (const step of steps) {
      const ask = { id: 7, group, step };
      expect(decodeMoveStepAsk(encodeMoveStepAsk(ask))).toEqual(ask);
    }
    expect(new Set(stepReplies.map((reply) => reply.fate))).toEqual(new Set(Object.values(StepFate)));
    for (const reply of stepReplies) {
      expect(decodeMoveStepReply(encodeMoveStepReply(0, reply))).toEqual({ id: 0, reply });
    }
  });

  test('nothing that is cut short, has bytes too many, or is of a kind that is not known', () => {
    const messages: readonly (readonly [(bytes: Uint8Array) => unknown, Uint8Array, number])[] = [
      ...questions.map((question) => [decodeMoveAsk, encodeMoveAsk({ id: 1, group, question }), 20] as const),
      ...replies.map((reply) => [decodeMoveReply, encodeMoveReply(1, reply), 8] as const),
      ...steps.map((step) => [decodeMoveStepAsk, encodeMoveStepAsk({ id: 1, group, step }), 20] as const),
      ...stepReplies.map((reply) => [decodeMoveStepReply, encodeMoveStepReply(1, reply), 8] as const),
    ];
    for (const [decode, bytes, kindAt] of messages) {
      for (let length = 0; length < bytes.length; length++)
        expect(() => decode(bytes.subarray(0, length))).toThrow(DecodeError);
      expect(() => decode(new Uint8Array([...bytes, 0]))).toThrow(/1 bytes too many/);
      for (const unknown of [0, 99]) {
        const other = bytes.slice();
        other[kindAt] = unknown;
        expect(() => decode(other)).toThrow(DecodeError);
      }
    }
  });

  test('pieces up to the largest that a move may have, and not beyond', () => {
    const carried = (length: number): readonly MoveReply[] => [
      { verdict: Verdict.page, openBytes: 0, totalBytes: 0, page: new Uint8Array(length) },
      { verdict: Verdict.changes, openBytes: 0, frozen: facts, delta: new Uint8Array(length) },
    ];
    for (const reply of carried(limits.importBytes)) {
      const bytes = encodeMoveReply(1, reply);
      expect(decodeMoveReply(bytes).reply.verdict).toBe(reply.verdict);
      expect(bytes.length).toBeLessThan(limits.peerFrameBytes);
    }
    for (const reply of carried(limits.importBytes + 1))
      expect(() => decodeMoveReply(encodeMoveReply(1, reply))).toThrow(DecodeError);
  });

  test('questions whose cursor outlives the frame that it came in', () => {
    const random = new Prng(5);
    const cursor = Uint8Array.from({ length: 20 }, () => random.below(256));
    const bytes = encodeMoveAsk({
      id: 1,
      group,
      question: { kind: AskKind.page, moveId: 1, shard: 2, cursor, minView: 3 },
    });
    const { question } = decodeMoveAsk(bytes);
    bytes.fill(0);
    expect(question).toMatchObject({ cursor });
  });

  test('the name of a leader up to its longest', () => {
    const reply = { fate: StepFate.notLeader, leader: 's'.repeat(65) };
    expect(() => decodeMoveStepReply(encodeMoveStepReply(1, reply))).toThrow(DecodeError);
  });
});
