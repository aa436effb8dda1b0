import { assert, type ConfState, type Entry, type HardState, type SnapshotMeta } from '@flotilla/base';
import { EMPTY_CONF_STATE } from './membership.ts';
import { countWithin, type RaftStorage } from './storage.ts';

/** A log in memory that follows the contract of {@link RaftStorage}. For tests, simulations and benchmarks. */
export class MemoryStorage implements RaftStorage {
  #hardState: HardState | undefined = undefined;
  #confState: ConfState = EMPTY_CONF_STATE;
  #snapshot: SnapshotMeta | undefined = undefined;
  /** Where the log begins: index and term of what was compacted last. */
  #baseIndex = 0;
  #baseTerm = 0;
  #entries: Entry[] = [];

  /** Begins behind a snapshot, as a founded replica does. */
  bootstrap(index: number, term: number, confState: ConfState): void {
    assert(this.lastIndex() === 0, 'only an empty storage is bootstrapped');
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#confState = confState;
  }

  initialState(): { readonly hardState: HardState | undefined; readonly confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#confState };
  }

  firstIndex(): number {
    return this.#baseIndex + 1;
  }

  lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }

  term(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.#baseIndex - 1]?.term;
  }

  entries(lo: number, hi: number, bytesMax: number): readonly Entry[] {
    assert(
      lo > this.#baseIndex && lo < hi && hi <= this.lastIndex() + 1,
      () => `entries ${lo}-${hi} are not here`,
    );
    const begin = lo - this.#baseIndex - 1;
    return this.#entries.slice(begin, begin + countWithin(this.#entries, begin, begin + hi - lo, bytesMax));
  }

  snapshot(): SnapshotMeta | undefined {
    return this.#snapshot;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  setConfState(confState: ConfState): void {
    this.#confState = confState;
  }

  /** What `snapshot()` answers from here on. */
  setSnapshot(snapshot: SnapshotMeta | undefined): void {
    this.#snapshot = snapshot;
  }

  /** Overwrites from the first entry's index on, and truncates everything behind the last one. */
  append(entries: readonly Entry[]): void {
    const usable = entries.filter((entry) => entry.index > this.#baseIndex);
    const first = usable[0];
    if (first === undefined) return;
    assert(first.index <= this.lastIndex() + 1, () => `appending ${first.index} leaves a gap`);
    this.#entries.length = first.index - this.#baseIndex - 1;
    for (const entry of usable) this.#entries.push(entry);
  }

  /** The log becomes what the snapshot stands for. */
  applySnapshot(snapshot: SnapshotMeta): void {
    this.#baseIndex = snapshot.index;
    this.#baseTerm = snapshot.term;
    this.#entries = [];
    this.#confState = snapshot.confState;
    this.#snapshot = snapshot;
  }

  /** Forgets entries up to `index`; false if that happened before. */
  compact(index: number): boolean {
    if (index <= this.#baseIndex) return false;
    const term = this.term(index);
    assert(term !== undefined, () => `compacting ${index} behind the end ${this.lastIndex()}`);
    this.#entries = this.#entries.slice(index - this.#baseIndex);
    this.#baseIndex = index;
    this.#baseTerm = term;
    return true;
  }

  /** Every entry, from `firstIndex()` on. */
  all(): readonly Entry[] {
    return this.#entries;
  }
}
