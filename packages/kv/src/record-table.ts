import { assert, EMPTY_BYTES } from '@flotilla/base';
import type { Hasher, StateStore } from '@flotilla/ports';
import { ItemKind, limits } from '@flotilla/wire';
import type { ChangeIndex } from './change-index.ts';
import { getU32, getU53, isU53, setU32, setU53 } from './fields.ts';
import { expiryKey } from './keys.ts';
import type { OpenExport, Shard } from './shard.ts';
import { Slab } from './slab.ts';

/**
 * Stored record: flags u8 · version u53 · createVersion u53 · [expiresAt u53] · value · item hash u64.
 *
 * The item hash covers key and record without the hash itself. It is stored so that a write can take the old
 * item out of the shard's digest without hashing the old value again. Key and record are built in one piece
 * of memory, which makes them one range to hash and the value's only copy.
 */
const HAS_EXPIRY = 1;
const EXPIRES_AT = 17;
const HASH_BYTES = 8;
const PLAIN_BYTES = 17 + HASH_BYTES;

export function recordVersion(record: Uint8Array): number {
  return getU53(record, 1);
}

export function recordCreateVersion(record: Uint8Array): number {
  return getU53(record, 9);
}

/** 0 when the record does not expire. */
export function recordExpiresAt(record: Uint8Array): number {
  return (record[0] as number) === 0 ? 0 : getU53(record, EXPIRES_AT);
}

function valueAt(record: Uint8Array): number {
  return (record[0] as number) === 0 ? EXPIRES_AT : EXPIRES_AT + 8;
}

export function recordValue(record: Uint8Array): Uint8Array {
  return record.subarray(valueAt(record), record.length - HASH_BYTES);
}

/** False for bytes that no version of this state machine stores as a record. */
export function isSoundRecord(stored: Uint8Array): boolean {
  const flags = stored[0];
  if (flags !== 0 && flags !== HAS_EXPIRY) return false;
  const valueBytes = stored.length - HASH_BYTES - valueAt(stored);
  if (valueBytes < 0 || valueBytes > limits.valueBytes) return false;
  if (!isU53(stored, 1) || !isU53(stored, 9)) return false;
  if (flags === HAS_EXPIRY && !isU53(stored, EXPIRES_AT)) return false;
  return recordCreateVersion(stored) > 0 && recordCreateVersion(stored) <= recordVersion(stored);
}

export function isExpired(expiresAt: number, now: number): boolean {
  return expiresAt !== 0 && now >= expiresAt;
}

/** A record as it is stored, and the hash in its last bytes. */
export interface WholeRecord {
  readonly key: Uint8Array;
  readonly name: Uint8Array;
  readonly stored: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
}

/**
 * Reads and writes the records of all shards of a group, one at a time: `find` fills the fields, and the
 * calls that change something refer to the record that was found last.
 */
export class RecordTable {
  readonly #store: StateStore;
  readonly #hasher: Hasher;
  readonly #changes: ChangeIndex;
  readonly #slab: Slab = new Slab();
  readonly #scratch: Uint8Array;
  readonly #nameAt: number;
  #shard: Shard | undefined;
  /** Bytes of the found record, if any is stored: valid until the next call to the store. */
  #stored: Uint8Array | undefined;
  #storedRevision = 0;
  #storedBytes = 0;
  #storedValueBytes = 0;
  #storedHashHi = 0;
  #storedHashLo = 0;
  #storedExpiresAt = 0;
  #key: Uint8Array = EMPTY_BYTES;

  /** Version of the found record; 0 if there is none, or none any more. */
  version = 0;
  createVersion = 0;
  /** 0 if it does not expire. */
  expiresAt = 0;

  constructor(store: StateStore, hasher: Hasher, changes: ChangeIndex, nameAt: number) {
    this.#changes = changes;
    this.#store = store;
    this.#hasher = hasher;
    this.#nameAt = nameAt;
    this.#scratch = new Uint8Array(nameAt + limits.keyBytes);
  }

  find(shard: Shard, key: Uint8Array, now: number): void {
    this.#shard = shard;
    this.#key = key;
    const scratch = this.#scratch;
    scratch.set(shard.recordHead, 0);
    scratch.set(key, this.#nameAt);
    const stored = this.#store.get(scratch.subarray(0, this.#nameAt + key.length));
    this.#stored = stored;
    this.version = 0;
    this.createVersion = 0;
    this.expiresAt = 0;
    if (stored === undefined) return;
    this.#remember(stored);
    if (isExpired(this.#storedExpiresAt, now)) return;
    this.version = recordVersion(stored);
    this.createVersion = recordCreateVersion(stored);
    this.expiresAt = this.#storedExpiresAt;
  }

  #remember(stored: Uint8Array): void {
    assert(stored.length >= PLAIN_BYTES, () => `a stored record of ${stored.length} bytes`);
    const hashAt = stored.length - HASH_BYTES;
    this.#storedRevision = recordVersion(stored);
    this.#storedBytes = stored.length;
    this.#storedValueBytes = hashAt - valueAt(stored);
    this.#storedHashLo = getU32(stored, hashAt);
    this.#storedHashHi = getU32(stored, hashAt + 4);
    this.#storedExpiresAt = recordExpiresAt(stored);
  }

  /** Value of the found record, valid until the next call to the store; empty if there is none. */
  value(): Uint8Array {
    return this.version === 0 || this.#stored === undefined ? EMPTY_BYTES : recordValue(this.#stored);
  }

  /** Stores `head` followed by `tail` as the value; `head` may be a view of the found value. */
  write(
    revision: number,
    createVersion: number,
    expiresAt: number,
    head: Uint8Array,
    tail: Uint8Array,
  ): void {
    const shard = this.#shard as Shard;
    const key = this.#key;
    const keyLength = this.#nameAt + key.length;
    const begin = keyLength + (expiresAt === 0 ? EXPIRES_AT : EXPIRES_AT + 8);
    const hashAt = begin + head.length + tail.length;
    const item = this.#slab.take(hashAt + HASH_BYTES);
    item.set(shard.recordHead, 0);
    item.set(key, this.#nameAt);
    item[keyLength] = expiresAt === 0 ? 0 : HAS_EXPIRY;
    setU53(item, keyLength + 1, revision);
    setU53(item, keyLength + 9, createVersion);
    if (expiresAt !== 0) setU53(item, keyLength + EXPIRES_AT, expiresAt);
    if (head.length > 0) item.set(head, begin);
    item.set(tail, begin + head.length);
    const hasher = this.#hasher;
    hasher.hash(item.subarray(this.#nameAt, hashAt));
    setU32(item, hashAt, hasher.low);
    setU32(item, hashAt + 4, hasher.high);

    this.#replace(shard, item.subarray(0, keyLength), key, item.subarray(keyLength), hasher.high, hasher.low);
  }

  /** Takes a record as another group stored it, in the place of the found one. */
  adopt(record: WholeRecord): void {
    const { key, name, stored, hashHi, hashLo } = record;
    this.#replace(this.#shard as Shard, key, name, stored, hashHi, hashLo);
  }

  /** The same where no record is stored under this name, without looking for one. */
  add(shard: Shard, record: WholeRecord): void {
    this.#shard = shard;
    this.#stored = undefined;
    this.adopt(record);
  }

  /** Revision of the record that is stored, expired or not; 0 if there is none. */
  get storedRevision(): number {
    return this.#stored === undefined ? 0 : this.#storedRevision;
  }

  #replace(
    shard: Shard,
    fullKey: Uint8Array,
    key: Uint8Array,
    stored: Uint8Array,
    hashHi: number,
    hashLo: number,
  ): void {
    const expiresAt = recordExpiresAt(stored);
    const oldExpiresAt = this.#stored === undefined ? 0 : this.#storedExpiresAt;
    const valueBytes = stored.length - HASH_BYTES - valueAt(stored);
    if (this.#stored === undefined) {
      shard.recordCount++;
      shard.recordBytes += key.length + valueBytes;
    } else {
      shard.recordBytes += valueBytes - this.#storedValueBytes;
      shard.records.subtract(this.#storedHashHi, this.#storedHashLo);
    }
    shard.records.add(hashHi, hashLo);
    if (shard.openExport !== undefined) this.#note(shard, key, recordVersion(stored), stored.length);
    this.#stored = undefined;
    this.#store.put(fullKey, stored);
    if (oldExpiresAt !== expiresAt) this.#moveExpiry(shard, key, oldExpiresAt, expiresAt);
  }

  #note(shard: Shard, key: Uint8Array, revision: number, storedBytes: number): void {
    const former = this.storedRevision;
    const formerBytes = key.length + this.#storedBytes;
    const bytes = key.length + storedBytes;
    this.#changes.note(
      shard.openExport as OpenExport,
      ItemKind.record,
      key,
      former,
      formerBytes,
      revision,
      bytes,
    );
  }

  #moveExpiry(shard: Shard, key: Uint8Array, from: number, to: number): void {
    if (from !== 0) this.#store.delete(expiryKey(shard.expiryHead, from, key));
    if (to === 0) return;
    this.#store.put(expiryKey(shard.expiryHead, to, key), EMPTY_BYTES);
    if (to < shard.nextDue) shard.nextDue = to;
  }

  /** Removes the found record, if one is stored. */
  remove(): void {
    if (this.#stored === undefined) return;
    const shard = this.#shard as Shard;
    const key = this.#key;
    shard.recordCount--;
    shard.recordBytes -= key.length + this.#storedValueBytes;
    shard.records.subtract(this.#storedHashHi, this.#storedHashLo);
    const expiresAt = this.#storedExpiresAt;
    if (shard.openExport !== undefined) this.#note(shard, key, shard.revision, 0);
    this.#stored = undefined;
    const full = new Uint8Array(this.#nameAt + key.length);
    full.set(shard.recordHead, 0);
    full.set(key, this.#nameAt);
    this.#store.delete(full);
    if (expiresAt !== 0) this.#store.delete(expiryKey(shard.expiryHead, expiresAt, key));
  }
}
