import { Prng, VirtualTime } from '@flotilla/base';
import { clockContract, randomContract, timersContract, type WorldLab } from '@flotilla/ports/contract';

/** Beside the real world's tests, because the package of virtual time may not know the ports. */
function makeLab(): WorldLab {
  const time = new VirtualTime();
  return {
    clock: time,
    timers: time,
    until: async (condition) => {
      while (!condition()) if (!time.runNext()) throw new Error('nothing is left that could happen');
    },
  };
}

clockContract('the virtual clock', makeLab);
timersContract('virtual timers', makeLab);
randomContract('seeded chance', () => new Prng(5));
