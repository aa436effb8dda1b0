import { assert, type VirtualTime } from '@flotilla/base';
import type { Clock, TimerId, Timers } from '@flotilla/ports';
import type { ProcessGate } from './process-gate.ts';

/**
 * The clock of one machine: its own origin, its own rate, and a wall clock that somebody may step. It goes on
 * while the process is down, and starts anew only with the machine.
 */
export class NodeClock implements Clock {
  readonly time: VirtualTime;
  /** Milliseconds of this clock in one true millisecond. */
  readonly rate: number;
  readonly #origin: number;
  #wallOffset: number;

  constructor(
    time: VirtualTime,
    options: { readonly rate?: number; readonly originMs?: number; readonly wallMs?: number } = {},
  ) {
    this.time = time;
    this.rate = options.rate ?? 1;
    assert(this.rate > 0.5 && this.rate < 2, 'a clock rate near one');
    this.#origin = options.originMs ?? 0;
    this.#wallOffset = (options.wallMs ?? time.wallMs()) - this.monoMs();
  }

  monoMs(): number {
    return this.#origin + this.time.monoMs() * this.rate;
  }

  wallMs(): number {
    return this.monoMs() + this.#wallOffset;
  }

  stepWall(byMs: number): void {
    this.#wallOffset += byMs;
  }
}

/** A multiplication by the rate may round down by this much; a timer must never come early on its own clock. */
const ROUNDING_MS = 1e-6;

/** Timers of one process: by the clock of its machine, and only while it lives. */
export class NodeTimers implements Timers {
  readonly #clock: NodeClock;
  readonly #gate: ProcessGate;

  constructor(clock: NodeClock, gate: ProcessGate) {
    this.#clock = clock;
    this.#gate = gate;
  }

  set(delayMs: number, callback: () => void): TimerId {
    const { rate, time } = this.#clock;
    const delay = rate === 1 || delayMs <= 0 ? delayMs : delayMs / rate + ROUNDING_MS;
    return time.set(delay, () => this.#gate.enter(callback));
  }

  clear(id: TimerId): void {
    this.#clock.time.clear(id);
  }

  soon(callback: () => void): void {
    this.#clock.time.soon(() => this.#gate.enter(callback));
  }
}
