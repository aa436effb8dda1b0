import { assert } from '@flotilla/base';
import type { StateStore } from '@flotilla/ports';
import { type ItemKind, limits } from '@flotilla/wire';
import { getOrdered, getU32, setOrdered, setU32 } from './fields.ts';
import { headEnd } from './keys.ts';
import type { OpenExport } from './shard.ts';
import { Slab } from './slab.ts';

/**
 * The change index of an export: for every item that changed or went after `r0` an entry at the revision of
 * its last change, so that a target can be told what it has not seen yet. It holds names, never values; an
 * entry whose item is gone is its tombstone.
 *
 *   key: revision u64, ordered · kind u8 · name      value: bytes of name and stored item, u32
 *
 * An item's former entry goes as the item changes again. What was removed and then written again leaves its
 * tombstone behind; it is outdated, and whoever reads the index skips it. Session rows are written back late,
 * so their entries come late, too: at the latest with the transaction, and as if only the last change since
 * the row was stored had happened. That is what the index of a replica that wrote each of them holds as well.
 */

/** What an entry weighs besides its item. */
const CHANGE_BYTES = 64;
const KIND_AT = 8;
const NAME_AT = 9;
const VALUE_BYTES = 4;
/** Entries by which the tally of a replica moves on at once: what comes later weighs a little too much. */
const TALLY_STEP = 4096;

export interface Change {
  readonly revision: number;
  /** Of the item as it was noted, there or gone. */
  readonly kind: ItemKind;
  readonly name: Uint8Array;
}

export interface ChangeList {
  /** By rising revision. */
  readonly changes: readonly Change[];
  /** All changes up to here are in the list; undefined: all there are. */
  readonly to: number | undefined;
}

export interface Cut {
  /** What the list may weigh, unless one revision weighs more. */
  readonly bytesMax: number;
  /** The largest item does not count. */
  readonly leavesLargest: boolean;
}

type Visit = (revision: number, weight: number, key: Uint8Array) => boolean;

export class ChangeIndex {
  readonly #store: StateStore;
  readonly #slab: Slab = new Slab();

  constructor(store: StateStore) {
    this.#store = store;
  }

  /**
   * The item came to `revision`, there or gone; before, it stood at `former` (0: was not there). Bytes are
   * those of name and stored item.
   */
  note(
    open: OpenExport,
    kind: typeof ItemKind.record | typeof ItemKind.row,
    name: Uint8Array,
    former: number,
    formerBytes: number,
    revision: number,
    bytes: number,
  ): void {
    assert(revision > open.r0, () => `a change at revision ${revision} of an export from ${open.r0}`);
    const length = open.head.length + NAME_AT + name.length;
    if (former > open.r0) {
      const key = new Uint8Array(length);
      this.#writeKey(key, open, former, kind, name);
      this.#store.delete(key);
      weigh(open, former, -CHANGE_BYTES - formerBytes);
    }
    const entry = this.#slab.take(length + VALUE_BYTES);
    this.#writeKey(entry, open, revision, kind, name);
    setU32(entry, length, bytes);
    this.#store.put(entry.subarray(0, length), entry.subarray(length));
    weigh(open, revision, CHANGE_BYTES + bytes);
  }

  #writeKey(key: Uint8Array, open: OpenExport, revision: number, kind: number, name: Uint8Array): void {
    const at = open.head.length;
    key.set(open.head, 0);
    setOrdered(key, at, revision);
    key[at + KIND_AT] = kind;
    key.set(name, at + NAME_AT);
  }

  #scan(open: OpenExport, after: number, visit: Visit): void {
    const { head } = open;
    this.#store.scan(beginningAt(open, after + 1), headEnd(head), (key, value) =>
      visit(getOrdered(key, head.length), CHANGE_BYTES + getU32(value, 0), key),
    );
  }

  /** Changes after a revision, cut between revisions only; at least one revision if there is any. */
  list(open: OpenExport, after: number, cut: Cut): ChangeList {
    const changes: Change[] = [];
    const nameAt = open.head.length + NAME_AT;
    const sum = new Sum();
    /** How many of them belong to revisions that are in the list as a whole. */
    let whole = 0;
    let to: number | undefined;
    this.#scan(open, after, (revision, weight, key) => {
      const last = changes.at(-1)?.revision ?? revision;
      if (last !== revision) whole = changes.length;
      const isFull = whole > 0 && sum.with(weight, cut.leavesLargest) > cut.bytesMax;
      if (isFull) {
        changes.length = whole;
        to = changes.at(-1)?.revision;
        return false;
      }
      sum.add(weight);
      changes.push({ revision, kind: key[nameAt - 1] as ItemKind, name: key.slice(nameAt) });
      return true;
    });
    return { changes, to };
  }

  /**
   * Exactly what is open after a revision, the largest item left out; undefined if that is more than freezing
   * allows. The walk ends there, so it is bounded by the limit and the least that an entry weighs.
   */
  exactOpenBytes(open: OpenExport, after: number): number | undefined {
    const sum = new Sum();
    this.#scan(open, after, (_, weight) => {
      sum.add(weight);
      return sum.withoutLargest <= limits.freezeBytes;
    });
    return sum.withoutLargest <= limits.freezeBytes ? sum.withoutLargest : undefined;
  }

  /** What is open after a revision: exact while that is little, else what the tally says. */
  openBytes(open: OpenExport, after: number): number {
    return this.exactOpenBytes(open, after) ?? this.talliedBytes(open, after);
  }

  /**
   * What is open after a revision, or somewhat more, without a walk over all of it. The tally stands at a
   * revision and is kept exact as entries come and go; it moves on over what a target has just taken. After a
   * restart it catches up from `r0` in steps.
   */
  talliedBytes(open: OpenExport, after: number): number {
    if (after < open.talliedTo || open.talliedTo < open.r0) {
      open.talliedTo = open.r0;
      open.tallied = open.bytes;
    }
    let count = 0;
    let walked = 0;
    let at = open.talliedTo;
    let end = after;
    this.#scan(open, open.talliedTo, (revision, weight) => {
      if (revision > after) return false;
      if (revision !== at && count >= TALLY_STEP) {
        end = at;
        return false;
      }
      at = revision;
      walked += weight;
      count++;
      return true;
    });
    open.talliedTo = Math.max(open.talliedTo, end);
    open.tallied -= walked;
    return open.tallied;
  }

  /** Moves `r0` up towards `to`, over a bounded number of entries in one go, and drops those below. */
  trim(open: OpenExport, to: number): void {
    let count = 0;
    let dropped = 0;
    let at = open.r0;
    let end = to;
    this.#scan(open, open.r0, (revision, weight) => {
      if (revision > to) return false;
      if (revision !== at && count >= limits.trimEntries) {
        end = at;
        return false;
      }
      at = revision;
      dropped += weight;
      count++;
      return true;
    });
    this.#store.deleteRange(beginningAt(open, open.r0 + 1), beginningAt(open, end + 1));
    open.bytes -= dropped;
    open.r0 = end;
  }
}

/** Weights of some entries, and the largest among them. */
class Sum {
  #total = 0;
  #largest = 0;

  add(weight: number): void {
    this.#total += weight;
    if (weight > this.#largest) this.#largest = weight;
  }

  with(weight: number, leavesLargest: boolean): number {
    return this.#total + weight - (leavesLargest ? Math.max(weight, this.#largest) : 0);
  }

  get withoutLargest(): number {
    return this.#total - this.#largest;
  }
}

function weigh(open: OpenExport, revision: number, bytes: number): void {
  open.bytes += bytes;
  if (revision > open.talliedTo) open.tallied += bytes;
}

/** The first key of the index at a revision or later. */
function beginningAt(open: OpenExport, revision: number): Uint8Array {
  const key = new Uint8Array(open.head.length + KIND_AT);
  key.set(open.head, 0);
  setOrdered(key, open.head.length, revision);
  return key;
}
