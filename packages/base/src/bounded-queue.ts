import { assert } from './assert.ts';

/** First in, first out, with a hard limit in items and in bytes. A full queue refuses; it never drops. */
export class BoundedQueue<T> {
  readonly #itemsMax: number;
  readonly #bytesMax: number;
  #items: T[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(limits: { readonly itemsMax: number; readonly bytesMax: number }) {
    assert(limits.itemsMax > 0 && limits.bytesMax > 0, 'a queue needs positive limits');
    this.#itemsMax = limits.itemsMax;
    this.#bytesMax = limits.bytesMax;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when the item does not fit. An empty queue takes one item of any size. */
  push(item: T, bytes: number): boolean {
    const length = this.length;
    if (length > 0 && (length >= this.#itemsMax || this.#bytes + bytes > this.#bytesMax)) return false;
    this.#items.push(item);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    return true;
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head] as T;
    this.#bytes -= this.#sizes[this.#head] as number;
    this.#head++;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#sizes = this.#sizes.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#sizes = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
