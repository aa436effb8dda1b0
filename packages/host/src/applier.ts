import type { Entry } from '@flotilla/base';
import { type LogStore, neverRare, type RareBranches, type StateStore } from '@flotilla/ports';
import type { Committer } from './committer.ts';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

/**
 * Applies what was committed, in slices, and makes the state durable behind it. Replies do not wait for that:
 * what a crash takes is applied again from the log. So the log is kept up to what the state has durable.
 */
export class Applier {
  readonly #logStore: LogStore;
  readonly #stateStore: StateStore;
  readonly #tuning: HostTuning;
  readonly #committer: Committer;
  readonly #guard: (replica: Replica, work: () => void) => void;
  readonly #applied: (replica: Replica) => void;
  readonly #onApplied: ((replica: Replica, entry: Entry) => void) | undefined;
  readonly #resume: () => void;
  readonly #failed: (cause: Error) => void;
  readonly #now: () => number;
  readonly #rare: RareBranches;
  readonly #queue = new Set<Replica>();
  #bytesPending = 0;
  /** When each state commit that is not answered yet began; they are answered in order. */
  readonly #pendingSince: number[] = [];
  #stopped = false;

  constructor(options: {
    readonly logStore: LogStore;
    readonly stateStore: StateStore;
    readonly tuning: HostTuning;
    readonly committer: Committer;
    /** Runs the work; a fault of the replica's own data stops that replica and nothing else. */
    readonly guard: (replica: Replica, work: () => void) => void;
    /** The core of the replica was told: it may have more to hand out. */
    readonly applied: (replica: Replica) => void;
    readonly onApplied: ((replica: Replica, entry: Entry) => void) | undefined;
    /** There is room again, or work left: a turn is due. */
    readonly resume: () => void;
    readonly failed: (cause: Error) => void;
    readonly now: () => number;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#logStore = options.logStore;
    this.#stateStore = options.stateStore;
    this.#tuning = options.tuning;
    this.#committer = options.committer;
    this.#guard = options.guard;
    this.#applied = options.applied;
    this.#onApplied = options.onApplied;
    this.#resume = options.resume;
    this.#failed = options.failed;
    this.#now = options.now;
    this.#rare = options.rare ?? neverRare;
  }

  add(replica: Replica): void {
    this.#queue.add(replica);
  }

  /** Nothing of this replica is applied any more. */
  drop(replica: Replica): void {
    this.#queue.delete(replica);
    replica.applyQueue.length = 0;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** How long the oldest state commit has been waiting for its answer, ms; 0 if none is. */
  pendingMs(now: number): number {
    const since = this.#pendingSince[0];
    return since === undefined ? 0 : now - since;
  }

  /** True if a slice could be applied now. */
  get hasWork(): boolean {
    return this.#queue.size > 0 && this.#hasRoom;
  }

  get #hasRoom(): boolean {
    return this.#bytesPending < this.#tuning.stateBytesPendingMax;
  }

  /** One slice over all groups that have something, bounded in bytes. */
  run(): void {
    if (!this.hasWork || this.#rare.take('apply-later')) return;
    const isOne = this.#rare.take('apply-one-group');
    let bytes = 0;
    let begunAt = this.#now();
    const touched: Replica[] = [];
    for (const replica of [...this.#queue]) {
      if (bytes >= this.#tuning.applyBytesPerTurn || (isOne && touched.length > 0)) break;
      this.#guard(replica, () => {
        bytes += this.#applyOne(replica);
        touched.push(replica);
      });
      const endedAt = this.#now();
      replica.applyMs += endedAt - begunAt;
      begunAt = endedAt;
      if (replica.applyQueue.length === 0 || replica.broken !== undefined) this.#queue.delete(replica);
    }
    this.#commit(touched, bytes);
  }

  /** Everything that the replica was handed: its state is about to be replaced as a whole. */
  finish(replica: Replica): void {
    if (replica.applyQueue.length === 0) return;
    let bytes = 0;
    const begunAt = this.#now();
    while (replica.applyQueue.length > 0) bytes += this.#applyOne(replica);
    replica.applyMs += this.#now() - begunAt;
    this.#queue.delete(replica);
    this.#commit([replica], bytes);
  }

  /** One storage message of the replica: bounded by what a core hands out at once. Returns its bytes. */
  #applyOne(replica: Replica): number {
    const message = replica.applyQueue.shift();
    if (message === undefined) return 0;
    let bytes = 0;
    for (const entry of message.entries) {
      replica.applyEntry(entry);
      bytes += entry.data.length;
      this.#onApplied?.(replica, entry);
    }
    replica.flush();
    for (const response of message.responses) replica.raft.step(response);
    this.#applied(replica);
    return bytes;
  }

  #commit(touched: readonly Replica[], bytes: number): void {
    const stands = touched.map((replica) => ({
      replica,
      generation: replica.generation,
      index: replica.applied.index,
    }));
    this.#bytesPending += bytes;
    this.#pendingSince.push(this.#now());
    this.#stateStore.commit((failure) => {
      if (this.#stopped) return;
      if (failure !== undefined) {
        this.#failed(failure);
        return;
      }
      this.#bytesPending -= bytes;
      this.#pendingSince.shift();
      for (const { replica, generation, index } of stands) {
        if (replica.generation !== generation || replica.broken !== undefined) continue;
        replica.durableIndex = Math.max(replica.durableIndex, index);
        this.#guard(replica, () => {
          replica.machine.durable(index);
          this.#compact(replica);
        });
      }
      this.#committer.start();
      if (this.#queue.size > 0) this.#resume();
    });
  }

  /** Drops the older half of a log that grew beyond its limit, never past what the state has made durable. */
  #compact(replica: Replica): void {
    const isEarly = this.#rare.take('log-compacted-early');
    if (!isEarly && this.#logStore.bytes(replica.group) <= this.#tuning.logKeepBytes) return;
    const { first, last } = this.#logStore.span(replica.group);
    const most = isEarly ? last : Math.floor((first + last) / 2);
    const compactTo = Math.min(replica.durableIndex, most);
    if (compactTo < first) return;
    this.#committer.add({ replica, write: { group: replica.group, compactTo }, responses: [] });
  }
}
