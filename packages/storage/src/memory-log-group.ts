import { assert, type Entry, groupNameText, type HardState, must } from '@flotilla/base';
import type { LogWrite, ReplicaRecord } from '@flotilla/ports';

/** Log of one group as plain values: what a log store must behave like, in the fewest words. */
export class MemoryLogGroup {
  record: ReplicaRecord;
  hardState: HardState | undefined;
  /** Indexes from `record.start.index + 1` on, without gaps. */
  entries: Entry[] = [];
  bytes = 0;
  /** Index of an entry with a flipped bit, which only a read of it meets; or all, as after the next open. */
  damaged: 'all' | number | undefined;

  constructor(record: ReplicaRecord) {
    this.record = record;
  }

  get first(): number {
    return this.record.start.index + 1;
  }

  get last(): number {
    return this.record.start.index + this.entries.length;
  }

  term(index: number): number | undefined {
    const { start } = this.record;
    if (index === start.index) return start.term;
    return this.entries[index - start.index - 1]?.term;
  }

  apply(write: LogWrite): void {
    if (write.replica !== undefined) this.#replace(write.replica);
    if (write.entries !== undefined && write.entries.length > 0) this.#append(write.entries);
    if (write.compactTo !== undefined) this.#compact(write.compactTo);
    if (write.hardState !== undefined) this.hardState = write.hardState;
  }

  /** As the next process finds it: it reads the whole log as it opens. */
  copy(): MemoryLogGroup {
    const copy = new MemoryLogGroup(this.record);
    copy.hardState = this.hardState;
    copy.entries = this.entries.slice();
    copy.bytes = this.bytes;
    copy.damaged = this.damaged === undefined ? undefined : 'all';
    return copy;
  }

  #replace(record: ReplicaRecord): void {
    const old = this.record;
    assert(
      record.raftId > old.raftId ||
        (record.raftId === old.raftId && !old.removed) ||
        this.damaged !== undefined,
      () => `raft id ${record.raftId} cannot follow ${old.raftId}; ids are never used again`,
    );
    if (record.raftId !== old.raftId || record.removed) this.hardState = undefined;
    this.record = record;
    this.entries = [];
    this.bytes = 0;
    this.damaged = undefined;
  }

  #append(entries: readonly Entry[]): void {
    const index = must(entries[0], 'an entry').index;
    assert(
      index >= this.first && index <= this.last + 1,
      () => `${groupNameText(this.record.group)}: entry ${index} leaves a gap in ${this.first}..${this.last}`,
    );
    for (const dropped of this.entries.splice(index - this.first)) this.bytes -= dropped.data.length;
    if (typeof this.damaged === 'number' && this.damaged >= index) this.damaged = undefined;
    for (const entry of entries) {
      assert(entry.index === this.last + 1, () => `entry ${entry.index} follows ${this.last}`);
      this.entries.push(entry);
      this.bytes += entry.data.length;
    }
  }

  #compact(index: number): void {
    const { start } = this.record;
    if (index <= start.index) return;
    assert(index <= this.last, () => `cannot compact to ${index}, the log ends at ${this.last}`);
    const term = must(this.term(index), 'a present entry has a term');
    for (const dropped of this.entries.splice(0, index - start.index)) this.bytes -= dropped.data.length;
    this.record = { ...this.record, start: { ...start, index, term } };
    if (typeof this.damaged === 'number' && this.damaged <= index) this.damaged = undefined;
  }
}
