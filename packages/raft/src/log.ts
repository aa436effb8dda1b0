import { assert, type Entry, type SnapshotMeta } from '@flotilla/base';
import type { RaftLogger } from './logger.ts';
import { countWithin, entriesBytes, type RaftStorage } from './storage.ts';
import { UnstableLog } from './unstable.ts';

/**
 * The whole log of a node: stable storage below, the unstable part above, and three positions in it:
 *
 *     applied ≤ applying ≤ committed ≤ last
 *
 * `applying` is how far entries were handed out for application, `applied` how far that was acknowledged.
 */
export class RaftLog {
  readonly storage: RaftStorage;
  readonly unstable: UnstableLog;
  readonly #logger: RaftLogger | undefined;
  readonly #applyingBytesMax: number;
  #committed: number;
  #applying: number;
  #applied: number;
  #applyingBytes = 0;
  #applyingPaused = false;

  constructor(
    storage: RaftStorage,
    committed: number,
    applied: number,
    applyingBytesMax: number,
    logger: RaftLogger | undefined,
  ) {
    this.storage = storage;
    this.unstable = new UnstableLog(storage.lastIndex() + 1, logger);
    this.#logger = logger;
    this.#applyingBytesMax = applyingBytesMax;
    this.#committed = committed;
    this.#applying = applied;
    this.#applied = applied;
    assert(
      applied <= committed && committed <= storage.lastIndex(),
      'a log begins with its positions in order',
    );
  }

  get committed(): number {
    return this.#committed;
  }

  get applying(): number {
    return this.#applying;
  }

  get applied(): number {
    return this.#applied;
  }

  get firstIndex(): number {
    const snapshot = this.unstable.snapshot;
    return snapshot !== undefined ? snapshot.index + 1 : this.storage.firstIndex();
  }

  get lastIndex(): number {
    if (this.unstable.count > 0) return this.unstable.end - 1;
    const snapshot = this.unstable.snapshot;
    return snapshot !== undefined ? snapshot.index : this.storage.lastIndex();
  }

  get lastTerm(): number {
    const term = this.term(this.lastIndex);
    assert(term !== undefined, 'the term of the last entry is known');
    return term;
  }

  /** Undefined if the entry is compacted or not there. */
  term(index: number): number | undefined {
    const term = this.unstable.term(index);
    if (term !== undefined) return term;
    if (index + 1 < this.firstIndex || index > this.lastIndex) return undefined;
    return this.storage.term(index);
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** A voter must not help a candidate whose log is behind its own (paper 5.4.1). */
  isUpToDate(index: number, term: number): boolean {
    const lastTerm = this.lastTerm;
    return term > lastTerm || (term === lastTerm && index >= this.lastIndex);
  }

  /** Entries of [lo, hi) up to `bytesMax`, at least one if there is one; undefined if they are compacted. */
  slice(lo: number, hi: number, bytesMax: number): readonly Entry[] | undefined {
    assert(
      lo <= hi && hi <= this.lastIndex + 1,
      () => `slice ${lo}-${hi} of a log that ends at ${this.lastIndex}`,
    );
    if (lo < this.firstIndex) return undefined;
    if (lo === hi) return [];
    const offset = this.unstable.offset;
    if (lo >= offset) return this.unstable.slice(lo, hi, bytesMax);
    const cut = Math.min(hi, offset);
    let stable = this.storage.entries(lo, cut, bytesMax);
    assert(
      stable.length > 0 && stable.length <= cut - lo,
      'storage answers at least one entry and no more than asked',
    );
    assert((stable[0] as Entry).index === lo, () => `storage answers ${stable[0]?.index} for ${lo}`);
    const fitting = countWithin(stable, 0, stable.length, bytesMax);
    if (fitting < stable.length) stable = stable.slice(0, fitting);
    // Fewer than asked for: the limit is reached already, or storage has its own.
    if (hi <= offset || stable.length < cut - lo) return stable;
    const bytesLeft = bytesMax - entriesBytes(stable);
    if (bytesLeft <= 0) return stable;
    const rest = this.unstable.slice(offset, hi, bytesLeft);
    if (rest.length === 1 && entriesBytes(rest) > bytesLeft) return stable;
    return stable.concat(rest);
  }

  /** Entries from `index` to the end; undefined if compacted. */
  entriesFrom(index: number, bytesMax: number): readonly Entry[] | undefined {
    return this.slice(index, this.lastIndex + 1, bytesMax);
  }

  // ---- growing

  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const from = (entries[0] as Entry).index;
    assert(from > this.#committed, () => `appending at ${from} would overwrite committed ${this.#committed}`);
    this.unstable.append(entries);
  }

  /**
   * Index of the first entry that is missing here or differs; 0 if all are here. An append that arrives late,
   * with entries that we have and more behind them, must not cut those off (paper 5.3: truncate on conflict
   * only), because they may have been acknowledged already.
   */
  findConflict(entries: readonly Entry[]): number {
    for (const entry of entries) {
      const index = entry.index;
      const own = this.term(index);
      if (own === entry.term) continue;
      if (index <= this.lastIndex) {
        this.#logger?.log(
          'info',
          () =>
            `found conflict at index ${index} [existing term: ${own ?? 0}, conflicting term: ${entry.term}]`,
        );
      }
      return index;
    }
    return 0;
  }

  /**
   * The largest index up to `index` whose term is at most `term`: the logs cannot agree above it. Returns the
   * index with its term, 0 for a term that is not known. Both ends do this with the other's answer, so that
   * one round trip skips a whole term of disagreement (paper 5.3, last paragraph, but faster).
   */
  findConflictByTerm(index: number, term: number): { readonly index: number; readonly term: number } {
    for (let at = index; at > 0; at--) {
      const own = this.term(at);
      if (own === undefined) return { index: at, term: 0 };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0, term: 0 };
  }

  // ---- committing and applying

  commitTo(index: number): void {
    if (index <= this.#committed) return; // Never goes back.
    assert(index <= this.lastIndex, () => `commit ${index} lies behind the end ${this.lastIndex} of the log`);
    this.#committed = index;
  }

  /** Commits up to `index` if that entry is of `term`. True if it moved. */
  maybeCommit(index: number, term: number): boolean {
    if (index <= this.#committed || !this.matches(index, term)) return false;
    this.commitTo(index);
    return true;
  }

  /** Last index that may be applied. With asynchronous writes an entry must be durable *here* first. */
  appliableIndex(allowUnstable: boolean): number {
    if (allowUnstable) return this.#committed;
    return Math.min(this.#committed, this.unstable.offset - 1);
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    if (this.#applyingPaused || this.unstable.snapshot !== undefined) return false;
    return this.#applying < this.appliableIndex(allowUnstable);
  }

  /** The next entries to apply, as many as the quota of entries being applied allows. */
  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return NO_ENTRIES;
    const quota = this.#applyingBytesMax - this.#applyingBytes;
    assert(quota > 0, 'entries are handed out for application beyond the quota');
    const entries = this.slice(this.#applying + 1, this.appliableIndex(allowUnstable) + 1, quota);
    assert(entries !== undefined, 'an entry was compacted before it was applied');
    return entries;
  }

  acceptApplying(index: number, bytes: number, allowUnstable: boolean): void {
    assert(
      index > this.#applying && index <= this.#committed,
      'only committed entries are applied, in order',
    );
    this.#applying = index;
    this.#applyingBytes += bytes;
    // If the page was cut, the rest waits for an acknowledgement even though a little quota may be left:
    // otherwise the pages would shrink to single entries.
    this.#applyingPaused =
      this.#applyingBytes >= this.#applyingBytesMax || index < this.appliableIndex(allowUnstable);
  }

  appliedTo(index: number, bytes: number): void {
    assert(index <= this.#committed, () => `applied ${index} lies behind committed ${this.#committed}`);
    assert(index >= this.#applied, () => `applied goes back from ${this.#applied} to ${index}`);
    this.#applied = index;
    if (this.#applying < index) this.#applying = index;
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#applyingPaused = this.#applyingBytes >= this.#applyingBytesMax;
  }

  restore(snapshot: SnapshotMeta): void {
    this.#logger?.log(
      'info',
      () =>
        `log [${this.describe()}] starts to restore snapshot [index: ${snapshot.index}, term: ${snapshot.term}]`,
    );
    assert(snapshot.index > this.#committed, 'a snapshot of what is committed already is not restored');
    this.#committed = snapshot.index;
    this.unstable.restore(snapshot);
  }

  describe(): string {
    const { offset, offsetInProgress, count } = this.unstable;
    return (
      `committed=${this.#committed}, applied=${this.#applied}, applying=${this.#applying}, ` +
      `unstable.offset=${offset}, unstable.offsetInProgress=${offsetInProgress}, len(unstable.Entries)=${count}`
    );
  }
}

export const NO_ENTRIES: readonly Entry[] = [];
