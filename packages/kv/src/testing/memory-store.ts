import { assert, CorruptionError, compareBytes, startsWithBytes } from '@flotilla/base';
import type { StateSnapshot, StateStore } from '@flotilla/ports';

/**
 * The smallest ordered map that fits the state store port, for tests of this package. Reads are as unkind as
 * the port allows: what they hand out is wiped at the next call, so whoever keeps it too long notices.
 */
export class MemoryStore implements StateStore {
  #keys: Uint8Array[] = [];
  #values: Uint8Array[] = [];
  #lent: Uint8Array | undefined;
  readonly #isKind: boolean;
  #visiting = false;

  /** `kind`: hand out stored bytes themselves, for measuring speed. */
  constructor(isKind = false) {
    this.#isKind = isKind;
  }

  #lend(bytes: Uint8Array): Uint8Array {
    if (this.#isKind) return bytes;
    this.#lent = bytes.slice();
    return this.#lent;
  }

  #enter(): void {
    assert(!this.#visiting, 'a visit may not use the store');
    this.#lent?.fill(0xee);
    this.#lent = undefined;
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
    this.#enter();
    const at = this.#at(key);
    return this.#has(at, key) ? this.#lend(this.#values[at] as Uint8Array) : undefined;
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
    options?: { readonly reverse?: boolean },
  ): void {
    this.#enter();
    const begin = this.#at(from);
    const end = to === undefined ? this.#keys.length : this.#at(to);
    const step = options?.reverse ? -1 : 1;
    this.#visiting = true;
    try {
      for (let at = options?.reverse ? end - 1 : begin; at >= begin && at < end; at += step) {
        const key = (this.#keys[at] as Uint8Array).slice();
        const value = (this.#values[at] as Uint8Array).slice();
        const goesOn = visit(key, value);
        key.fill(0xee);
        value.fill(0xee);
        if (!goesOn) break;
      }
    } finally {
      this.#visiting = false;
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#enter();
    assert(key.length <= 1900, () => `a key of ${key.length} bytes`);
    const at = this.#at(key);
    if (this.#has(at, key)) {
      this.#values[at] = value;
    } else {
      this.#keys.splice(at, 0, key);
      this.#values.splice(at, 0, value);
    }
  }

  delete(key: Uint8Array): void {
    this.#enter();
    const at = this.#at(key);
    if (!this.#has(at, key)) return;
    this.#keys.splice(at, 1);
    this.#values.splice(at, 1);
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#enter();
    const begin = this.#at(from);
    const count = this.#at(to) - begin;
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
    this.deleteRange(from, to);
  }

  /** Everything under a prefix, with the prefix cut off: what a group snapshot carries. */
  dump(prefix: Uint8Array): [Uint8Array, Uint8Array][] {
    const found: [Uint8Array, Uint8Array][] = [];
    this.#keys.forEach((key, at) => {
      if (startsWithBytes(key, prefix))
        found.push([key.slice(prefix.length), (this.#values[at] as Uint8Array).slice()]);
    });
    return found;
  }
}

/** A failing read, as after bit rot. */
export class RottenStore extends MemoryStore {
  override get(key: Uint8Array): Uint8Array | undefined {
    throw new CorruptionError(`the checksum of a key of ${key.length} bytes does not fit`);
  }
}
