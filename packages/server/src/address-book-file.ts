import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DecodeError, Reader, type StoreId, Writer, Xxh64 } from '@flotilla/base';
import { type AddressEntry, readAddressBook, writeAddressBook } from '@flotilla/wire';

/**
 * The address book on disk: where this store last knew its peers, so that a cluster whose seeds are all gone
 * still finds itself after a restart. Losing it costs nothing but a look at the seeds, so a damaged file is set
 * aside and told, never a reason to stay down.
 *
 *   checksum u64 · format u8 · entries
 */

const FILE = 'address-book';
const FORMAT = 1;

export function encodeAddressBook(entries: readonly AddressEntry[]): Uint8Array {
  const out = new Writer();
  out.reserve(8);
  out.u8(FORMAT);
  writeAddressBook(out, entries);
  const hasher = new Xxh64();
  hasher.hash(out.bytes.subarray(8, out.length));
  out.patchU32(0, hasher.low);
  out.patchU32(4, hasher.high);
  return out.finish();
}

/** Throws `DecodeError` for anything that was not written whole by {@link encodeAddressBook}. */
export function decodeAddressBook(bytes: Uint8Array): AddressEntry[] {
  const from = new Reader(bytes);
  const low = from.u32();
  const high = from.u32();
  const hasher = new Xxh64();
  hasher.hash(bytes.subarray(8));
  if (hasher.low !== low || hasher.high !== high) throw new DecodeError('its checksum does not fit');
  const format = from.u8();
  if (format !== FORMAT) throw new DecodeError(`its format ${format} is not known here`);
  const entries = readAddressBook(from);
  from.expectEnd();
  return entries;
}

export class AddressBookFile {
  /** What was known as this store last ran; its own line stands one version below that of this run. */
  readonly entries: readonly AddressEntry[];
  /** Version of the own address in this run: higher than in all runs before. */
  readonly ownVersion: number;
  /** Why the file was of no use; undefined if it was fine or absent. */
  readonly damage: string | undefined;
  readonly #path: string;
  #waiting: Uint8Array | undefined;
  #writing: Promise<void> | undefined;

  constructor(directory: string, own: Omit<AddressEntry, 'version'>, wallMs: number) {
    this.#path = join(directory, FILE);
    const { entries, damage } = readBook(this.#path);
    this.damage = damage;
    const before = ownVersion(entries, own.storeId);
    // Seconds since 1970 where the count is lost: peers keep the higher version, so a store that began again
    // at 1 would not be found at its new address before it met them.
    this.ownVersion = Math.max(before + 1, Math.floor(wallMs / 1_000));
    const others = entries.filter(({ storeId }) => storeId !== own.storeId);
    this.entries = [...others, { ...own, version: this.ownVersion - 1 }];
    // Durable before anybody hears of it.
    this.#writeNow(encodeAddressBook([...others, { ...own, version: this.ownVersion }]));
  }

  /** Replaces the entries in the background; of several that wait only the last is written. */
  save(entries: readonly AddressEntry[], failed: (error: Error) => void): void {
    this.#waiting = encodeAddressBook(entries);
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

  #writeNow(bytes: Uint8Array): void {
    const draft = `${this.#path}.new`;
    const file = openSync(draft, 'w', 0o600);
    try {
      writeSync(file, bytes);
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

function ownVersion(entries: readonly AddressEntry[], storeId: StoreId): number {
  return entries.find((entry) => entry.storeId === storeId)?.version ?? 0;
}

function readBook(path: string): { entries: readonly AddressEntry[]; damage: string | undefined } {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { entries: [], damage: undefined };
    throw error;
  }
  try {
    // A plain array: a Buffer's `slice` shares memory.
    return { entries: decodeAddressBook(new Uint8Array(bytes)), damage: undefined };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { entries: [], damage: error.message };
  }
}
