import { equalBytes, Xxh64 } from '@flotilla/base';

/** Gives equal bytes the same small number, and back. Exact: equal hashes are compared byte by byte. */
export class Interner {
  readonly #hasher = new Xxh64();
  readonly #items: Uint8Array[] = [];
  #places: Uint32Array = new Uint32Array(1024);
  #mask = 1023;

  get size(): number {
    return this.#items.length;
  }

  /** The bytes must not change afterwards. */
  number(bytes: Uint8Array): number {
    let at = this.#hasher.hash(bytes) & this.#mask;
    for (let there = this.#places[at] as number; there !== 0; there = this.#places[at] as number) {
      if (equalBytes(this.#items[there - 1] as Uint8Array, bytes)) return there - 1;
      at = (at + 1) & this.#mask;
    }
    this.#items.push(bytes);
    const number = this.#items.length - 1;
    this.#places[at] = number + 1;
    if (this.#items.length * 2 > this.#mask) this.#grow();
    return number;
  }

  bytes(number: number): Uint8Array {
    return this.#items[number] as Uint8Array;
  }

  #grow(): void {
    this.#mask = this.#mask * 2 + 1;
    this.#places = new Uint32Array(this.#mask + 1);
    this.#items.forEach((bytes, number) => {
      let at = this.#hasher.hash(bytes) & this.#mask;
      while (this.#places[at] !== 0) at = (at + 1) & this.#mask;
      this.#places[at] = number + 1;
    });
  }
}
