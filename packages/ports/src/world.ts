/** Time and chance. Nothing inside the pure packages knows another clock or another dice. */

export interface Clock {
  /** Monotonic milliseconds with fractions, from any origin. Leases and deadlines use only this. */
  monoMs(): number;
  /** Milliseconds since 1970 as this machine believes; may jump. Only log stamps and names use it. */
  wallMs(): number;
}

export type TimerId = number;

export interface Timers {
  /** Calls back once, not before `delayMs` have passed. */
  set(delayMs: number, callback: () => void): TimerId;
  /** A timer that is done or unknown is left alone. */
  clear(id: TimerId): void;
  /** Calls back once after the events of this turn of the event loop were handled: the place to batch. */
  soon(callback: () => void): void;
}

export interface Random {
  /** Uniform in 0 … 2^32-1. */
  u32(): number;
  /** Uniform in [0, limit), limit up to 2^32. */
  below(limit: number): number;
  /** A stream of its own; consumers of different names do not shift each other's numbers. */
  fork(name: string): Random;
}
