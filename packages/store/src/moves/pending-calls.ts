import type { StoreId } from '@flotilla/base';
import type { Random, TimerId, Timers } from '@flotilla/ports';

interface Pending<T> {
  readonly storeId: StoreId;
  readonly timer: TimerId;
  readonly done: (reply: T | undefined) => void;
}

/** Questions under way: as many as all moves into one store, their steps and the cancels of a large cluster. */
const PENDING_MAX = 4_096;

/**
 * Questions to other stores that wait for an answer. Each ends once: with its answer, or with undefined after
 * its time, or when the connection ends.
 */
export class PendingCalls<T> {
  readonly #timers: Timers;
  readonly #pending = new Map<number, Pending<T>>();
  #lastId: number;

  /**
   * The ids of each life of a store begin somewhere else: an answer to a question of the life before, which
   * was still in a log when this store went down, must not pass for the answer to one of now.
   */
  constructor(timers: Timers, random: Random) {
    this.#timers = timers;
    this.#lastId = random.u32() * 2 ** 20;
  }

  /** Waits for the answer to a question that `send` sends under the given id; false from it: it did not leave. */
  open(
    storeId: StoreId,
    timeoutMs: number,
    send: (id: number) => boolean,
    done: (reply: T | undefined) => void,
  ): void {
    const id = ++this.#lastId;
    if (this.#pending.size >= PENDING_MAX || !send(id)) {
      // Never inside of the caller, who may be in the middle of something.
      this.#timers.soon(() => done(undefined));
      return;
    }
    const timer = this.#timers.set(timeoutMs, () => this.#end(id, undefined));
    this.#pending.set(id, { storeId, timer, done });
  }

  /** An answer of that store; one that nobody waits for is late, and left alone. */
  settle(storeId: StoreId, id: number, reply: T): void {
    if (this.#pending.get(id)?.storeId === storeId) this.#end(id, reply);
  }

  peerDown(storeId: StoreId): void {
    for (const [id, pending] of [...this.#pending]) {
      if (pending.storeId === storeId) this.#end(id, undefined);
    }
  }

  #end(id: number, reply: T | undefined): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#timers.clear(pending.timer);
    this.#pending.delete(id);
    pending.done(reply);
  }
}
