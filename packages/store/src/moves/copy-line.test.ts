import { EMPTY_BYTES, Xxh64 } from '@flotilla/base';
import { MoveAnswer, type MoveStepReply, StepFate, sealDelta, sealPage } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { CopyLine } from './copy-line.ts';
import { type Piece, type Place, pieceOfDelta, pieceOfPage } from './pieces.ts';

const hasher = new Xxh64();
const move = { moveId: 17, shard: 4 };
const at = (name: number): Uint8Array => (name === 0 ? EMPTY_BYTES : Uint8Array.of(1, name));
const place = (name: number, pos = 10, isComplete = false): Place => ({ cursor: at(name), isComplete, pos });

function page(from: number, next: number, fields: Partial<Parameters<typeof sealPage>[0]> = {}): Uint8Array {
  const head = { ...move, cursor: at(from), view: 10, next: at(next), isLast: next === 0 };
  return sealPage({ ...head, items: new Uint8Array(100), ...fields }, hasher);
}

function delta(from: number, to: number, fields: Partial<Parameters<typeof sealDelta>[0]> = {}): Uint8Array {
  return sealDelta({ ...move, from, to, items: new Uint8Array(50), ...fields }, hasher);
}

function piece(from: number, next: number, size = 0): Piece {
  const found = pieceOfPage(page(from, next), place(from), move, hasher);
  if (typeof found === 'string') throw new Error(found);
  return size === 0 ? found : { ...found, bytes: size };
}

function staged(after: Place): MoveStepReply {
  return { fate: StepFate.answered, outcome: { answer: MoveAnswer.staged, ...after } };
}

describe('what arrives from a source', () => {
  test('is a piece if it starts where the copy ends', () => {
    expect(pieceOfPage(page(3, 5), place(3), move, hasher)).toMatchObject({ after: place(5) });
    expect(pieceOfPage(page(3, 0), place(3), move, hasher)).toMatchObject({
      after: { isComplete: true, pos: 10 },
    });
    expect(pieceOfDelta(delta(10, 14), place(3), move, hasher)).toMatchObject({ after: place(3, 14) });
    expect(pieceOfDelta(delta(7, 14), place(3), move, hasher)).toMatchObject({ after: place(3, 14) });
  });

  test.each([
    ['a page from elsewhere', page(2, 5)],
    ['a page that is too old', page(3, 5, { view: 9 })],
    ['a page of another move', page(3, 5, { moveId: 18 })],
    ['a page of another shard', page(3, 5, { shard: 5 })],
  ])('is of no use if it is %s', (_what, bytes) => {
    expect(pieceOfPage(bytes, place(3), move, hasher)).toBe('misfit');
  });

  test.each([
    ['begin later', delta(11, 14)],
    ['end where the copy is', delta(7, 10)],
    ['belong to another move', delta(10, 14, { moveId: 18 })],
    ['belong to another shard', delta(10, 14, { shard: 5 })],
  ])('is of no use if its changes %s', (_what, bytes) => {
    expect(pieceOfDelta(bytes, place(3), move, hasher)).toBe('misfit');
  });

  test('is damaged if any bit of it is another, or a byte is missing', () => {
    const sound = page(3, 5);
    for (let byte = 0; byte < sound.length; byte += 7) {
      const bytes = sound.slice();
      bytes[byte] = (bytes[byte] as number) ^ 0x10;
      expect(pieceOfPage(bytes, place(3), move, hasher)).toBe('damaged');
    }
    expect(pieceOfPage(sound.subarray(0, sound.length - 1), place(3), move, hasher)).toBe('damaged');
    expect(pieceOfPage(EMPTY_BYTES, place(3), move, hasher)).toBe('damaged');
    expect(pieceOfDelta(EMPTY_BYTES, place(3), move, hasher)).toBe('damaged');
  });
});

describe('the line of pieces', () => {
  test('asks from the end of what is on its way, lets four of them be, and reads one ahead', () => {
    const line = new CopyLine();
    for (let next = 1; next <= 4; next++) {
      expect(line.hasRoom).toBe(true);
      expect(line.end(place(0))).toEqual(place(next - 1));
      line.hold(piece(next - 1, next));
      expect(line.takeHeld()).toBeDefined();
    }
    expect(line.hasRoom).toBe(true);
    line.hold(piece(4, 5));
    expect(line.takeHeld()).toBeUndefined();
    expect(line.hasRoom).toBe(false);
    expect(line.isIdle).toBe(false);
  });

  test('takes no more than a megabyte, but always one piece of any size', () => {
    const line = new CopyLine();
    line.hold(piece(0, 1, 5_000_000));
    const large = line.takeHeld() as Piece;
    expect(large).toBeDefined();
    line.hold(piece(1, 2, 800_000));
    expect(line.takeHeld()).toBeUndefined();
    line.settled(large, staged(place(1)));
    const first = line.takeHeld() as Piece;
    expect(first).toBeDefined();
    line.settled(first, staged(place(2)));
    line.hold(piece(2, 3, 200_000));
    line.takeHeld();
    line.hold(piece(3, 4, 900_000));
    expect(line.takeHeld()).toBeUndefined();
    expect(line.hasRoom).toBe(false);
  });

  test.each<[string, MoveStepReply]>([
    ['was not proposed', { fate: StepFate.overloaded, retryAfterMs: 50 }],
    ['may be lost', { fate: StepFate.unknown }],
    ['changed nothing', staged(place(0))],
    ['met a copy that is gone', { fate: StepFate.answered, outcome: { answer: MoveAnswer.stale } }],
  ])('lets the rest run out when a piece %s, and goes on from what is applied', (_what, reply) => {
    const line = new CopyLine();
    const pieces = [1, 2].map((next) => {
      line.hold(piece(next - 1, next));
      return line.takeHeld() as Piece;
    });
    expect(line.settled(pieces[0] as Piece, reply)).toBe(false);
    expect(line.hasRoom).toBe(false);
    expect(line.end(place(0))).toBeUndefined();
    // What was asked for before still comes, and fits no more.
    line.hold(piece(2, 3));
    expect(line.takeHeld()).toBeUndefined();
    line.settled(pieces[1] as Piece, staged(place(0)));
    expect(line.isIdle).toBe(true);
    expect(line.hasRoom).toBe(true);
    expect(line.end(place(0))).toEqual(place(0));
  });

  test('forgets what is on its way when the copy begins again', () => {
    const line = new CopyLine();
    line.hold(piece(0, 1));
    const old = line.takeHeld() as Piece;
    line.hold(piece(1, 2));
    line.reset();
    expect(line.hasRoom).toBe(false);
    line.settled(old, staged(place(0, 50)));
    expect(line.end(place(0, 50))).toEqual(place(0, 50));
  });
});
