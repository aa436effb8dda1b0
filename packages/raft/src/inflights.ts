import { assert } from '@flotilla/base';

/**
 * The window of append messages that were sent to one follower and not acknowledged yet, limited by count and
 * by bytes. A ring of (last index of the message, payload bytes) that starts small and doubles on demand: a
 * store hosts thousands of groups, and almost all of their windows stay nearly empty.
 */

const CAPACITY_FIRST = 8;

export class Inflights {
  readonly #countMax: number;
  readonly #bytesMax: number;
  #first = 0;
  #count = 0;
  #bytes = 0;
  #indexes: number[] = [];
  #sizes: number[] = [];

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** True when nothing more may be sent until an acknowledgement frees room. One message may pass the byte limit. */
  get full(): boolean {
    return this.#count >= this.#countMax || this.#bytes >= this.#bytesMax;
  }

  /** Notes a message whose last entry is `index`. Indexes only grow: the log is sent in order. */
  add(index: number, bytes: number): void {
    assert(!this.full, 'a message was sent into a full window');
    if (this.#count === this.#indexes.length) this.#grow();
    const capacity = this.#indexes.length;
    const last = (this.#first + this.#count - 1 + capacity) % capacity;
    assert(
      this.#count === 0 || (this.#indexes[last] as number) < index,
      () => `in-flight index ${index} does not follow ${this.#indexes[last]}`,
    );
    const at = (this.#first + this.#count) % capacity;
    this.#indexes[at] = index;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /**
   * Frees every message up to `index`, not only the one acknowledged. Acknowledgements are cumulative, and a
   * lost or overtaken one would otherwise leave its slot taken for ever.
   */
  freeUpTo(index: number): void {
    const capacity = this.#indexes.length;
    while (this.#count > 0 && (this.#indexes[this.#first] as number) <= index) {
      this.#bytes -= this.#sizes[this.#first] as number;
      this.#first = (this.#first + 1) % capacity;
      this.#count--;
    }
    if (this.#count === 0) this.#first = 0;
  }

  reset(): void {
    this.#first = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const capacity = Math.min(this.#countMax, Math.max(CAPACITY_FIRST, this.#indexes.length * 2));
    const indexes: number[] = [];
    const sizes: number[] = [];
    for (let at = 0; at < this.#count; at++) {
      const from = (this.#first + at) % this.#indexes.length;
      indexes.push(this.#indexes[from] as number);
      sizes.push(this.#sizes[from] as number);
    }
    while (indexes.length < capacity) {
      indexes.push(0);
      sizes.push(0);
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#first = 0;
  }
}
