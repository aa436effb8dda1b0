import { assert } from '@flotilla/base';
import type { TimerId, Timers } from '@flotilla/ports';
import { FileRoom } from './file-room.ts';
import type { LmdbEnvironment, LmdbTable } from './lmdb-environment.ts';

/** One commit on its way to the disk. */
export interface WriterWork {
  readonly bytes: number;
  readonly puts: number;
  /** Does not wait for the pace. */
  readonly soon?: boolean;
  readonly done: (failure: Error | undefined) => void;
}

export interface WriterClient<Work extends WriterWork> {
  /**
   * Puts the works, in order. Runs inside a transaction: it must not throw. A generator yields wherever the event
   * loop may have its turn, with the transaction held open.
   */
  write(works: readonly Work[]): Generator<void> | undefined;
  /** All of them are durable. Runs before their callbacks. */
  durable(works: readonly Work[]): void;
  /** A transaction of its own that nobody waits for, asked for with `requestBackground`; yields as `write` does. */
  writeBackground(): Generator<void> | undefined;
}

/** When a transaction begins, and how much it takes. */
export interface WriterPace {
  /** Least time between the beginnings of two transactions, unless there is much to write; 0 for none. */
  readonly paceMs: number;
  readonly bytesMax: number;
  readonly putsMax: number;
}

const CAUSE_MS_MAX = 100;
const COUNTER_KEY = new TextEncoder().encode('commit');

/**
 * Turns commits into LMDB transactions. One transaction runs at a time, and what is handed over meanwhile
 * goes into the next one. LMDB itself would queue several, but then this could happen:
 *
 * 1. commit A is queued, commit B is queued behind it;
 * 2. the sync of A fails: A is gone;
 * 3. LMDB goes on with B, which succeeds: the disk now has B without A, a log with a hole.
 *
 * So B is not handed over before A is known to be durable, and after a failure nothing is written any more.
 */
export class LmdbWriter<Work extends WriterWork> {
  readonly #environment: LmdbEnvironment;
  readonly #meta: LmdbTable;
  readonly #client: WriterClient<Work>;
  readonly #timers: Timers;
  readonly #pace: WriterPace;
  readonly #sliced: boolean;
  readonly #ready: (() => boolean) | undefined;
  readonly #room: FileRoom;
  #queue: Work[] = [];
  #queuedBytes = 0;
  #queuedPuts = 0;
  #running = false;
  #failure: Error | undefined;
  #paceTimer: TimerId | undefined;
  #background = false;
  #backgroundLast = false;
  #grewLast = false;
  #closing: (() => void) | undefined;
  #closed = false;
  #counter = 0;

  constructor(
    environment: LmdbEnvironment,
    meta: LmdbTable,
    client: WriterClient<Work>,
    options: {
      readonly timers: Timers;
      readonly pace: WriterPace;
      /** The client's `write` is a generator. */
      readonly sliced: boolean;
      readonly ready: (() => boolean) | undefined;
      /** False while the disk has better use for its space than room ahead. */
      readonly mayGrow: (() => boolean) | undefined;
    },
  ) {
    this.#environment = environment;
    this.#meta = meta;
    this.#client = client;
    this.#timers = options.timers;
    this.#pace = options.pace;
    this.#sliced = options.sliced;
    this.#ready = options.ready;
    const { ready, mayGrow } = options;
    this.#room = new FileRoom(
      environment.path,
      () => environment.usedBytes(),
      () => ready?.() !== false && mayGrow?.() !== false,
    );
    const counter = meta.get(COUNTER_KEY);
    if (counter !== undefined) this.#counter = readCounter(counter);
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get closing(): boolean {
    return this.#closed || this.#closing !== undefined;
  }

  /** Transactions of this environment since it was made. */
  get counter(): number {
    return this.#counter;
  }

  submit(work: Work): void {
    assert(!this.#closed && this.#closing === undefined, 'a closed store takes no commits');
    assert(
      this.#ready?.() !== false,
      'the data directory has no identity yet; establish it before any commit',
    );
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#timers.soon(() => work.done(failure));
      return;
    }
    this.#queue.push(work);
    this.#queuedBytes += work.bytes;
    this.#queuedPuts += work.puts;
    this.#pump();
  }

  requestBackground(): void {
    this.#background = true;
    this.#pump();
  }

  /** Writes what is queued and then ends; nothing is written after a failure. */
  close(): Promise<void> {
    assert(!this.#closed && this.#closing === undefined, 'a store is closed once');
    return new Promise((resolve) => {
      this.#closing = resolve;
      this.#background = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#running) return;
    if (this.#failure !== undefined || (this.#closing !== undefined && this.#queue.length === 0)) {
      this.#end();
      return;
    }
    const isDue = this.#isDue();
    // Background work gets its turn between two transactions with commits, never twice in a row before one that
    // is due. One that only keeps its pace is in nobody's way.
    if (this.#background && (!isDue || !this.#backgroundLast)) {
      this.#background = false;
      this.#backgroundLast = true;
      this.#run([], () => this.#client.writeBackground());
      return;
    }
    if (this.#grow() || !isDue) return;
    this.#backgroundLast = false;
    const works = this.#take();
    this.#keepPace();
    this.#run(works, () => this.#client.write(works));
  }

  /** Commits wait, and not only for their pace. */
  #isDue(): boolean {
    if (this.#queue.length === 0) return false;
    const much = this.#queuedBytes >= this.#pace.bytesMax / 4 || this.#queuedPuts >= this.#pace.putsMax / 2;
    const isFree = this.#paceTimer === undefined || much || this.#closing !== undefined;
    return isFree || this.#queue.some((work) => work.soon === true);
  }

  /** Makes room in the file between two transactions; true if that is under way now. */
  #grow(): boolean {
    // One step between two transactions at most: commits are what somebody waits for.
    const isDue = this.#queue.length === 0 || !this.#grewLast;
    const need = isDue && this.#closing === undefined ? this.#room.need() : 'none';
    this.#grewLast = need === 'now' || (need === 'soon' && this.#queue.length === 0);
    if (!this.#grewLast) return false;
    this.#running = true;
    this.#room.grow(() => {
      this.#running = false;
      this.#pump();
    });
    return true;
  }

  /** As many whole commits as fit one transaction, at least one. */
  #take(): readonly Work[] {
    let count = 0;
    let bytes = 0;
    let puts = 0;
    for (const work of this.#queue) {
      if (count > 0 && bytes + work.bytes > this.#pace.bytesMax) break;
      if (count > 0 && puts + work.puts > this.#pace.putsMax) break;
      count++;
      bytes += work.bytes;
      puts += work.puts;
    }
    this.#queuedBytes -= bytes;
    this.#queuedPuts -= puts;
    return this.#queue.splice(0, count);
  }

  #keepPace(): void {
    if (this.#pace.paceMs === 0) return;
    if (this.#paceTimer !== undefined) this.#timers.clear(this.#paceTimer);
    this.#paceTimer = this.#timers.set(this.#pace.paceMs, () => {
      this.#paceTimer = undefined;
      this.#pump();
    });
  }

  #run(works: readonly Work[], write: () => Generator<void> | undefined): void {
    this.#running = true;
    const counter = this.#counter + 1;
    const count = (): void => {
      this.#meta.put(COUNTER_KEY, writeCounter(counter));
    };
    const promise = this.#sliced
      ? this.#environment.transaction(function* () {
          const steps = write();
          if (steps !== undefined) yield* steps;
          count();
        })
      : this.#environment.batch(() => {
          write();
          count();
        });
    promise.then(
      (durable) =>
        this.#settled(works, counter, durable ? undefined : new Error('LMDB refused the transaction')),
      (error: unknown) => this.#rejected(works, counter, error),
    );
  }

  #rejected(works: readonly Work[], counter: number, error: unknown): void {
    // LMDB rejects first and tells the cause right afterwards, in a promise that must not go unhandled. Should
    // it never come, the failure is reported without it: the process has to stop within a second (rule L5).
    let reported = false;
    const report = (cause: unknown): void => {
      if (reported) return;
      reported = true;
      const text = `commit ${counter} to ${this.#environment.path} failed: ${String(cause)}`;
      this.#settled(works, counter, new Error(text, { cause }));
    };
    const { commitError } = error as { readonly commitError?: unknown };
    if (commitError instanceof Promise) commitError.catch(report);
    this.#timers.set(commitError instanceof Promise ? CAUSE_MS_MAX : 0, () => report(error));
  }

  #settled(works: readonly Work[], counter: number, problem: Error | undefined): void {
    const failure = problem ?? this.#canary(counter);
    if (failure !== undefined) {
      this.#running = false;
      this.#fail(works, failure);
      return;
    }
    this.#counter = counter;
    this.#client.durable(works);
    // Callbacks first: what they commit goes into the next transaction together, and a snapshot that they open
    // shows exactly the commit that they are told of.
    for (const work of works) work.done(undefined);
    this.#running = false;
    this.#pump();
  }

  /** Rule L3: a commit counts only after a read on a fresh transaction has seen it. */
  #canary(counter: number): Error | undefined {
    try {
      this.#environment.refresh();
      const stored = this.#meta.get(COUNTER_KEY);
      const found = stored === undefined ? undefined : readCounter(stored);
      if (found === counter) return undefined;
      return new Error(`commit ${counter} to ${this.#environment.path} is not there: the file says ${found}`);
    } catch (cause) {
      return new Error(`${this.#environment.path} cannot be read after commit ${counter}`, { cause });
    }
  }

  #fail(works: readonly Work[], failure: Error): void {
    this.#failure = failure;
    const lost = [...works, ...this.#queue];
    this.#queue = [];
    if (this.#paceTimer !== undefined) this.#timers.clear(this.#paceTimer);
    for (const work of lost) work.done(failure);
    this.#end();
  }

  #end(): void {
    if (this.#closing === undefined || this.#closed) return;
    this.#closed = true;
    this.#room.close();
    if (this.#paceTimer !== undefined) this.#timers.clear(this.#paceTimer);
    this.#closing();
  }
}

function writeCounter(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

function readCounter(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0);
}
