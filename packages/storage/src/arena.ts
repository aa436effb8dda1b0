const chunkBytes = 256 * 1024;
const ownBytes = 64 * 1024;

/**
 * Hands out slices of large buffers for values on their way to LMDB, which reads them from another thread
 * until their transaction is written. A chunk is collected once all its slices are.
 */
export class Arena {
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** The bytes are not cleared: fill all of them. */
  take(bytes: number): Uint8Array {
    if (bytes > ownBytes) return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
    if (this.#at + bytes > this.#chunk.length) {
      this.#chunk = new Uint8Array(Buffer.allocUnsafeSlow(chunkBytes).buffer);
      this.#at = 0;
    }
    const from = this.#at;
    this.#at = from + bytes;
    return this.#chunk.subarray(from, from + bytes);
  }
}
