import type { Clock } from '@flotilla/ports';
import type { HostTuning } from './tuning.ts';

/**
 * Watches the loop and the clocks. After a pause of the loop, or a step of the wall clock against the
 * monotonic one, something outside held this process up: no lease may rest on a round from before.
 *
 * The loop is looked at with each tick at the latest, so a pause is part of the time between two looks: no pause
 * beyond the limit is missed, and one that is shorter by less than a tick may count as well.
 */
export class StallGuard {
  readonly #clock: Clock;
  readonly #tuning: HostTuning;
  #seenAt: number;
  #difference: number;
  /** Only rounds stamped after this clock reading count. */
  barrier: number = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, tuning: HostTuning) {
    this.#clock = clock;
    this.#tuning = tuning;
    this.#seenAt = clock.monoMs();
    this.#difference = clock.wallMs() - this.#seenAt;
  }

  /** With every tick, at the beginning of every turn, and before anything is told that rests on a lease. */
  observe(): void {
    const now = this.#clock.monoMs();
    const difference = this.#clock.wallMs() - now;
    const stalled = now - this.#seenAt > this.#tuning.stallMs;
    const stepped = Math.abs(difference - this.#difference) > this.#tuning.clockStepMs;
    this.#seenAt = now;
    this.#difference = difference;
    if (stalled || stepped) this.barrier = now;
  }
}
