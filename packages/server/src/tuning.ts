import type { HostTuning } from '@flotilla/host';
import type { StoreConfig } from './config/settings.ts';

/** Promise and lease where heartbeats fit them; equal on all stores, because one rests on the other. */
const PROMISE_MS = 150;
const LEASE_MS = 135;
const STALL_MS = 100;

/**
 * The few numbers that a person sets, and those that follow from them. A promise may be longer than what
 * other stores expect, never shorter; without leases only the length of promises matters.
 */
export function hostTuningOf(
  config: Pick<StoreConfig, 'heartbeat' | 'electionTimeout' | 'lease'>,
): Partial<HostTuning> {
  const { heartbeat, electionTimeout, lease } = config;
  const promiseMs = Math.max(PROMISE_MS, 3 * heartbeat);
  return {
    heartbeatMs: heartbeat,
    // A whole number of ticks.
    electionMs: Math.ceil(electionTimeout / heartbeat) * heartbeat,
    promiseMs,
    leaseMs: lease ? LEASE_MS : Math.floor(promiseMs * (LEASE_MS / PROMISE_MS)),
    leaseEnabled: lease,
    stallMs: Math.max(STALL_MS, 2 * heartbeat),
  };
}
