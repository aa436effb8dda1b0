import { clockContract, randomContract, timersContract, type WorldLab } from '@flotilla/ports/contract';
import { expect, test } from 'vitest';
import { until } from '../contract/real-lab.ts';
import { NodeClock, NodeRandom, NodeTimers, nodeJitter } from './node-world.ts';

const makeLab = (): WorldLab => ({ clock: new NodeClock(), timers: new NodeTimers(), until });

clockContract('the clock of the machine', makeLab);
timersContract('the timers of Node', makeLab);
randomContract('chance of the operating system', () => new NodeRandom());
randomContract('seeded jitter', nodeJitter);

test('stopped timers call nobody any more', async () => {
  const timers = new NodeTimers();
  let calls = 0;
  timers.set(0, () => calls++);
  timers.soon(() => calls++);
  timers.stop();
  timers.set(0, () => calls++);
  timers.soon(() => calls++);
  let later = false;
  new NodeTimers().set(10, () => {
    later = true;
  });
  await until(() => later);
  expect(calls).toBe(0);
});
