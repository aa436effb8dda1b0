import { assert } from '@flotilla/base';
import * as lmdb from 'lmdb';
import { describeFlags } from './lmdb-flags.ts';

export type LmdbTable = lmdb.Database<Uint8Array, Uint8Array>;
export type LmdbTransaction = lmdb.Transaction;

/**
 * One LMDB environment, opened under rule L1: a commit is visible only after it is durable, an unflushed
 * meta page is never trusted, and nothing lies between the bytes we hand over and the bytes on disk.
 */
export class LmdbEnvironment {
  readonly path: string;
  readonly #root: lmdb.RootDatabase<Uint8Array, Uint8Array>;

  constructor(path: string) {
    this.path = path;
    this.#root = lmdb.open<Uint8Array, Uint8Array>({
      path,
      ...fixedOptions,
      // Address space, not disk. Generous, because growing the map stalls readers while it is mapped anew.
      mapSize: 64 * 1024 * 1024 * 1024,
      maxDbs: 8,
      maxReaders: 32,
    } as lmdb.RootDatabaseOptionsWithPath);
    const { wrong } = this.flags();
    assert(
      wrong.length === 0,
      () => `LMDB at ${path} runs with ${wrong.join(', ')}: commits could be lost (rule L1)`,
    );
  }

  /** A named table. There is a fixed handful of them, never one per group. */
  table(name: string): LmdbTable {
    return this.#root.openDB(name, { ...tableOptions } as lmdb.DatabaseOptions);
  }

  /** The same, of which ranges hand out values that are good until the next read only. */
  fleetingTable(name: string): LmdbTable {
    return this.#root.openDB(name, { ...tableOptions, encoder: fleeting } as lmdb.DatabaseOptions);
  }

  /** The flags that are in effect, as LMDB itself reports them. */
  flags(): { readonly value: number; readonly wrong: readonly string[] } {
    const inside = this.#root as unknown as { readonly env: { readonly address: number } };
    const { nativeAddon } = lmdb as unknown as {
      readonly nativeAddon: { getEnvFlags(address: number): number };
    };
    return describeFlags(nativeAddon.getEnvFlags(inside.env.address));
  }

  /** Runs the puts of `write` as one transaction; the promise says true once it is durable. */
  batch(write: () => void): Promise<boolean> {
    return this.#root.batch(write);
  }

  /**
   * Runs the puts of `write` as one transaction that is held open over turns of the event loop: each value that
   * the generator yields lets the loop go on. Reads meanwhile see what was put so far. Nobody else may write.
   */
  async transaction(write: () => Generator<void>): Promise<boolean> {
    const { env } = this.#root as unknown as { readonly env: { abortTxn(): void; resumeWriting(): void } };
    // At its exit a process waits for the thread of LMDB, and that one for the end of this transaction: without
    // this a process with a fatal fault would stay for ever, silent, with its lock and its connections.
    const giveUp = (): void => {
      env.abortTxn();
      env.resumeWriting();
    };
    // A child, because only a child can be given up: LMDB commits the rest of any other one that throws.
    await this.#root.childTransaction(async () => {
      process.once('exit', giveUp);
      try {
        const steps = write();
        while (steps.next().done !== true) await new Promise(setImmediate);
      } finally {
        process.off('exit', giveUp);
      }
    });
    return true;
  }

  /** Bytes up to the end of the last page that was ever used. */
  usedBytes(): number {
    const { lastPageNumber, pageSize } = this.#root.getStats() as {
      readonly lastPageNumber: number;
      readonly pageSize: number;
    };
    return (lastPageNumber + 1) * pageSize;
  }

  /** Reads after this see everything durable now. */
  refresh(): void {
    this.#root.resetReadTxn();
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}

const tableOptions = {
  encoding: 'binary',
  keyEncoding: 'binary',
  cache: false,
  compression: false,
} as const;

/** LMDB reads all values into one buffer. Without this it copies each value of a range out of it. */
const fleeting = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (shared: Uint8Array, bytes: number): Uint8Array =>
    new Uint8Array(shared.buffer, shared.byteOffset, bytes),
};

const fixedOptions = {
  ...tableOptions,
  overlappingSync: false,
  safeRestore: true,
  noSync: false,
  noMetaSync: false,
  mapAsync: false,
  useWritemap: false,
  noMemInit: false,
  noSubdir: false,
  // We batch by ourselves. With this on, LMDB wraps every batch in one of its own, whose promise it drops: a
  // failed commit would end the process as an unhandled rejection instead of being answered.
  eventTurnBatching: false,
} as const;

/**
 * LMDB hands out buffers of Node, whose `slice` does not copy. Whatever leaves this package is a plain byte
 * array over the same bytes.
 */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
