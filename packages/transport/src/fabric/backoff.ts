import type { Random } from '@flotilla/ports';

/** How long to wait before dialling again: longer after each failure, and never in step with others. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: Random;
  #failures = 0;

  constructor(minMs: number, maxMs: number, random: Random) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  failed(): void {
    this.#failures++;
  }

  /** The next attempt goes at once. */
  reset(): void {
    this.#failures = 0;
  }

  /** 0 after a success, else between half and all of a time that doubles up to the limit. */
  delayMs(): number {
    if (this.#failures === 0) return 0;
    // Beyond 2^30 the exponent would no longer matter for any sensible limit.
    const full = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(30, this.#failures - 1));
    return full * (0.5 + this.#random.below(1024) / 2048);
  }
}
