/**
 * Measures how long a piece of work has held up the event loop. Looking at the clock costs as much as a small
 * step of work, so it is done every few steps only.
 */
export class Slice {
  readonly #msMax: number;
  #begunAt = 0;
  #steps = 0;

  constructor(msMax: number) {
    this.#msMax = msMax;
    this.begin();
  }

  /** The loop has had its turn. */
  begin(): void {
    this.#begunAt = performance.now();
    this.#steps = 0;
  }

  /** One more step is done: true if the loop should have its turn now. */
  isOver(): boolean {
    if (++this.#steps % STEPS_PER_LOOK !== 0) return false;
    return performance.now() - this.#begunAt >= this.#msMax;
  }
}

const STEPS_PER_LOOK = 32;
