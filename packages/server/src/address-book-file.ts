import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DecodeError, Reader, Writer, Xxh64 } from '@flotilla/base';
import { type AddressEntry, readAddressBook, writeAddressBook } from '@flotilla/wire';

/**
 * The address book on disk: where this store last knew its peers, so that a cluster whose seeds are all gone
 * still finds itself after a restart. Losing it costs nothing but a look at the seeds, so a damaged file is set
 * aside and told, never a reason to stay down.
 *
 *   checksum u64 · format u8 · version of the own address u53 · entries
 */

const FILE = 'address-book';
const FORMAT = 1;

export interface SavedAddressBook {
  readonly ownVersion: number;
  readonly entries: readonly AddressEntry[];
}

export function encodeAddressBook(book: SavedAddressBook): Uint8Array {
  const out = new Writer();
  out.reserve(8);
  out.u8(FORMAT);
  out.u53(book.ownVersion);
  writeAddressBook(out, book.entries);
  const hasher = new Xxh64();
  hasher.hash(out.bytes.subarray(8, out.length));
  out.patchU32(0, hasher.low);
  out.patchU32(4, hasher.high);
  return out.finish();
}

/** Throws `DecodeError` for anything that was not written whole by {@link encodeAddressBook}. */
export function decodeAddressBook(bytes: Uint8Array): SavedAddressBook {
  const from = new Reader(bytes);
  const low = from.u32();
  const high = from.u32();
  const hasher = new Xxh64();
  hasher.hash(bytes.subarray(8));
  if (hasher.low !== low || hasher.high !== high) throw new DecodeError('its checksum does not fit');
  const format = from.u8();
  if (format !== FORMAT) throw new DecodeError(`its format ${format} is not known here`);
  const ownVersion = from.u53();
  const entries = readAddressBook(from);
  from.expectEnd();
  return { ownVersion, entries };
}

export class AddressBookFile {
  /** Version of the own address in this run: higher than in all runs before. */
  readonly ownVersion: number;
  /** What was known as this store last ran. */
  readonly entries: readonly AddressEntry[];
  /** Why the file was of no use; undefined if it was fine or absent. */
  readonly damage: string | undefined;
  readonly #path: string;
  #waiting: Uint8Array | undefined;
  #writing: Promise<void> | undefined;

  constructor(directory: string, wallMs: number) {
    this.#path = join(directory, FILE);
    const { book, damage } = readBook(this.#path);
    this.entries = book.entries;
    this.damage = damage;
    // Seconds since 1970 where the count is lost: peers keep the higher version, so a store that began again
    // at 1 would never be found at its new address.
    this.ownVersion = Math.max(book.ownVersion + 1, Math.floor(wallMs / 1_000));
    this.#writeNow({ ownVersion: this.ownVersion, entries: this.entries });
  }

  /** Replaces the entries in the background; of several that wait only the last is written. */
  save(entries: readonly AddressEntry[], failed: (error: Error) => void): void {
    this.#waiting = encodeAddressBook({ ownVersion: this.ownVersion, entries });
    this.#writing ??= this.#writeWaiting(failed);
  }

  /** Resolves once everything that was saved is on disk. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  async #writeWaiting(failed: (error: Error) => void): Promise<void> {
    while (this.#waiting !== undefined) {
      const bytes = this.#waiting;
      this.#waiting = undefined;
      await this.#write(bytes).catch(failed);
    }
    this.#writing = undefined;
  }

  #writeNow(book: SavedAddressBook): void {
    const draft = `${this.#path}.new`;
    const file = openSync(draft, 'w', 0o600);
    try {
      writeSync(file, encodeAddressBook(book));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, this.#path);
    const directory = openSync(dirname(this.#path), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const draft = `${this.#path}.new`;
    const file = await open(draft, 'w', 0o600);
    try {
      await file.write(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
  }
}

function readBook(path: string): { book: SavedAddressBook; damage: string | undefined } {
  const nothing: SavedAddressBook = { ownVersion: 0, entries: [] };
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { book: nothing, damage: undefined };
    throw error;
  }
  try {
    // A plain array: a Buffer's `slice` shares memory.
    return { book: decodeAddressBook(new Uint8Array(bytes)), damage: undefined };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { book: nothing, damage: error.message };
  }
}
