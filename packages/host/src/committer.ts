import { CorruptionError, type Message } from '@flotilla/base';
import { type LogStore, type LogWrite, neverRare, type RareBranches, type Timers } from '@flotilla/ports';
import { entriesBytes } from '@flotilla/raft';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

/** Storage work of one core: a write, and the messages that may leave once it is durable. */
export interface AppendWork {
  readonly replica: Replica;
  /** Undefined when the responses only wait for what was queued before. */
  readonly write: LogWrite | undefined;
  readonly responses: readonly Message[];
}

/**
 * One log commit at a time for all groups. While one is being synced, the work of later turns gathers and
 * becomes the next: an idle store commits at once, a busy one commits in batches. Right after a commit of
 * more than a few commands the next one waits a moment for more: on a fast disk the work around a commit costs more
 * than the sync itself, and whoever sends much at a time can spare a millisecond.
 */
export class Committer {
  readonly #logStore: LogStore;
  readonly #tuning: HostTuning;
  readonly #now: () => number;
  readonly #durable: (work: readonly AppendWork[]) => void;
  readonly #failed: (cause: Error) => void;
  readonly #timers: Timers;
  readonly #rare: RareBranches;
  #queue: AppendWork[] = [];
  #startedAt: number | undefined;
  #endedAt: number = Number.NEGATIVE_INFINITY;
  #lastBytes = 0;
  #gathering = false;
  #stopped = false;

  constructor(options: {
    readonly logStore: LogStore;
    readonly tuning: HostTuning;
    readonly timers: Timers;
    readonly now: () => number;
    readonly durable: (work: readonly AppendWork[]) => void;
    readonly failed: (cause: Error) => void;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#logStore = options.logStore;
    this.#tuning = options.tuning;
    this.#timers = options.timers;
    this.#now = options.now;
    this.#durable = options.durable;
    this.#failed = options.failed;
    this.#rare = options.rare ?? neverRare;
  }

  add(work: AppendWork): void {
    if (!this.#stopped) this.#queue.push(work);
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.#stopped = true;
    this.#queue = [];
  }

  #isGathering(): boolean {
    if (this.#gathering) return true;
    const left = this.#gatherLeftMs();
    if (left <= 0) return false;
    this.#gathering = true;
    this.#timers.set(left, () => {
      this.#gathering = false;
      this.#lastBytes = 0;
      this.start();
    });
    return true;
  }

  #gatherLeftMs(): number {
    if (this.#rare.take('log-commit-later')) return this.#tuning.gatherMs;
    if (this.#lastBytes < this.#tuning.gatherBytesMin) return 0;
    return this.#tuning.gatherMs - (this.#now() - this.#endedAt);
  }

  /** How long the commit under way has been pending, ms; 0 if there is none. */
  pendingMs(now: number): number {
    return this.#startedAt === undefined ? 0 : now - this.#startedAt;
  }

  start(): void {
    if (this.#startedAt !== undefined || this.#queue.length === 0 || this.#isGathering()) return;
    const work = this.#take();
    const writes: LogWrite[] = [];
    for (const { replica, write } of work) {
      // What a broken replica wanted is never acknowledged, and its damaged log would refuse it.
      if (write !== undefined && replica.broken === undefined) writes.push(write);
    }
    if (writes.length === 0) {
      this.#durable(work);
      return;
    }
    this.#startedAt = this.#now();
    try {
      this.#logStore.commit(writes, (failure) => {
        this.#startedAt = undefined;
        this.#endedAt = this.#now();
        if (failure === undefined) this.#durable(work);
        else this.#failed(failure);
      });
    } catch (cause) {
      if (!(cause instanceof CorruptionError)) throw cause;
      // Reads of the log may show a part of these writes already: only a new start knows what is there.
      this.#failed(cause);
    }
  }

  /** As much of the queue, in order, as one transaction may hold. */
  #take(): AppendWork[] {
    let bytes = 0;
    let writes = 0;
    let count = 0;
    const isOne = this.#rare.take('log-commit-of-one');
    for (const work of this.#queue) {
      bytes += entriesBytes(work.write?.entries ?? []);
      writes += 2;
      const isFull = bytes > this.#tuning.commitBytesMax || writes > this.#tuning.commitWritesMax;
      if (count > 0 && (isOne || isFull)) break;
      count++;
    }
    this.#lastBytes = bytes;
    return this.#queue.splice(0, count);
  }
}
