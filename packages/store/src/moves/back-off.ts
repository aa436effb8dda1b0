const FIRST_MS = 25;
const MAX_MS = 1_000;

/** Waits longer after each failure in a row. */
export class BackOff {
  #nextMs = FIRST_MS;
  #untilMs = 0;

  isOver(nowMs: number): boolean {
    return nowMs >= this.#untilMs;
  }

  failed(nowMs: number, atLeastMs = 0): void {
    this.#untilMs = nowMs + Math.max(this.#nextMs, Math.min(atLeastMs, 60_000));
    this.#nextMs = Math.min(MAX_MS, this.#nextMs * 2);
  }

  reset(): void {
    this.#nextMs = FIRST_MS;
    this.#untilMs = 0;
  }
}
