import type { Hasher, StateSnapshot, TimerId, Timers } from '@flotilla/ports';
import { storageTuning } from './limits.ts';
import type { LmdbEnvironment, LmdbTable, LmdbTransaction } from './lmdb-environment.ts';
import { mergeRange, storedRange, type Visit } from './lmdb-range.ts';
import { decodeState } from './state-format.ts';

/**
 * A read transaction held open. As long as it is, LMDB cannot reuse a single page that was freed since, so it
 * ends by time and by growth of the file, whether its owner likes it or not.
 */
export class LmdbStateSnapshot implements StateSnapshot {
  readonly #table: LmdbTable;
  readonly #hasher: Hasher;
  readonly #timers: Timers;
  readonly #closed: () => void;
  readonly #timer: TimerId;
  #growthTimer: TimerId | undefined;
  #transaction: LmdbTransaction | undefined;
  #why = 'was closed';

  constructor(
    environment: LmdbEnvironment,
    table: LmdbTable,
    hasher: Hasher,
    options: { readonly timers: Timers; readonly fileBytes: () => number; readonly closed: () => void },
  ) {
    this.#table = table;
    this.#hasher = hasher;
    this.#timers = options.timers;
    this.#closed = options.closed;
    environment.refresh();
    this.#transaction = table.useReadTransaction();
    this.#timer = this.#timers.set(storageTuning.snapshotLifeMsMax, () => this.#end('outlived its time'));
    const bytesMax = options.fileBytes() * 1.25 + storageTuning.snapshotGrowthBytesMax;
    const watch = (): void => {
      this.#growthTimer = this.#timers.set(storageTuning.snapshotGrowthCheckMs, () => {
        if (options.fileBytes() > bytesMax) this.#end('made the file grow too far');
        else watch();
      });
    };
    watch();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    // Not by `get` of the table: while a write transaction is open LMDB answers that one from the write
    // transaction, whatever it is given. Only ranges keep to the transaction that they are told.
    const after = new Uint8Array(key.length + 1);
    after.set(key);
    for (const { value } of storedRange(this.#table, key, after, false, this.#live())) {
      return decodeState(this.#hasher, key, value).slice();
    }
    return undefined;
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: Visit,
    options?: { readonly reverse?: boolean },
  ): void {
    const reverse = options?.reverse === true;
    const pairs = storedRange(this.#table, from, to, reverse, this.#live());
    mergeRange(pairs, undefined, this.#hasher, visit, reverse);
  }

  close(): void {
    this.#end('was closed');
  }

  #end(why: string): void {
    if (this.#transaction === undefined) return;
    this.#why = why;
    this.#transaction.done();
    this.#transaction = undefined;
    this.#timers.clear(this.#timer);
    if (this.#growthTimer !== undefined) this.#timers.clear(this.#growthTimer);
    this.#closed();
  }

  #live(): LmdbTransaction {
    if (this.#transaction !== undefined) return this.#transaction;
    throw new Error(`this snapshot of the state ${this.#why}; open a new one`);
  }
}
