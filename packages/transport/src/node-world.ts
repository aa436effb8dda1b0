import { randomFillSync } from 'node:crypto';
import { assert, Prng } from '@flotilla/base';
import type { Clock, Random, TimerId, Timers } from '@flotilla/ports';

/** Time and chance of the machine, for the composition roots: a store process and the client's facade. */

export class NodeClock implements Clock {
  monoMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }
}

/** Node runs a longer timer at once, with a warning, so longer ones go in steps. */
const STEP_MS_MAX = 2 ** 31 - 1;

export class NodeTimers implements Timers {
  readonly #running = new Map<TimerId, NodeJS.Timeout>();
  #lastId = 0;
  #stopped = false;

  set(delayMs: number, callback: () => void): TimerId {
    assert(!Number.isNaN(delayMs), 'a timer needs a delay that is a number');
    const id = ++this.#lastId;
    if (!this.#stopped && delayMs !== Number.POSITIVE_INFINITY) {
      this.#arm(id, performance.now() + Math.max(0, delayMs), callback);
    }
    return id;
  }

  clear(id: TimerId): void {
    const timeout = this.#running.get(id);
    if (timeout === undefined) return;
    clearTimeout(timeout);
    this.#running.delete(id);
  }

  soon(callback: () => void): void {
    setImmediate(() => {
      if (!this.#stopped) callback();
    });
  }

  /** Clears everything, for the end of a process or of a test; nothing calls back afterwards. */
  stop(): void {
    this.#stopped = true;
    for (const timeout of this.#running.values()) clearTimeout(timeout);
    this.#running.clear();
  }

  #arm(id: TimerId, due: number, callback: () => void): void {
    // A collector's pause since `due` was worked out makes this negative, which Node complains about on stderr.
    const delay = Math.min(STEP_MS_MAX, Math.max(0, Math.ceil(due - performance.now())));
    const timeout = setTimeout(() => {
      // Node counts from the start of the turn, so it may be up to a millisecond early; the port may not.
      if (performance.now() < due) return this.#arm(id, due, callback);
      this.#running.delete(id);
      callback();
    }, delay);
    this.#running.set(id, timeout);
  }
}

const POOL_WORDS = 256;

/** Unpredictable numbers of the operating system, for names that must not be guessed or collide. */
export class NodeRandom implements Random {
  readonly #pool = new Uint32Array(POOL_WORDS);
  #next = POOL_WORDS;

  u32(): number {
    if (this.#next === POOL_WORDS) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    return this.#pool[this.#next++] as number;
  }

  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }

  /** Streams that nobody can predict do not shift each other either. */
  fork(_name: string): Random {
    return new NodeRandom();
  }
}

/** Cheap numbers from a seed that the operating system gave: jitter and timeouts, never names. */
export function nodeJitter(): Random {
  return new Prng(new NodeRandom().u32());
}
