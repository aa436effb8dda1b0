import { DecodeError } from '@flotilla/base';
import { type MoveProgress, moveStates } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { decodeMovesReport, encodeMovesReport } from './moves-report.ts';

const plain: MoveProgress = {
  ...{ moveId: 7, shard: 4095, source: 0, target: 2, state: 'waiting', bytes: 1, totalBytes: 2 },
  ...{ bytesPerSecond: 3, etaMs: undefined, pauseMs: undefined, ageMs: 4, problem: '' },
};

test('moves in every state arrive as they left, and so do the groups that are led', () => {
  const moves = moveStates.map((state, at) => {
    const odd = at % 2 === 1;
    return { ...plain, state, etaMs: odd ? at : undefined, pauseMs: odd ? undefined : at, problem: `${at}` };
  });
  const report = { moves, leads: [0, 1, 4_294_967_294] };
  expect(decodeMovesReport(encodeMovesReport(report))).toEqual(report);
});

test('a move without anything optional is not taken for one that is cut off', () => {
  const report = { moves: [plain, { ...plain, shard: 0 }], leads: [] };
  expect(decodeMovesReport(encodeMovesReport(report))).toEqual(report);
});

test('a long reason is cut and stays readable', () => {
  const problem = `${'x'.repeat(299)}\u{1f600}`;
  const [move] = decodeMovesReport(encodeMovesReport({ moves: [{ ...plain, problem }], leads: [] })).moves;
  expect(move?.problem).toBe(`${'x'.repeat(299)}\ufffd`);
});

test('no cut and no flipped byte of a report does more than fail to be read', () => {
  const bytes = encodeMovesReport({ moves: [plain, { ...plain, etaMs: 9 }], leads: [1] });
  for (let at = 0; at < bytes.length; at++) {
    expect(() => decodeMovesReport(bytes.subarray(0, at))).toThrow(DecodeError);
    const flipped = bytes.slice();
    flipped[at] = (flipped[at] as number) ^ 0xff;
    try {
      decodeMovesReport(flipped);
    } catch (cause) {
      expect(cause).toBeInstanceOf(DecodeError);
    }
  }
});
