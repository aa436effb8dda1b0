/** What may pass at once after a rest, as time at the full rate. */
const BURST_MS = 50;

/**
 * Lets bytes pass at a rate. What is larger than what is left passes as well and leaves a debt, which the next
 * one waits for: so a piece of any size passes, and the rate holds all the same.
 */
export class TokenBucket {
  #bytesPerMs: number;
  #left: number;
  #atMs: number;

  /** A rate of 0 lets everything pass. */
  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#left = this.#full;
    this.#atMs = nowMs;
  }

  /** What was owed stays owed, at the new rate. */
  setRate(bytesPerSecond: number, nowMs: number): void {
    if (this.#bytesPerMs === bytesPerSecond / 1_000) return;
    this.#fill(nowMs);
    const hadRate = this.#bytesPerMs > 0;
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#left = hadRate ? Math.min(this.#left, this.#full) : this.#full;
  }

  /** True if something may pass now. */
  allows(nowMs: number): boolean {
    if (this.#bytesPerMs === 0) return true;
    this.#fill(nowMs);
    return this.#left > 0;
  }

  take(bytes: number): void {
    if (this.#bytesPerMs > 0) this.#left -= bytes;
  }

  get #full(): number {
    return this.#bytesPerMs * BURST_MS;
  }

  #fill(nowMs: number): void {
    this.#left = Math.min(this.#full, this.#left + Math.max(0, nowMs - this.#atMs) * this.#bytesPerMs);
    this.#atMs = nowMs;
  }
}
