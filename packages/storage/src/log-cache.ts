import { type Entry, must } from '@flotilla/base';

/**
 * The newest entries of one log, without gaps up to its last index. What is not durable yet cannot be read
 * from the disk, so those entries are pinned: `pins` holds the lowest index of each pending commit.
 */
export class LogCache {
  entries: Entry[] = [];
  /** Index of `entries[0]`, or one past the last index while the cache is empty. */
  first: number;
  bytes = 0;
  readonly #pins: number[] = [];

  constructor(first: number) {
    this.first = first;
  }

  pin(index: number): void {
    this.#pins.push(index);
  }

  /** Commits become durable in order, so the oldest pin goes. */
  unpin(): void {
    this.#pins.shift();
  }

  push(entry: Entry): void {
    this.entries.push(entry);
    this.bytes += cost(entry);
  }

  truncate(index: number): void {
    if (index <= this.first) {
      this.reset(index);
      return;
    }
    for (const entry of this.entries.splice(index - this.first)) this.bytes -= cost(entry);
  }

  reset(first: number, entries: readonly Entry[] = []): void {
    this.entries = entries.slice();
    this.first = first;
    this.bytes = 0;
    for (const entry of entries) this.bytes += cost(entry);
  }

  /** Drops entries below `index`, pinned or not: nobody reads them again. */
  dropBelow(index: number): void {
    this.#drop(Math.min(index, this.first + this.entries.length));
  }

  /** Drops durable entries, oldest first, until `bytes` are freed or only pinned ones are left. */
  evict(bytes: number): void {
    let limit = this.first + this.entries.length;
    for (const pin of this.#pins) if (pin < limit) limit = pin;
    let freed = 0;
    let index = this.first;
    while (index < limit && freed < bytes)
      freed += cost(must(this.entries[index++ - this.first], 'an entry'));
    this.#drop(index);
  }

  #drop(index: number): void {
    if (index <= this.first) return;
    for (const entry of this.entries.splice(0, index - this.first)) this.bytes -= cost(entry);
    this.first = index;
  }
}

/** Payload and about what the engine needs for the object around it. */
function cost(entry: Entry): number {
  return entry.data.length + 128;
}
