import type { LogSink, Meter } from '@flotilla/ports';
import { beforeEach, describe, expect, test } from 'vitest';
import { MoveLog } from './move-log.ts';
import { MoveMetrics } from './move-metrics.ts';
import type { MoveOrder } from './move-order.ts';
import { EndedMoves, progressOf, stateOf } from './move-progress.ts';

const order: MoveOrder = {
  ...{ moveId: 17, shard: 4, source: 1, target: 2, epoch: 3, isPaused: false, isCancelling: false },
};

let lines: string[];
let counted: Map<string, number>;
let log: MoveLog;

beforeEach(() => {
  lines = [];
  counted = new Map();
  const count = (name: string) => (value: number) => void counted.set(name, (counted.get(name) ?? 0) + value);
  const meter: Meter = {
    counter: (name, _help, labels) => ({ add: count(`${name} ${labels?.result ?? ''}`.trim()) }),
    gauge: (name, _help, labels) => ({ set: (value) => void counted.set(`${name} ${labels?.state}`, value) }),
    histogram: (name) => ({ observe: count(name) }),
  };
  const sink: LogSink = { log: (level, event) => void lines.push(`${level} ${event}`) };
  log = new MoveLog(order, sink, new MoveMetrics(meter), 1_000);
});

describe('what is told of a move', () => {
  test('is where it stands, and that it is held back only where that holds anything back', () => {
    expect(stateOf(order, 'copying')).toBe('copying');
    expect(stateOf({ ...order, isPaused: true }, 'catching-up')).toBe('paused');
    expect(stateOf({ ...order, isPaused: true, isCancelling: true }, 'waiting')).toBe('cancelling');
    for (const stage of ['cutting-over', 'serving'] as const) {
      expect(stateOf({ ...order, isPaused: true, isCancelling: true }, stage)).toBe(stage);
    }
  });

  test('says how much was copied, how fast, and when it will be over', () => {
    log.totalBytes = 10_000;
    for (let second = 1; second <= 4; second++) log.took(1_000, 1_000 + second * 1_000);
    expect(progressOf(order, 'copying', log, 4_000, 5_000)).toMatchObject({
      ...{ bytes: 4_000, totalBytes: 10_000, bytesPerSecond: 1_000, etaMs: 6_000, ageMs: 4_000 },
    });
    expect(counted.get('move_bytes_total')).toBe(4_000);
    const waiting = progressOf(order, 'waiting', log, 0, 5_000);
    expect(waiting).toMatchObject({ bytesPerSecond: 0, etaMs: undefined });
  });

  test('ages while nothing comes', () => {
    log.took(10_000, 2_000);
    expect(log.rate(2_500)).toBe(10_000);
    expect(log.rate(100_000)).toBeLessThan(110);
  });

  test('names the pause as this driver measured it', () => {
    log.active(4_000.4, 4_003);
    expect(log.pauseMs).toBe(3);
    expect(counted.get('move_pause_ms')).toBe(3);
    log.pauseMs = undefined;
    log.active(undefined, 9_000);
    expect(log.pauseMs).toBeUndefined();
    expect(counted.get('move_pause_ms')).toBe(3);
  });

  test('counts how it ended, and that it began again', () => {
    log.restarted('trimmed', 40);
    log.ended('done', 5_000);
    log.ended('cancelled', 5_000);
    expect(lines).toEqual(['warn move-restarted', 'info move-done', 'info move-cancelled']);
    expect(counted.get('move_restarts_total')).toBe(1);
    expect(counted.get('moves_ended_total done')).toBe(1);
    expect(counted.get('moves_ended_total cancelled')).toBe(1);
  });
});

test('the last 200 moves that ended are remembered', () => {
  const ended = new EndedMoves();
  for (let shard = 0; shard < 201; shard++) ended.add({ ...order, shard }, 'done', log, 0, 5_000);
  expect(ended.all().map(({ shard }) => shard)).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
});
