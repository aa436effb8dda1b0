import { Xxh64 } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import xxhash from 'xxhash-wasm';

/** Below this many bytes the call into WebAssembly and its 64-bit result cost more than the hash. */
const PURE_BYTES_MAX = 48;

/** Hashes short inputs in JavaScript and longer ones in WebAssembly, which is an order of magnitude faster. */
class WasmHasher implements Hasher {
  high = 0;
  low = 0;
  readonly #short = new Xxh64();
  readonly #long: (bytes: Uint8Array) => bigint;
  /** Splits the result without arithmetic on it. */
  readonly #result = new BigUint64Array(1);
  readonly #halves = new Uint32Array(this.#result.buffer);

  constructor(long: (bytes: Uint8Array) => bigint) {
    this.#long = long;
  }

  hash(bytes: Uint8Array): number {
    if (bytes.length <= PURE_BYTES_MAX) {
      this.low = this.#short.hash(bytes);
      this.high = this.#short.high;
    } else {
      this.#result[0] = this.#long(bytes);
      this.low = this.#halves[0] as number;
      this.high = this.#halves[1] as number;
    }
    return this.low;
  }
}

/** The hasher of a store process. Instantiating WebAssembly takes a moment, hence the promise. */
export async function createWasmHasher(): Promise<Hasher> {
  const { h64Raw } = await xxhash();
  return new WasmHasher(h64Raw);
}
