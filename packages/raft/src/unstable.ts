import { assert, type Entry, type SnapshotMeta } from '@flotilla/base';
import type { RaftLogger } from './logger.ts';
import { countWithin } from './storage.ts';

/** Entries that are done with are cut off in portions of at least so many. */
const HEAD_MIN = 64;

/**
 * The end of the log that is not known to be durable: perhaps a snapshot, and the entries from `offset` on.
 * `offsetInProgress` is the first index that was not handed out for writing yet.
 *
 *     stable storage        in progress            new
 *   … 7 8 9             10 11 12               13 14
 *                       ^ offset               ^ offsetInProgress
 */
export class UnstableLog {
  readonly #logger: RaftLogger | undefined;
  #snapshot: SnapshotMeta | undefined = undefined;
  #snapshotInProgress = false;
  #offset: number;
  #offsetInProgress: number;
  // A queue: entries before #head are done with and cut off from time to time.
  #entries: Entry[] = [];
  #head = 0;

  constructor(offset: number, logger: RaftLogger | undefined) {
    this.#offset = offset;
    this.#offsetInProgress = offset;
    this.#logger = logger;
  }

  get offset(): number {
    return this.#offset;
  }

  get offsetInProgress(): number {
    return this.#offsetInProgress;
  }

  get count(): number {
    return this.#entries.length - this.#head;
  }

  /** One past the last entry. */
  get end(): number {
    return this.#offset + this.#entries.length - this.#head;
  }

  get snapshot(): SnapshotMeta | undefined {
    return this.#snapshot;
  }

  /** Undefined if the index is not in here. */
  term(index: number): number | undefined {
    if (index >= this.#offset) {
      const at = this.#head + index - this.#offset;
      return at < this.#entries.length ? (this.#entries[at] as Entry).term : undefined;
    }
    return this.#snapshot !== undefined && this.#snapshot.index === index ? this.#snapshot.term : undefined;
  }

  /** A copy of [lo, hi), cut to `bytesMax` but at least one entry. */
  slice(lo: number, hi: number, bytesMax: number): Entry[] {
    assert(lo >= this.#offset && lo <= hi && hi <= this.end, () => `slice ${lo}-${hi} of an unstable log`);
    const begin = this.#head + lo - this.#offset;
    const count = countWithin(this.#entries, begin, begin + hi - lo, bytesMax);
    return this.#entries.slice(begin, begin + count);
  }

  hasNextEntries(): boolean {
    return this.end > this.#offsetInProgress;
  }

  /** Entries that were not handed out yet. */
  nextEntries(): Entry[] {
    return this.#entries.slice(this.#head + this.#offsetInProgress - this.#offset);
  }

  nextSnapshot(): SnapshotMeta | undefined {
    return this.#snapshotInProgress ? undefined : this.#snapshot;
  }

  /** All that is here was handed out for writing. */
  acceptInProgress(): void {
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.end);
    if (this.#snapshot !== undefined) this.#snapshotInProgress = true;
  }

  /**
   * The write up to (index, term) is durable. With asynchronous writes the entry may meanwhile be gone, or be
   * another one of the same index; then the news is about something that no longer matters:
   *
   * 1. Entry (5, term 1) is handed out for writing.
   * 2. A leader of term 2 replaces it by (5, term 2), which waits for its own write.
   * 3. The first write completes. If it counted for index 5, the new entry would be taken for durable, be
   *    dropped from here, and the log would read the old one from storage.
   *
   * That the term is compared is only half of the protection; the other half is that the core ignores stable
   * notices of a lower node term, because entry terms alone can repeat (old entry back after two overwrites).
   */
  stableTo(index: number, term: number): void {
    const own = this.term(index);
    if (own === undefined) {
      this.#logger?.log('info', () => `entry at index ${index} missing from unstable log; ignoring`);
      return;
    }
    if (index < this.#offset) {
      this.#logger?.log('info', () => `entry at index ${index} matched unstable snapshot; ignoring`);
      return;
    }
    if (own !== term) {
      this.#logger?.log(
        'info',
        () =>
          `entry at (index,term)=(${index},${term}) mismatched with entry at (${index},${own}) in unstable log; ignoring`,
      );
      return;
    }
    this.#head += index + 1 - this.#offset;
    this.#offset = index + 1;
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.#offset);
    this.#shrink();
  }

  stableSnapshotTo(index: number): void {
    if (this.#snapshot?.index !== index) return;
    this.#snapshot = undefined;
    this.#snapshotInProgress = false;
  }

  /** The snapshot replaces everything. */
  restore(snapshot: SnapshotMeta): void {
    this.#offset = snapshot.index + 1;
    this.#offsetInProgress = this.#offset;
    this.#entries = [];
    this.#head = 0;
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** Appends entries, overwriting whatever stands from their first index on, durable or not. */
  append(entries: readonly Entry[]): void {
    const from = (entries[0] as Entry).index;
    assert(from <= this.end, () => `appending at ${from} leaves a gap after ${this.end - 1}`);
    if (from < this.end || from < this.#offset) this.#cut(from);
    for (const entry of entries) this.#entries.push(entry);
  }

  #cut(from: number): void {
    if (from <= this.#offset) {
      this.#logger?.log('info', () => `replace the unstable entries from index ${from}`);
      this.#entries = [];
      this.#head = 0;
      this.#offset = from;
      this.#offsetInProgress = from;
      return;
    }
    this.#logger?.log('info', () => `truncate the unstable entries before index ${from}`);
    this.#entries.length = this.#head + from - this.#offset;
    // What was handed out above is void: the new entries have to be handed out as well.
    this.#offsetInProgress = Math.min(this.#offsetInProgress, from);
  }

  #shrink(): void {
    if (this.#head === this.#entries.length) {
      this.#entries = [];
      this.#head = 0;
    } else if (this.#head >= HEAD_MIN && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}
