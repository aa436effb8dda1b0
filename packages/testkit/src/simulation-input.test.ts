import { expect, test } from 'vitest';
import { type SimulationOptions, simulate } from './simulation.ts';

test('options that make no sense are told before anything is simulated', () => {
  const wrong = (options: Record<string, unknown>) => () =>
    simulate({ seed: 1, seconds: 1, ...options } as SimulationOptions);
  expect(wrong({ seconds: Number.NaN })).toThrow('seconds: a whole number from 1 to 3600 is wanted, null');
  expect(wrong({ seed: -1 })).toThrow('seed: a whole number from 0 to 4294967295 is wanted, -1');
  expect(wrong({ stores: 0 })).toThrow('stores: a whole number from 1 to 9 is wanted, 0');
  expect(wrong({ movesMs: 0 })).toThrow('movesMs: a number from 1 is wanted, 0');
  expect(wrong({ faults: ['crash', 'flood'] })).toThrow('faults[1]: there is no kind "flood": use crash,');
});
