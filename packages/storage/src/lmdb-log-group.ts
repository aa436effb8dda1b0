import {
  assert,
  type CorruptionError,
  type Entry,
  type GroupName,
  groupNameText,
  type HardState,
  must,
} from '@flotilla/base';
import type { LogWrite, ReplicaRecord } from '@flotilla/ports';
import { LogCache } from './log-cache.ts';
import { groupKey, type RunHead } from './log-format.ts';

/** A run is at most this long, unless one entry is longer: reading one entry reads its run. */
const RUN_BYTES_MAX = 256 * 1024;

/** What the group needs from its store while a write is taken in. */
export interface LogPlan {
  putReplica(group: LmdbLogGroup): void;
  putHardState(group: LmdbLogGroup): void;
  /** Returns the low half of the checksum of the run. */
  putRun(group: LmdbLogGroup, head: RunHead, entries: readonly Entry[]): number;
  deleteRun(group: LmdbLogGroup, epoch: number, first: number): void;
  /** The run may go at any time after this commit. */
  abandonRun(group: LmdbLogGroup, epoch: number, first: number): void;
  readRun(group: LmdbLogGroup, first: number): readonly Entry[];
}

/**
 * Index of one log: where its runs begin and at which indexes the term changes. The disk holds the runs, this
 * says what they mean. Everything here is ahead of the disk by the commits that are pending.
 */
export class LmdbLogGroup {
  readonly name: GroupName;
  readonly key: Uint8Array;
  record: ReplicaRecord;
  epoch: number;
  hardState: HardState | undefined;
  last: number;
  payloadBytes = 0;
  damage: CorruptionError | undefined;
  /** Runs found at open in a damaged group, to be abandoned when the replica is replaced. */
  found: { readonly epoch: number; readonly first: number }[] = [];
  readonly cache: LogCache;
  #runs: { readonly first: number; readonly bytes: number; readonly sum: number }[] = [];
  /** Each begins at `from` and lasts until the next one. Indexes from `record.start.index + 1` on. */
  #terms: { readonly from: number; readonly term: number }[] = [];

  constructor(record: ReplicaRecord, epoch: number) {
    this.name = record.group;
    this.key = groupKey(record.group);
    this.record = record;
    this.epoch = epoch;
    this.last = record.start.index;
    this.cache = new LogCache(this.last + 1);
  }

  get first(): number {
    return this.record.start.index + 1;
  }

  term(index: number): number | undefined {
    const { start } = this.record;
    if (index === start.index) return start.term;
    if (index < start.index || index > this.last) return undefined;
    // Nearly every question is about the end of the log.
    for (let at = this.#terms.length - 1; at >= 0; at--) {
      const span = must(this.#terms[at], 'a term');
      if (span.from <= index) return span.term;
    }
    return undefined;
  }

  /** First index of the run that holds `index`. */
  runOf(index: number): number {
    return must(this.#runs[this.#runAt(index)], () => `${this.text}: no run holds ${index}`).first;
  }

  get lastSum(): number | undefined {
    return this.#runs.at(-1)?.sum;
  }

  get text(): string {
    return groupNameText(this.name);
  }

  /** Takes over a run that is on the disk already, in order. */
  adopt(first: number, sum: number, entries: readonly Entry[]): void {
    let bytes = 0;
    for (const entry of entries) {
      bytes += entry.data.length;
      if (entry.index > this.record.start.index) this.#addTerm(entry.index, entry.term);
    }
    this.#runs.push({ first, bytes, sum });
    this.payloadBytes += bytes;
    this.last = first + entries.length - 1;
    this.cache.reset(this.last + 1);
  }

  apply(write: LogWrite, plan: LogPlan): void {
    let pin = Number.POSITIVE_INFINITY;
    if (write.replica !== undefined) this.#replace(write.replica, plan);
    if (write.entries !== undefined && write.entries.length > 0) pin = this.#append(write.entries, plan);
    if (write.compactTo !== undefined) this.#compact(write.compactTo, plan);
    if (write.hardState !== undefined) {
      this.hardState = write.hardState;
      plan.putHardState(this);
    }
    this.cache.pin(pin);
  }

  #replace(record: ReplicaRecord, plan: LogPlan): void {
    const old = this.record;
    assert(
      record.raftId > old.raftId ||
        (record.raftId === old.raftId && !old.removed) ||
        this.damage !== undefined,
      () => `${this.text}: raft id ${record.raftId} cannot follow ${old.raftId}; ids are never used again`,
    );
    let epoch = this.epoch;
    for (const run of this.#runs) plan.abandonRun(this, epoch, run.first);
    for (const run of this.found) {
      plan.abandonRun(this, run.epoch, run.first);
      epoch = Math.max(epoch, run.epoch);
    }
    const other = record.raftId !== old.raftId || record.removed;
    if (this.damage !== undefined || (other && this.hardState !== undefined)) {
      this.hardState = undefined;
      plan.putHardState(this);
    }
    this.#runs = [];
    this.#terms = [];
    this.found = [];
    this.damage = undefined;
    this.payloadBytes = 0;
    this.record = record;
    this.epoch = epoch + 1;
    this.last = record.start.index;
    this.cache.reset(this.last + 1);
    plan.putReplica(this);
  }

  /** Returns the lowest index whose stored form this commit writes. */
  #append(entries: readonly Entry[], plan: LogPlan): number {
    let lowest = must(entries[0], 'an entry').index;
    assert(
      lowest >= this.first && lowest <= this.last + 1,
      () => `${this.text}: entry ${lowest} neither follows nor replaces one of ${this.first}..${this.last}`,
    );
    if (lowest <= this.last) lowest = this.#truncate(lowest, plan);
    const base = this.last + 1;
    const firstOfAll = must(entries[0], 'an entry').index;
    assert(base === firstOfAll, () => `${this.text}: entry ${firstOfAll} does not follow ${this.last}`);
    let from = 0;
    let bytes = 0;
    for (let at = 0; at < entries.length; at++) {
      const entry = must(entries[at], 'an entry');
      assert(entry.index === base + at, () => `${this.text}: entry ${entry.index} stands at ${base + at}`);
      if (at > from && bytes + entry.data.length > RUN_BYTES_MAX) {
        this.#putRun(entries.slice(from, at), bytes, plan);
        from = at;
        bytes = 0;
      }
      bytes += entry.data.length;
    }
    this.#putRun(from === 0 ? entries : entries.slice(from), bytes, plan);
    return lowest;
  }

  #putRun(entries: readonly Entry[], bytes: number, plan: LogPlan): void {
    const first = this.last + 1;
    const head = {
      epoch: this.epoch,
      first,
      prevTerm: this.term(this.last) ?? 0,
      prevSum: this.lastSum ?? 0,
    };
    for (const entry of entries) {
      this.#addTerm(entry.index, entry.term);
      this.cache.push(entry);
    }
    this.last += entries.length;
    this.payloadBytes += bytes;
    this.#runs.push({ first, bytes, sum: plan.putRun(this, head, entries) });
  }

  /**
   * Removes all from `index` on. The run that is cut is written anew with what stays of it (never with what
   * was compacted). Returns the lowest index whose stored form changes.
   */
  #truncate(index: number, plan: LogPlan): number {
    const at = this.#runAt(index);
    const cut = must(this.#runs[at], 'the run that is cut');
    const keepFirst = Math.max(cut.first, this.first);
    let keep: readonly Entry[] = [];
    if (keepFirst < index) {
      // Entries that left the cache are durable, so their run is on the disk.
      keep =
        this.cache.first <= keepFirst
          ? this.cache.entries.slice(keepFirst - this.cache.first, index - this.cache.first)
          : plan.readRun(this, cut.first).slice(keepFirst - cut.first, index - cut.first);
    }
    for (const run of this.#runs.splice(at)) {
      plan.deleteRun(this, this.epoch, run.first);
      this.payloadBytes -= run.bytes;
    }
    const lowest = keep.length > 0 ? keepFirst : index;
    while (this.#terms.length > 0 && must(this.#terms.at(-1), 'a term').from >= lowest) this.#terms.pop();
    this.cache.truncate(lowest);
    this.last = lowest - 1;
    if (keep.length > 0) {
      let bytes = 0;
      for (const entry of keep) bytes += entry.data.length;
      this.#putRun(keep, bytes, plan);
    }
    return lowest;
  }

  #compact(index: number, plan: LogPlan): void {
    const { start } = this.record;
    if (index <= start.index) return;
    assert(
      index <= this.last,
      () => `${this.text}: cannot compact to ${index}, the log ends at ${this.last}`,
    );
    const term = must(this.term(index), 'a present entry has a term');
    let whole = 0;
    while (whole < this.#runs.length && (this.#runs[whole + 1]?.first ?? this.last + 1) <= index + 1) whole++;
    for (const run of this.#runs.splice(0, whole)) {
      plan.abandonRun(this, this.epoch, run.first);
      this.payloadBytes -= run.bytes;
    }
    const passed = this.#terms.findLastIndex((span) => span.from <= index + 1);
    if (passed > 0) this.#terms.splice(0, passed);
    this.record = { ...this.record, start: { ...start, index, term } };
    this.cache.dropBelow(index + 1);
    plan.putReplica(this);
  }

  #addTerm(index: number, term: number): void {
    const newest = this.#terms.at(-1);
    if (newest?.term === term) return;
    const before = newest?.term ?? this.record.start.term;
    assert(term >= before, () => `${this.text}: the term falls from ${before} to ${term} at entry ${index}`);
    this.#terms.push({ from: index, term });
  }

  #runAt(index: number): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (must(this.#runs[middle], 'a run').first <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
