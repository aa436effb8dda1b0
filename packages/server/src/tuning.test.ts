import { checkTuning, hostTuning } from '@flotilla/host';
import { describe, expect, test } from 'vitest';
import { loadConfig } from './config/load.ts';
import { hostTuningOf } from './tuning.ts';

function tuningOf(flags: Record<string, string>) {
  const { config } = loadConfig({
    flags: { id: 's1', data: 'd', ...flags },
    environment: {},
    file: undefined,
  });
  return { ...hostTuning, ...hostTuningOf(config) };
}

describe('numbers of elections and leases', () => {
  test('are those of the host unless something is set', () => {
    expect(tuningOf({})).toEqual(hostTuning);
  });

  test.each([
    { heartbeat: '10ms', electionTimeout: '600ms' },
    { heartbeat: '65ms', electionTimeout: '780ms' },
    { heartbeat: '65ms', electionTimeout: '1s' },
    { heartbeat: '250ms', electionTimeout: '5s', lease: 'off' },
    { heartbeat: '10s', electionTimeout: '2m', lease: 'off' },
  ])('fit each other whatever may be set: %o', (flags) => {
    expect(() => checkTuning(tuningOf(flags as unknown as Record<string, string>))).not.toThrow();
  });

  test('a leader with a lease never counts on more than the shortest promise that any store gives', () => {
    const promises = ['10ms', '50ms', '65ms'].map((heartbeat) => tuningOf({ heartbeat }).promiseMs);
    const slow = tuningOf({ heartbeat: '250ms', electionTimeout: '5s', lease: 'off' });
    for (const heartbeat of ['10ms', '50ms', '65ms']) {
      expect(tuningOf({ heartbeat }).leaseMs * 1.11).toBeLessThanOrEqual(
        Math.min(...promises, slow.promiseMs),
      );
    }
  });
});
