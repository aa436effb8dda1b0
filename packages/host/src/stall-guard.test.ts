import { VirtualTime } from '@flotilla/base';
import { expect, test } from 'vitest';
import { StallGuard } from './stall-guard.ts';
import { hostTuning } from './tuning.ts';

test('a loop that is late by more than the limit raises the barrier to now; a punctual one does not', () => {
  const time = new VirtualTime();
  const guard = new StallGuard(time, hostTuning);
  for (let at = 0; at < 10; at++) {
    time.advance(hostTuning.heartbeatMs + 40);
    guard.ticked();
  }
  expect(guard.barrier).toBe(Number.NEGATIVE_INFINITY);
  time.advance(hostTuning.heartbeatMs + hostTuning.stallMs + 1);
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
      guard.ticked();
    }
    expect(guard.barrier).toBe(Number.NEGATIVE_INFINITY);
    time.jumpWall(step);
    guard.observe();
    const raised = time.monoMs();
    expect(guard.barrier).toBe(raised);
    time.advance(10);
    guard.ticked();
    expect(guard.barrier).toBe(raised);
  }
});
