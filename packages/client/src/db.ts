import { EMPTY_BYTES } from '@flotilla/base';
import { Flag, Op, Status } from '@flotilla/wire';
import { Admin } from './admin.ts';
import { type ClientCore, DeleteRange, GetMany, ScanCursor } from './core/index.ts';
import { errorOf, InvalidArgumentError } from './errors.ts';
import {
  type CallOptions,
  checkSignal,
  type IncrementResult,
  levelOf,
  PromisedGet,
  PromisedWrite,
  type ReadOptions,
  recordOf,
  timeoutOf,
  type WriteResult,
  watchSignal,
} from './promised.ts';
import {
  type Bytes,
  incrementOf,
  type KeyRecord,
  keyOf,
  type RangeOptions,
  rangeOf,
  valueBytes,
  wholeNumber,
} from './values.ts';

export interface WriteOptions extends CallOptions {
  /** Only if the key has this version; 0: only if it is absent. */
  readonly ifVersion?: number;
  readonly ifAbsent?: boolean;
  readonly ifPresent?: boolean;
  /** Only if the key has this value. */
  readonly ifValue?: Bytes;
  /** The record disappears after this time, ms. Without it the record stays. */
  readonly ttl?: number;
}

export interface ScanRange extends RangeOptions, ReadOptions {
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface DeletedRange {
  readonly deleted: number;
}

/** A connected client. Made by `connect`; close it, or declare it with `await using`. */
export class Db implements AsyncDisposable {
  readonly admin: Admin;
  readonly #core: ClientCore;

  constructor(core: ClientCore) {
    this.#core = core;
    this.admin = new Admin(core);
  }

  /** Sets the value of a key. */
  put(key: Bytes, value: Bytes, options?: WriteOptions): Promise<WriteResult> {
    return this.#write<WriteResult>(Op.put, key, value, options);
  }

  /** Adds to the end of the value; an absent key begins empty. */
  append(key: Bytes, value: Bytes, options?: WriteOptions): Promise<WriteResult> {
    return this.#write<WriteResult>(Op.append, key, value, options);
  }

  /** Removes a key; one that is absent is a success. */
  delete(key: Bytes, options?: Omit<WriteOptions, 'ttl'>): Promise<WriteResult> {
    return this.#write<WriteResult>(Op.delete, key, EMPTY_BYTES, options);
  }

  /** Adds to a decimal 64-bit integer; an absent key counts as 0. */
  increment(key: Bytes, by: number | bigint = 1, options?: WriteOptions): Promise<IncrementResult> {
    return this.#write<IncrementResult>(Op.increment, key, by, options);
  }

  /** The record of a key, or undefined if it is absent. */
  get(key: Bytes, options?: ReadOptions): Promise<KeyRecord | undefined> {
    return new Promise((resolve, reject) => {
      const read = new PromisedGet(this.#core, keyOf(key), typeof key === 'string' ? key : undefined);
      read.resolve = resolve;
      read.reject = reject;
      let timeoutMs: number | undefined;
      if (options !== undefined) {
        checkSignal(options.signal);
        const { level, maxAgeMs } = levelOf(options);
        read.level = level;
        read.maxAgeMs = maxAgeMs;
        timeoutMs = timeoutOf(options);
        read.unwatch = watchSignal(options.signal, read);
      }
      read.deadlineMs = this.#core.deadlineMs(timeoutMs);
      this.#core.submit(read);
    });
  }

  /** The records of many keys, in the order of the keys. Not a snapshot: each is read by itself. */
  getMany(keys: readonly Bytes[], options: ReadOptions = {}): Promise<(KeyRecord | undefined)[]> {
    return new Promise((resolve, reject) => {
      checkSignal(options.signal);
      const bytes = keys.map(keyOf);
      const deadlineMs = this.#core.deadlineMs(timeoutOf(options));
      let unwatch = (): void => {};
      const all = new GetMany(this.#core, bytes, levelOf(options), deadlineMs, () => {
        unwatch();
        if (all.failure !== undefined) reject(errorOf(all.failure));
        else resolve(recordsOf(all, keys, bytes));
      });
      unwatch = watchSignal(options.signal, all);
      all.start();
    });
  }

  /**
   * All records of a range in key order over all shards. Pages are read as the loop goes on, each within
   * `timeout`; leaving the loop ends the scan. Not a snapshot.
   */
  async *scan(options: ScanRange = {}): AsyncGenerator<KeyRecord, void, undefined> {
    checkSignal(options.signal);
    const cursor = new ScanCursor(this.#core, rangeOf(options), {
      ...levelOf(options),
      reverse: options.reverse === true,
      limit: options.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.limit, 'limit', 0),
      timeoutMs: timeoutOf(options),
    });
    const unwatch = watchSignal(options.signal, cursor);
    try {
      for (;;) {
        const record = cursor.take();
        if (record !== undefined) {
          yield recordOf(record.key.slice(), undefined, record);
          continue;
        }
        if (cursor.failure !== undefined) throw errorOf(cursor.failure);
        if (cursor.isDone) return;
        await new Promise<void>((resolve) => cursor.fill(resolve));
      }
    } finally {
      unwatch();
      cursor.close();
    }
  }

  /**
   * Deletes all keys of a range; an empty prefix means everything. Not atomic: after an error part of the
   * range may be gone, and calling again deletes the rest. `timeout` holds for each step of at most 1,000 keys.
   */
  deleteRange(options: RangeOptions & CallOptions): Promise<DeletedRange> {
    return new Promise((resolve, reject) => {
      checkSignal(options.signal);
      if (options.prefix === undefined && options.from === undefined && options.to === undefined) {
        throw new InvalidArgumentError(
          "deleteRange needs a prefix, from or to; prefix: '' deletes everything",
        );
      }
      let unwatch = (): void => {};
      const all = new DeleteRange(this.#core, rangeOf(options), timeoutOf(options), () => {
        unwatch();
        if (all.failure !== undefined) reject(errorOf(all.failure));
        else resolve({ deleted: all.deleted });
      });
      unwatch = watchSignal(options.signal, all);
      all.start();
    });
  }

  /** Ends all connections. What is still open fails with `ClosedError`. */
  close(): Promise<void> {
    this.#core.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #write<R>(
    op: Op,
    key: Bytes,
    value: Bytes | number | bigint,
    options: WriteOptions | undefined,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      const write = new PromisedWrite(this.#core, op, keyOf(key));
      write.resolve = resolve as (result: never) => void;
      write.reject = reject;
      write.value = op === Op.increment ? incrementOf(value as number | bigint) : valueBytes(value as Bytes);
      const timeoutMs = options === undefined ? undefined : conditions(write, options);
      if (options?.signal !== undefined) write.unwatch = watchSignal(options.signal, write);
      write.deadlineMs = this.#core.deadlineMs(timeoutMs);
      this.#core.submit(write);
    });
  }
}

/** Sets flags and their fields; returns the timeout. */
function conditions(write: PromisedWrite, options: WriteOptions): number | undefined {
  checkSignal(options.signal);
  if (options.ifPresent === true) {
    write.flags |= Flag.ifPresent;
    write.expectation = 'present';
  }
  if (options.ifAbsent === true) {
    write.flags |= Flag.ifAbsent;
    write.expectation = 0;
  }
  if (options.ifValue !== undefined) {
    write.flags |= Flag.ifValue;
    write.expected = valueBytes(options.ifValue, 'an expected value');
    write.expectation = 'value';
  }
  if (options.ifVersion !== undefined) {
    write.flags |= Flag.ifVersion;
    write.version = wholeNumber(options.ifVersion, 'ifVersion', 0);
    write.expectation = write.version;
  }
  if (options.ttl !== undefined) {
    write.flags |= Flag.ttl;
    write.ttl = wholeNumber(options.ttl, 'ttl', 1);
  }
  return timeoutOf(options);
}

function recordsOf(
  all: GetMany,
  keys: readonly Bytes[],
  bytes: readonly Uint8Array[],
): (KeyRecord | undefined)[] {
  return all.results.map((result, at) => {
    if (result?.status !== Status.record) return undefined;
    const name = keys[at];
    return recordOf(bytes[at] as Uint8Array, typeof name === 'string' ? name : undefined, result);
  });
}
