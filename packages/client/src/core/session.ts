import { assert } from '@flotilla/base';
import { SESSION_BYTES, sessionLimits } from '@flotilla/wire';

/**
 * One identity for exactly-once writes (move protocol, section 7). It hands out sequence numbers, knows
 * which of them are still waited for, and derives the floor: the lowest number that is neither answered nor
 * given up. Everything below the floor may be forgotten by the shards, so a number leaves only once.
 *
 * Age is counted on the monotonic clock from before the hello was sent, hence never too young.
 */

const WINDOW = sessionLimits.window;

export class Session {
  readonly id: Uint8Array;
  readonly bornMs: number;
  /** A shard said that it has expired; nothing is sent under it any more. */
  expired = false;
  /** Since when nothing could be sent because the window was full. */
  fullSinceMs: number | undefined;
  #next = 1;
  #floor = 1;
  /** One byte per open number, indexed by the number modulo the window. */
  readonly #open = new Uint8Array(WINDOW);

  constructor(id: Uint8Array, bornMs: number) {
    assert(id.length === SESSION_BYTES, () => `a session id of ${id.length} bytes`);
    this.id = id;
    this.bornMs = bornMs;
  }

  get floor(): number {
    return this.#floor;
  }

  /** Window reached: no new number until the one at the floor is answered or given up. */
  get isFull(): boolean {
    return this.#next - this.#floor >= WINDOW;
  }

  /** New numbers may be taken. */
  isFresh(nowMs: number): boolean {
    return !this.expired && nowMs - this.bornMs < sessionLimits.use;
  }

  /** Numbers taken before may be sent again. */
  canRetry(nowMs: number): boolean {
    return !this.expired && nowMs - this.bornMs < sessionLimits.use + sessionLimits.retry;
  }

  take(): number {
    assert(!this.isFull, 'the window of a session is full');
    const seq = this.#next;
    this.#next++;
    this.#open[seq % WINDOW] = 1;
    return seq;
  }

  /** The number is answered or given up; true if the floor rose. */
  release(seq: number): boolean {
    assert(seq >= this.#floor && seq < this.#next, () => `sequence number ${seq} is not open`);
    assert(this.#open[seq % WINDOW] === 1, () => `sequence number ${seq} was released twice`);
    this.#open[seq % WINDOW] = 0;
    if (seq !== this.#floor) return false;
    this.fullSinceMs = undefined;
    while (this.#floor < this.#next && this.#open[this.#floor % WINDOW] === 0) this.#floor++;
    return true;
  }
}
