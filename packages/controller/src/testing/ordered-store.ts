import { compareBytes } from '@flotilla/base';
import type { StateSnapshot, StateStore } from '@flotilla/ports';

interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A state store in a sorted array. It keeps copies, so that a test cannot hide an aliasing mistake. */
export class OrderedStore implements StateStore {
  #rows: Row[] = [];

  #at(key: Uint8Array): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareBytes((this.#rows[middle] as Row).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #has(at: number, key: Uint8Array): boolean {
    const row = this.#rows[at];
    return row !== undefined && compareBytes(row.key, key) === 0;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const at = this.#at(key);
    return this.#has(at, key) ? this.#rows[at]?.value.slice() : undefined;
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
    options?: { readonly reverse?: boolean },
  ): void {
    const rows = this.#rows.slice(this.#at(from), to === undefined ? undefined : this.#at(to));
    if (options?.reverse === true) rows.reverse();
    for (const row of rows) {
      const key = row.key.slice();
      const value = row.value.slice();
      const goOn = visit(key, value);
      // Rows may not be kept by the visitor: whoever does will read this.
      key.fill(0xee);
      value.fill(0xee);
      if (!goOn) return;
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const at = this.#at(key);
    const row = { key: key.slice(), value: value.slice() };
    this.#rows.splice(at, this.#has(at, key) ? 1 : 0, row);
  }

  delete(key: Uint8Array): void {
    const at = this.#at(key);
    if (this.#has(at, key)) this.#rows.splice(at, 1);
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#rows.splice(this.#at(from), Math.max(0, this.#at(to) - this.#at(from)));
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

  /** All rows below the prefix, without it: what a group snapshot would carry. */
  rowsBelow(prefix: Uint8Array, end: Uint8Array | undefined): readonly Row[] {
    const rows: Row[] = [];
    this.scan(prefix, end, (key, value) => {
      rows.push({ key: key.slice(prefix.length), value: value.slice() });
      return true;
    });
    return rows;
  }
}
