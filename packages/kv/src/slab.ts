/**
 * Memory for small stored items, cut from shared pieces: an allocation of its own for each record would cost
 * more than the rest of a put. A piece lives as long as any item in it, so pieces are small and large items
 * get memory of their own; what a store keeps can then never pin much more than it holds.
 */
const PIECE_BYTES = 8192;
const ITEM_BYTES_MAX = 1024;

export class Slab {
  #piece: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** Zeroed memory that nobody else writes to. */
  take(length: number): Uint8Array {
    if (length > ITEM_BYTES_MAX) return new Uint8Array(length);
    const at = this.#used;
    const end = at + length;
    if (end <= this.#piece.length) {
      this.#used = end;
      return this.#piece.subarray(at, end);
    }
    this.#piece = new Uint8Array(PIECE_BYTES);
    this.#used = length;
    return this.#piece.subarray(0, length);
  }
}
