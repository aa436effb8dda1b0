import { VirtualTime } from '@flotilla/base';
import { expect, test } from 'vitest';
import { StallGuard } from './stall-guard.ts';
import { hostTuning, wanTuning } from './tuning.ts';

const { heartbeatMs, stallMs } = hostTuning;

test('a loop that ticks in time raises no barrier, on any tuning', () => {
  for (const tuning of [hostTuning, wanTuning]) {
    const time = new VirtualTime();
    const guard = new StallGuard(time, tuning);
    for (let at = 0; at < 10; at++) {
      time.advance(tuning.heartbeatMs + 40);
      guard.observe();
    }
    expect(guard.barrier).toBe(Number.NEGATIVE_INFINITY);
  }
});

test('a pause beyond the limit raises it to now, whenever it begins between two ticks', () => {
  for (let sinceTick = 0; sinceTick <= heartbeatMs; sinceTick++) {
    const time = new VirtualTime();
    const guard = new StallGuard(time, hostTuning);
    time.advance(heartbeatMs);
    guard.observe();
    time.advance(sinceTick);
    time.advance(stallMs + 1);
    guard.observe();
    expect(guard.barrier).toBe(time.monoMs());
  }
});

test('a turn that takes too long by itself counts as a pause', () => {
  const time = new VirtualTime();
  const guard = new StallGuard(time, hostTuning);
  time.advance(heartbeatMs);
  guard.observe();
  time.advance(stallMs);
  guard.observe();
  expect(guard.barrier).toBe(Number.NEGATIVE_INFINITY);
  time.advance(stallMs + 1);
  guard.observe();
  expect(guard.barrier).toBe(time.monoMs());
});

test('a wall clock that steps against the monotonic one raises it, once; one that drifts does not', () => {
  for (const step of [51, -51, 3_600_000]) {
    const time = new VirtualTime();
    const guard = new StallGuard(time, hostTuning);
    for (let at = 0; at < 20; at++) {
      time.advance(10);
      time.jumpWall(5);
      guard.observe();
    }
    expect(guard.barrier).toBe(Number.NEGATIVE_INFINITY);
    time.jumpWall(step);
    guard.observe();
    const raised = time.monoMs();
    expect(guard.barrier).toBe(raised);
    time.advance(10);
    guard.observe();
    expect(guard.barrier).toBe(raised);
  }
});
