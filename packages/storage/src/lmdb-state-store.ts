import { statSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '@flotilla/base';
import type { CommitUrgency, Hasher, StateSnapshot, StateStore, Timers } from '@flotilla/ports';
import { Arena } from './arena.ts';
import { compareText, keyText } from './key-text.ts';
import { keyBytesMax, statePace, stateSliceMs, storageTuning } from './limits.ts';
import type { LmdbEnvironment, LmdbTable } from './lmdb-environment.ts';
import { mergeRange, readStored, storedKeys, storedRange, type Visit } from './lmdb-range.ts';
import { LmdbStateSnapshot } from './lmdb-state-snapshot.ts';
import { LmdbWriter } from './lmdb-writer.ts';
import { Slice } from './slice.ts';
import { encodeState } from './state-format.ts';
import { type PendingWrite, StateOverlay } from './state-overlay.ts';

/** Puts that are brought into key order at a time: long enough for neighbours to meet, sorted in a moment. */
const runPuts = 1024;

/** Keys that are looked up together before they are removed. */
const runReleases = 128;

interface StateWork {
  readonly transaction: number;
  readonly bytes: number;
  readonly puts: number;
  readonly soon: boolean;
  readonly writes: readonly PendingWrite[];
  readonly done: (failure: Error | undefined) => void;
}

interface Release {
  from: Uint8Array;
  readonly to: Uint8Array;
  /** Transactions up to this one may have written into the range. */
  readonly after: number;
}

export interface LmdbStateOptions {
  readonly timers: Timers;
  readonly hasher: Hasher;
  /** Commits are refused as a fault of the caller while this says false. */
  readonly ready?: () => boolean;
  /** False while the disk has better use for its space than room ahead of the file. */
  readonly mayGrow?: () => boolean;
  readonly paceMs?: number;
}

/**
 * State of all replicas in one LMDB environment, with writes that are not durable yet in an overlay in front.
 * Sealed transactions that pile up while one is written go into the next one together; of several writes of a
 * key only the last is put, and runs of keys are put in order, which is cheaper than as they came.
 */
export class LmdbStateStore implements StateStore {
  readonly #environment: LmdbEnvironment;
  readonly #table: LmdbTable;
  readonly #hasher: Hasher;
  readonly #timers: Timers;
  readonly #writer: LmdbWriter<StateWork>;
  readonly #overlay = new StateOverlay();
  readonly #arena = new Arena();
  readonly #snapshots = new Set<LmdbStateSnapshot>();
  readonly #releases: Release[] = [];
  #releasing = false;
  /** The open transaction. */
  #writes: PendingWrite[] = [];
  #bytes = 0;
  #pendingBytes = 0;
  /** Durable works whose writes are still in the overlay, and how many of the first one's are out. */
  readonly #tidying: StateWork[] = [];
  #tidied = 0;
  #transaction = 1;
  #durableTransaction = 0;
  #visiting = false;

  constructor(environment: LmdbEnvironment, meta: LmdbTable, options: LmdbStateOptions) {
    this.#environment = environment;
    this.#hasher = options.hasher;
    this.#timers = options.timers;
    this.#table = environment.fleetingTable('records');
    this.#writer = new LmdbWriter(
      environment,
      meta,
      {
        write: (works) => this.#write(works),
        durable: (works) => this.#durable(works),
        writeBackground: () => this.#releaseSlice(),
      },
      {
        timers: options.timers,
        pace: { ...statePace, paceMs: options.paceMs ?? statePace.paceMs },
        sliced: true,
        ready: options.ready,
        mayGrow: options.mayGrow,
      },
    );
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertNotVisiting();
    const pending = this.#overlay.get(key);
    if (pending !== undefined) return pending.value;
    return readStored(this.#table, this.#hasher, key);
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: Visit,
    options?: { readonly reverse?: boolean },
  ): void {
    const reverse = options?.reverse === true;
    const low = keyText(from);
    const high = to === undefined ? undefined : keyText(to);
    assert(high === undefined || low <= high, 'a scan goes from a lower key to a higher one');
    this.#assertNotVisiting();
    if (low === high) return;
    this.#visiting = true;
    try {
      const overlay = this.#overlay.range(low, high, reverse);
      mergeRange(storedRange(this.#table, from, to, reverse), overlay, this.#hasher, visit, reverse);
    } finally {
      this.#visiting = false;
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#add(key, value);
  }

  delete(key: Uint8Array): void {
    this.#add(key, undefined);
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    const keys: Uint8Array[] = [];
    this.scan(from, to, (key) => {
      keys.push(key.slice());
      return true;
    });
    for (const key of keys) this.#add(key, undefined);
  }

  commit(done: (failure: Error | undefined) => void, urgency: CommitUrgency = 'relaxed'): void {
    const writes = this.#writes;
    this.#writer.submit({
      transaction: this.#transaction++,
      bytes: this.#bytes,
      puts: writes.length,
      writes,
      soon: urgency === 'soon',
      done,
    });
    this.#writes = [];
    this.#bytes = 0;
  }

  snapshot(): StateSnapshot | undefined {
    if (this.#snapshots.size >= storageTuning.snapshotsMax) return undefined;
    const snapshot = new LmdbStateSnapshot(this.#environment, this.#table, this.#hasher, {
      timers: this.#timers,
      fileBytes: () => this.fileBytes(),
      closed: () => this.#snapshots.delete(snapshot),
    });
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  release(from: Uint8Array, to: Uint8Array): void {
    // The open transaction may have written into the range as well.
    const after = this.#writes.length > 0 ? this.#transaction : this.#transaction - 1;
    this.#releases.push({ from, to, after });
    this.#releaseLater();
  }

  /** Keys that are written but not durable. */
  get pendingKeys(): number {
    return this.#overlay.size;
  }

  /** Bytes of keys and values that are written but not durable: what apply must be throttled by. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  fileBytes(): number {
    return statSync(join(this.#environment.path, 'data.mdb')).size;
  }

  /** Writes what was committed and then closes the environment; what is not committed is dropped. */
  async close(): Promise<void> {
    for (const snapshot of this.#snapshots) snapshot.close();
    await this.#writer.close();
    await this.#environment.close();
  }

  /** What a visitor was shown lies in memory that the next read writes over. */
  #assertNotVisiting(): void {
    assert(!this.#visiting, 'the visitor of a scan must not use the store');
  }

  #add(key: Uint8Array, value: Uint8Array | undefined): void {
    assert(
      key.length > 0 && key.length <= keyBytesMax,
      () => `a key has 1 to ${keyBytesMax} bytes, not ${key.length}`,
    );
    this.#assertNotVisiting();
    this.#writes.push(this.#overlay.add(key, value, this.#transaction));
    const bytes = key.length + (value?.length ?? 0);
    this.#bytes += bytes;
    this.#pendingBytes += bytes;
  }

  /** Inside a transaction that is held open over turns. The overlay stays in front of it until it is durable. */
  *#write(works: readonly StateWork[]): Generator<void> {
    const slice = new Slice(stateSliceMs);
    const isOver = (): boolean => {
      if (!slice.isOver()) return false;
      slice.begin();
      return true;
    };
    const last = works.at(-1)?.transaction ?? 0;
    const writes: PendingWrite[] = [];
    for (const work of works) {
      for (const write of work.writes) {
        if (write.newer === undefined || write.newer.transaction > last) writes.push(write);
        if (isOver()) yield;
      }
    }
    const take = (bytes: number): Uint8Array => this.#arena.take(bytes);
    for (let begin = 0; begin < writes.length; begin += runPuts) {
      const run = writes
        .slice(begin, begin + runPuts)
        .sort((left, right) => compareText(left.text, right.text));
      for (const { key, value } of run) {
        if (value === undefined) this.#table.remove(key);
        else this.#table.put(key, encodeState(take, this.#hasher, key, value));
        if (isOver()) yield;
      }
    }
  }

  #durable(works: readonly StateWork[]): void {
    this.#durableTransaction = works.at(-1)?.transaction ?? this.#durableTransaction;
    const isTidying = this.#tidying.length > 0;
    this.#tidying.push(...works);
    if (!isTidying) this.#tidy();
  }

  /** Takes out of the overlay what the disk has. Until then both say the same, so there is no hurry. */
  #tidy(): void {
    const slice = new Slice(stateSliceMs);
    for (let work = this.#tidying[0]; work !== undefined; work = this.#tidying[0]) {
      while (this.#tidied < work.writes.length) {
        this.#overlay.remove(work.writes[this.#tidied++] as PendingWrite);
        if (!slice.isOver()) continue;
        setImmediate(() => this.#tidy());
        return;
      }
      this.#tidied = 0;
      this.#tidying.shift();
      this.#pendingBytes -= work.bytes;
    }
    this.#overlay.trim();
  }

  #releaseLater(): void {
    if (this.#releasing || this.#releases.length === 0) return;
    this.#releasing = true;
    this.#timers.set(storageTuning.releaseDelayMs, () => {
      this.#releasing = false;
      const release = this.#releases[0];
      if (release === undefined || this.#writer.failure !== undefined || this.#writer.closing) return;
      if (this.#durableTransaction >= release.after) this.#writer.requestBackground();
      this.#releaseLater();
    });
  }

  /** Inside a transaction of its own. No cursor stays open while the event loop has its turn. */
  *#releaseSlice(): Generator<void> {
    const slice = new Slice(stateSliceMs);
    for (let left = storageTuning.releaseKeysMax; left > 0; ) {
      const release = this.#releases[0];
      if (release === undefined || this.#durableTransaction < release.after) return;
      const keys = storedKeys(this.#table, release.from, release.to, runReleases);
      let isOver = false;
      for (const key of keys) {
        this.#table.remove(key);
        isOver = slice.isOver() || isOver;
      }
      const last = keys.at(-1);
      // The next run begins here instead of walking over what this one removes.
      if (last !== undefined) release.from = last;
      if (keys.length < runReleases) this.#releases.shift();
      // An empty range costs something, too.
      left -= keys.length + 1;
      if (!isOver) continue;
      yield;
      slice.begin();
    }
  }
}
