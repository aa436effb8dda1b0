import type { MoveProgress, MoveState } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { MoveWatch } from './move-watch.ts';

function move(state: MoveState, more: Partial<MoveProgress> = {}): MoveProgress {
  return {
    ...{ moveId: 7, shard: 1, source: 1, target: 2, state, bytes: 100, totalBytes: 500, bytesPerSecond: 0 },
    ...{ etaMs: undefined, pauseMs: undefined, ageMs: 0, problem: 'why', ...more },
  };
}

/** Shows a course of moves, one second after the other, and gives back what is stuck at its end. */
function after(seconds: number, course: (second: number) => readonly MoveProgress[]) {
  let second = 0;
  const watch = new MoveWatch(
    () => course(second),
    () => second * 1_000,
  );
  for (; second < seconds; second++) watch.tick();
  return watch.stuck();
}

describe('a move stands still', () => {
  test('after a minute without a byte or a step, and not before', () => {
    expect(after(59, () => [move('copying')])).toEqual([]);
    expect(after(60, () => [move('copying')])).toEqual([
      {
        ...{ moveId: 7, shard: 1, source: 1, target: 2 },
        ...{ isPastFreeze: false, stillMs: 60_000, problem: 'why' },
      },
    ]);
    expect(after(61, () => [move('cutting-over')])).toMatchObject([{ isPastFreeze: true }]);
    expect(after(70, (second) => [move(second < 20 ? 'copying' : 'catching-up')])).toEqual([]);
    expect(after(300, (second) => [move('copying', { bytes: Math.floor(second / 40) })])).toEqual([]);
  });

  test('also while it loses its turn and gets it back', () => {
    const course = (second: number) => [move(second % 20 < 10 ? 'copying' : 'waiting')];
    expect(after(65, course)).toHaveLength(1);
    expect(after(75, course)).toHaveLength(1);
  });

  test('not while it is paused, has ended, or waits while others have their turn', () => {
    for (const state of ['paused', 'done', 'cancelled'] as const) {
      expect(after(200, () => [move(state)])).toEqual([]);
    }
    const waits = move('waiting', { moveId: 9 });
    const runs = (second: number) => move('copying', { bytes: second });
    expect(after(200, (second) => [waits, runs(second)])).toEqual([]);
    expect(after(200, () => [waits])).toHaveLength(1);
  });

  test('and of those that do fifty are named', () => {
    const many = Array.from({ length: 60 }, (_, shard) => move('copying', { shard }));
    expect(after(100, () => many)).toHaveLength(50);
  });
});
