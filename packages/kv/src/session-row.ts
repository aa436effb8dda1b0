import { assert, EMPTY_BYTES } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { SESSION_BYTES, sessionLimits, sessionOpenedAt } from '@flotilla/wire';
import { getU16, getU32, getU53, isU53, setU16, setU32, setU53 } from './fields.ts';
import { isKeptStatus, keptStatus, type Outcome } from './outcome.ts';
import type { Shard } from './shard.ts';
import type { Slab } from './slab.ts';

/**
 * What one shard remembers of one session: the results of commands that may come again, and the floor below
 * which none is executed any more.
 *
 * Stored: floor u53 · revision u53 · (seq - floor u16 · status u8 · version u53 · [extra])… · item hash u64,
 * results by rising seq. Bit 7 of the status says that there is an extra: length u16 · bytes. The item hash
 * covers session id and row without the hash. The bytes follow from the content alone, whenever they are
 * written, so replicas that write rows at different times still hold the same.
 */
const HEAD_BYTES = 16;
const RESULT_BYTES = 11;
const HASH_BYTES = 8;
const HAS_EXTRA = 0x80;
/** Rough size of the objects behind a row, for the bound of the cache. */
const ROW_MEMORY_BYTES = 400;
const RESULT_MEMORY_BYTES = 56;

export interface KeptResult extends Outcome {
  readonly seq: number;
}

export function rowDueAt(session: Uint8Array): number {
  return sessionOpenedAt(session) + sessionLimits.life;
}

export class SessionRow {
  readonly shard: Shard;
  readonly generation: number;
  readonly session: Uint8Array;
  readonly key: Uint8Array;
  floor = 0;
  /** Revision of the last command that touched the row. */
  revision = 0;
  dirty = false;
  /** What the cache counts for this row. */
  countedBytes = 0;
  /** Results by rising seq, from `#first` on. */
  #results: KeptResult[] = [];
  #first = 0;
  #extraBytes = 0;
  /** Of the stored row, as it stands in the shard's digest and change index; 0 before it is stored. */
  storedRevision = 0;
  storedBytes = 0;
  #hashHi = 0;
  #hashLo = 0;

  constructor(shard: Shard, session: Uint8Array, key: Uint8Array) {
    this.shard = shard;
    this.generation = shard.generation;
    this.session = session;
    this.key = key;
  }

  get memoryBytes(): number {
    return ROW_MEMORY_BYTES + this.#results.length * RESULT_MEMORY_BYTES + this.#extraBytes;
  }

  find(seq: number): KeptResult | undefined {
    const results = this.#results;
    let high = results.length;
    // Most commands are newer than everything that is kept.
    if (high === this.#first || (results[high - 1] as KeptResult).seq < seq) return undefined;
    let low = this.#first;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((results[middle] as KeptResult).seq < seq) low = middle + 1;
      else high = middle;
    }
    const found = results[low];
    return found !== undefined && found.seq === seq ? found : undefined;
  }

  /** Keeps the outcome of `seq`, raises the floor and drops the results below it. */
  keep(seq: number, floor: number, revision: number, outcome: Readonly<Outcome>): void {
    this.#raise(floor);
    assert(seq >= this.floor && seq < this.floor + sessionLimits.window, () => {
      return `seq ${seq} does not fit above floor ${this.floor}`;
    });
    const { status, version, extra } = outcome;
    const kept = { seq, status, version, extra };
    const results = this.#results;
    let at = results.length;
    while (at > this.#first && (results[at - 1] as KeptResult).seq > seq) at--;
    if (at === results.length) results.push(kept);
    else results.splice(at, 0, kept);
    this.#extraBytes += extra.length;
    this.revision = revision;
  }

  #raise(floor: number): void {
    if (floor <= this.floor) return;
    this.floor = floor;
    const results = this.#results;
    let first = this.#first;
    while (first < results.length && (results[first] as KeptResult).seq < floor) {
      this.#extraBytes -= (results[first] as KeptResult).extra.length;
      first++;
    }
    // Dropped results go in bulk: to shift the array for each would make long rows quadratic.
    if (first === results.length) {
      results.length = 0;
      first = 0;
    } else if (first > 32 && first * 2 > results.length) {
      results.splice(0, first);
      first = 0;
    }
    this.#first = first;
  }

  /** The row's bytes to store; brings the shard's digest and count up to date with them. */
  encode(hasher: Hasher, slab: Slab): Uint8Array {
    const results = this.#results;
    let length = SESSION_BYTES + HEAD_BYTES + HASH_BYTES + (results.length - this.#first) * RESULT_BYTES;
    for (let at = this.#first; at < results.length; at++) {
      const extra = (results[at] as KeptResult).extra.length;
      if (extra > 0) length += 2 + extra;
    }
    const item = slab.take(length);
    item.set(this.session, 0);
    setU53(item, SESSION_BYTES, this.floor);
    setU53(item, SESSION_BYTES + 8, this.revision);
    let end = SESSION_BYTES + HEAD_BYTES;
    for (let at = this.#first; at < results.length; at++)
      end = this.#encodeResult(item, end, results[at] as KeptResult);
    hasher.hash(item.subarray(0, end));
    setU32(item, end, hasher.low);
    setU32(item, end + 4, hasher.high);
    const { rows } = this.shard;
    if (this.storedBytes > 0) rows.subtract(this.#hashHi, this.#hashLo);
    this.storedRevision = this.revision;
    this.storedBytes = length - SESSION_BYTES;
    this.#hashHi = hasher.high;
    this.#hashLo = hasher.low;
    rows.add(this.#hashHi, this.#hashLo);
    return item.subarray(SESSION_BYTES);
  }

  #encodeResult(item: Uint8Array, at: number, result: KeptResult): number {
    const extra = result.extra;
    setU16(item, at, result.seq - this.floor);
    item[at + 2] = extra.length > 0 ? result.status | HAS_EXTRA : result.status;
    setU53(item, at + 3, result.version);
    if (extra.length === 0) return at + RESULT_BYTES;
    setU16(item, at + RESULT_BYTES, extra.length);
    item.set(extra, at + RESULT_BYTES + 2);
    return at + RESULT_BYTES + 2 + extra.length;
  }

  /** Fills the row from its stored bytes, of which nothing is kept. */
  decode(stored: Uint8Array): void {
    const end = stored.length - HASH_BYTES;
    assert(end >= HEAD_BYTES, () => `a stored session row of ${stored.length} bytes`);
    this.floor = getU53(stored, 0);
    this.revision = storedRowRevision(stored);
    let at = HEAD_BYTES;
    while (at < end) {
      const seq = this.floor + getU16(stored, at);
      const status = stored[at + 2] as number;
      const version = getU53(stored, at + 3);
      at += RESULT_BYTES;
      let extra = EMPTY_BYTES;
      if ((status & HAS_EXTRA) !== 0) {
        const length = getU16(stored, at);
        extra = stored.slice(at + 2, at + 2 + length);
        at += 2 + length;
      }
      this.#results.push({ seq, status: keptStatus(status & ~HAS_EXTRA), version, extra });
      this.#extraBytes += extra.length;
    }
    assert(at === end, 'a stored session row ends inside a result');
    this.storedRevision = this.revision;
    this.storedBytes = stored.length;
    this.#hashLo = getU32(stored, end);
    this.#hashHi = getU32(stored, end + 4);
  }
}

export function storedRowRevision(stored: Uint8Array): number {
  return getU53(stored, 8);
}

/** False for bytes that no version of this state machine stores as a session row. */
export function isSoundRow(stored: Uint8Array): boolean {
  const end = stored.length - HASH_BYTES;
  if (end < HEAD_BYTES || !isU53(stored, 0) || !isU53(stored, 8) || storedRowRevision(stored) === 0)
    return false;
  let next = 0;
  let at = HEAD_BYTES;
  while (at < end) {
    if (at + RESULT_BYTES > end) return false;
    const offset = getU16(stored, at);
    const status = stored[at + 2] as number;
    if (offset < next || offset >= sessionLimits.window) return false;
    if (!isKeptStatus(status & ~HAS_EXTRA) || !isU53(stored, at + 3)) return false;
    next = offset + 1;
    at += RESULT_BYTES;
    if ((status & HAS_EXTRA) !== 0) at += at + 2 > end ? 2 : 2 + getU16(stored, at);
  }
  return at === end;
}

/** Takes the item hash of a stored row out of the shard's digest. */
export function forgetStoredRow(shard: Shard, stored: Uint8Array): void {
  const at = stored.length - HASH_BYTES;
  shard.rows.subtract(getU32(stored, at + 4), getU32(stored, at));
  shard.rowCount--;
}
