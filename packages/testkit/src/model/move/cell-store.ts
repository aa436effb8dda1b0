import { assert, compareBytes, Reader, Writer } from '@flotilla/base';
import type { StateSnapshot, StateStore } from '@flotilla/ports';

interface Range {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/**
 * State of one group as a value: two sorted arrays that can be frozen into canonical bytes and opened again.
 * Ranges that were released are removed at once, or, where removal is an event of its own, listed beside the
 * rest until it happens: a removal may come arbitrarily late.
 */
export class CellStore implements StateStore {
  #keys: Uint8Array[] = [];
  #values: Uint8Array[] = [];
  #released: Range[] = [];
  readonly #removesLate: boolean;

  constructor(removesLate: boolean) {
    this.#removesLate = removesLate;
  }

  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }

  get values(): readonly Uint8Array[] {
    return this.#values;
  }

  get released(): readonly Range[] {
    return this.#released;
  }

  /** Index of the first key that is not below. */
  #at(key: Uint8Array): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.#keys[middle] as Uint8Array, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #has(at: number, key: Uint8Array): boolean {
    const there = this.#keys[at];
    return there !== undefined && compareBytes(there, key) === 0;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const at = this.#at(key);
    return this.#has(at, key) ? this.#values[at] : undefined;
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
    options?: { readonly reverse?: boolean },
  ): void {
    const begin = this.#at(from);
    const end = to === undefined ? this.#keys.length : this.#at(to);
    const step = options?.reverse ? -1 : 1;
    for (let at = options?.reverse ? end - 1 : begin; at >= begin && at < end; at += step) {
      if (!visit(this.#keys[at] as Uint8Array, this.#values[at] as Uint8Array)) return;
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const at = this.#at(key);
    if (this.#has(at, key)) {
      this.#values[at] = value;
    } else {
      this.#keys.splice(at, 0, key);
      this.#values.splice(at, 0, value);
    }
  }

  delete(key: Uint8Array): void {
    const at = this.#at(key);
    if (!this.#has(at, key)) return;
    this.#keys.splice(at, 1);
    this.#values.splice(at, 1);
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    const begin = this.#at(from);
    const count = Math.max(0, this.#at(to) - begin);
    this.#keys.splice(begin, count);
    this.#values.splice(begin, count);
  }

  commit(done: (failure: Error | undefined) => void): void {
    done(undefined);
  }

  snapshot(): StateSnapshot | undefined {
    return undefined;
  }

  release(from: Uint8Array, to: Uint8Array): void {
    if (!this.#removesLate) {
      this.deleteRange(from, to);
      return;
    }
    const same = (range: Range): boolean =>
      compareBytes(range.from, from) === 0 && compareBytes(range.to, to) === 0;
    if (this.#released.some(same)) return;
    this.#released.push({ from, to });
    this.#released.sort((left, right) => compareBytes(left.from, right.from));
  }

  /** The removal in the background reaches a released range at last. */
  removeReleased(at: number): void {
    const range = this.#released[at];
    assert(range !== undefined, () => `there is no released range ${at}`);
    this.#released.splice(at, 1);
    this.deleteRange(range.from, range.to);
  }

  /** Canonical bytes: equal for equal states, whatever led to them. */
  freeze(): Uint8Array {
    const out = new Writer(1024);
    out.u32(this.#keys.length);
    this.#keys.forEach((key, at) => {
      out.bytes16(key);
      out.bytes32(this.#values[at] as Uint8Array);
    });
    out.u32(this.#released.length);
    for (const { from, to } of this.#released) {
      out.bytes16(from);
      out.bytes16(to);
    }
    return out.finish();
  }

  /** Replaces everything by what the bytes hold; keys and values are views into them. */
  thaw(bytes: Uint8Array): void {
    const from = new Reader(bytes);
    const count = from.u32();
    this.#keys = [];
    this.#values = [];
    for (let at = 0; at < count; at++) {
      this.#keys.push(from.bytes16(0xffff));
      this.#values.push(from.bytes32(bytes.length));
    }
    this.#released = [];
    for (let left = from.u32(); left > 0; left--) {
      this.#released.push({ from: from.bytes16(0xffff), to: from.bytes16(0xffff) });
    }
    from.expectEnd();
  }
}
