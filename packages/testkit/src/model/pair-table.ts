import { assert } from '@flotilla/base';

/** Open addressing on typed arrays: two numbers of 32 bits lead to two more. What was set stays. */
export class PairTable {
  #left: Uint32Array;
  #right: Uint32Array;
  /** 0 marks a free place, so values are stored one higher. */
  #first: Uint32Array;
  #second: Uint32Array;
  #mask: number;
  #count = 0;
  /** The second value of the pair that was found last. */
  second = 0;

  constructor(places = 1024) {
    assert((places & (places - 1)) === 0, 'a table has a power of two of places');
    this.#mask = places - 1;
    this.#left = new Uint32Array(places);
    this.#right = new Uint32Array(places);
    this.#first = new Uint32Array(places);
    this.#second = new Uint32Array(places);
  }

  get size(): number {
    return this.#count;
  }

  #place(left: number, right: number): number {
    let mix = Math.imul(left ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(right + 0x7f4a7c15, 0xc2b2ae35);
    mix = Math.imul(mix ^ (mix >>> 15), 0x2c1b3c6d);
    let at = (mix ^ (mix >>> 13)) & this.#mask;
    while (this.#first[at] !== 0 && (this.#left[at] !== left || this.#right[at] !== right)) {
      at = (at + 1) & this.#mask;
    }
    return at;
  }

  /** The first value, or undefined; the second one stands in `second`. */
  get(left: number, right: number): number | undefined {
    const at = this.#place(left, right);
    const first = this.#first[at] as number;
    if (first === 0) return undefined;
    this.second = this.#second[at] as number;
    return first - 1;
  }

  set(left: number, right: number, first: number, second = 0): void {
    if (this.#count * 2 > this.#mask) this.#grow();
    const at = this.#place(left, right);
    assert(this.#first[at] === 0, 'a pair is set once');
    this.#left[at] = left;
    this.#right[at] = right;
    this.#first[at] = first + 1;
    this.#second[at] = second;
    this.#count++;
  }

  #grow(): void {
    const old = [this.#left, this.#right, this.#first, this.#second] as const;
    const places = (this.#mask + 1) * 2;
    this.#mask = places - 1;
    this.#left = new Uint32Array(places);
    this.#right = new Uint32Array(places);
    this.#first = new Uint32Array(places);
    this.#second = new Uint32Array(places);
    for (let from = 0; from < places / 2; from++) {
      if (old[2][from] === 0) continue;
      const at = this.#place(old[0][from] as number, old[1][from] as number);
      this.#left[at] = old[0][from] as number;
      this.#right[at] = old[1][from] as number;
      this.#first[at] = old[2][from] as number;
      this.#second[at] = old[3][from] as number;
    }
  }
}
