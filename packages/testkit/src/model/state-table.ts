import { assert } from '@flotilla/base';

/** Rows live in pieces, so that the table grows without copying what it has. */
const PIECE_ROWS = 1 << 14;

/**
 * All states of a search, each once and exact: a row of words with the number at which it came first. Numbers
 * count up from 0 without gaps.
 */
export class StateTable {
  readonly width: number;
  readonly rowsMax: number;
  readonly #pieces: Uint32Array[] = [];
  /** Number of the row in each place, one higher; 0 for a free place. */
  #places: Uint32Array = new Uint32Array(1 << 16);
  #mask: number = (1 << 16) - 1;
  #count = 0;

  constructor(width: number, rowsMax: number) {
    this.width = width;
    this.rowsMax = rowsMax;
  }

  get size(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.rowsMax;
  }

  /** The number of the row; it is new if that is the `size` of before. */
  add(row: Uint32Array): number {
    let at = this.#hash(row) & this.#mask;
    for (let there = this.#places[at] as number; there !== 0; there = this.#places[at] as number) {
      if (this.#equals(there - 1, row)) return there - 1;
      at = (at + 1) & this.#mask;
    }
    const id = this.#count;
    assert(id < 0xffff_fffe, 'rows are numbered with 32 bits');
    this.#places[at] = id + 1;
    const in_ = id % PIECE_ROWS;
    if (in_ === 0) this.#pieces.push(new Uint32Array(PIECE_ROWS * this.width));
    (this.#pieces[this.#pieces.length - 1] as Uint32Array).set(row, in_ * this.width);
    this.#count++;
    if (this.#count * 2 > this.#mask) this.#grow();
    return id;
  }

  read(id: number, row: Uint32Array): void {
    const piece = this.#pieces[Math.floor(id / PIECE_ROWS)] as Uint32Array;
    const begin = (id % PIECE_ROWS) * this.width;
    for (let at = 0; at < this.width; at++) row[at] = piece[begin + at] as number;
  }

  #hash(row: Uint32Array): number {
    let mix = 0x9e3779b9;
    for (let at = 0; at < this.width; at++) {
      mix = Math.imul(mix ^ (row[at] as number), 0x85ebca6b);
      mix ^= mix >>> 15;
    }
    mix = Math.imul(mix, 0xc2b2ae35);
    return mix ^ (mix >>> 13);
  }

  #equals(id: number, row: Uint32Array): boolean {
    const piece = this.#pieces[Math.floor(id / PIECE_ROWS)] as Uint32Array;
    const begin = (id % PIECE_ROWS) * this.width;
    for (let at = 0; at < this.width; at++) if (piece[begin + at] !== row[at]) return false;
    return true;
  }

  #grow(): void {
    const places = new Uint32Array((this.#mask + 1) * 2);
    const mask = places.length - 1;
    const row = new Uint32Array(this.width);
    for (let id = 0; id < this.#count; id++) {
      this.read(id, row);
      let at = this.#hash(row) & mask;
      while (places[at] !== 0) at = (at + 1) & mask;
      places[at] = id + 1;
    }
    this.#places = places;
    this.#mask = mask;
  }
}
