import { expect, test } from 'vitest';
import { AutoRebalance } from './auto-rebalance.ts';

test('balance is looked at every 30 seconds, one look at a time, and only after all was at rest so long', () => {
  let now = 0;
  let isDue = true;
  let answer: (() => void) | undefined;
  const looks: number[] = [];
  const driver = new AutoRebalance({
    now: () => now,
    isDue: () => isDue,
    balance: (done) => {
      looks.push(now);
      answer = done;
    },
  });
  const runTo = (second: number): void => {
    for (; now < second * 1_000; now += 1_000) driver.tick();
  };
  runTo(65);
  expect(looks).toEqual([30_000]);
  answer?.();
  runTo(70);
  expect(looks).toEqual([30_000, 65_000]);
  answer?.();
  // A move is open from 90 to 95: the time of rest begins anew.
  runTo(90);
  isDue = false;
  runTo(95);
  isDue = true;
  runTo(130);
  expect(looks).toEqual([30_000, 65_000, 124_000]);
});
