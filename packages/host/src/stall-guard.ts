import type { Clock } from '@flotilla/ports';
import type { HostTuning } from './tuning.ts';

/**
 * Watches the loop and the clocks. After a pause of the loop, or a step of the wall clock against the
 * monotonic one, something outside held this process up: no lease may rest on a round from before.
 */
export class StallGuard {
  readonly #clock: Clock;
  readonly #tuning: HostTuning;
  #tickedAt: number;
  #difference: number;
  /** Only rounds stamped after this clock reading count. */
  barrier: number = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, tuning: HostTuning) {
    this.#clock = clock;
    this.#tuning = tuning;
    this.#tickedAt = clock.monoMs();
    this.#difference = clock.wallMs() - this.#tickedAt;
  }

  /** At the beginning of every turn, and before anything is told that rests on a lease. */
  observe(): void {
    const now = this.#clock.monoMs();
    const difference = this.#clock.wallMs() - now;
    const stalled = now - this.#tickedAt > this.#tuning.heartbeatMs + this.#tuning.stallMs;
    const stepped = Math.abs(difference - this.#difference) > this.#tuning.clockStepMs;
    this.#difference = difference;
    if (stalled || stepped) this.barrier = now;
  }

  ticked(): void {
    this.observe();
    this.#tickedAt = this.#clock.monoMs();
  }
}
