import { assert, type VirtualTime } from '@flotilla/base';
import type { Clock, TimerId, Timers } from '@flotilla/ports';
import type { ProcessGate } from './process-gate.ts';

/**
 * The clock of one machine: its own origin, its own rate, and a wall clock that somebody may step. It goes on
 * while the process is down, and starts anew only with the machine.
 */
export class NodeClock implements Clock {
  readonly time: VirtualTime;
  readonly #ownRate: number;
  #rate: number;
  /** How often its pace has changed. */
  changes = 0;
  #origin: number;
  #wallOffset: number;

  constructor(
    time: VirtualTime,
    options: { readonly rate?: number; readonly originMs?: number; readonly wallMs?: number } = {},
  ) {
    this.time = time;
    this.#ownRate = options.rate ?? 1;
    this.#rate = this.#ownRate;
    assert(this.#rate > 0.5 && this.#rate < 2, 'a clock rate near one');
    this.#origin = options.originMs ?? 0;
    this.#wallOffset = (options.wallMs ?? time.wallMs()) - this.monoMs();
  }

  /** Milliseconds of this clock in one true millisecond. */
  get rate(): number {
    return this.#rate;
  }

  monoMs(): number {
    return this.#origin + this.time.monoMs() * this.#rate;
  }

  /** From now on it goes faster or slower than it usually does; it does not jump. */
  drift(factor: number): void {
    const rate = this.#ownRate * factor;
    if (rate === this.#rate) return;
    this.changes++;
    this.#origin += this.time.monoMs() * (this.#rate - rate);
    this.#rate = rate;
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
  /** Timers that had to be set again because the clock became slower, by the id that their owner knows. */
  readonly #again = new Map<TimerId, TimerId>();

  constructor(clock: NodeClock, gate: ProcessGate) {
    this.#clock = clock;
    this.#gate = gate;
  }

  set(delayMs: number, callback: () => void): TimerId {
    const { changes, time } = this.#clock;
    const dueMs = this.#clock.monoMs() + delayMs;
    const id = time.set(this.#trueMs(delayMs), () => {
      if (changes === this.#clock.changes) this.#gate.enter(callback);
      else this.#due(id, dueMs, callback);
    });
    return id;
  }

  /** The clock has changed its pace meanwhile: a timer must never come early on its own clock. */
  #due(id: TimerId, dueMs: number, callback: () => void): void {
    const leftMs = dueMs - this.#clock.monoMs();
    if (leftMs <= ROUNDING_MS) {
      this.#again.delete(id);
      this.#gate.enter(callback);
      return;
    }
    this.#again.set(
      id,
      this.#clock.time.set(this.#trueMs(leftMs), () => this.#due(id, dueMs, callback)),
    );
  }

  #trueMs(delayMs: number): number {
    const { rate } = this.#clock;
    return rate === 1 || delayMs <= 0 ? delayMs : delayMs / rate + ROUNDING_MS;
  }

  clear(id: TimerId): void {
    const again = this.#again.get(id);
    this.#again.delete(id);
    this.#clock.time.clear(again ?? id);
  }

  soon(callback: () => void): void {
    this.#clock.time.soon(() => this.#gate.enter(callback));
  }
}
