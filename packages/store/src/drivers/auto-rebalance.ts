const PERIOD_MS = 30_000;

export interface AutoRebalanceOptions {
  readonly now: () => number;
  /** True on the store that leads the controller group, while the policy wants it and no move is open. */
  readonly isDue: () => boolean;
  /** Moves what is out of balance, if anything is. */
  readonly balance: (done: () => void) => void;
}

/**
 * Balances by load without being asked, where the policy says so. It looks only while all is at rest, and after that
 * has lasted a while: loads need time to show what the last moves brought.
 */
export class AutoRebalance {
  readonly #options: AutoRebalanceOptions;
  #nextAt: number;
  #busy = false;

  constructor(options: AutoRebalanceOptions) {
    this.#options = options;
    this.#nextAt = options.now() + PERIOD_MS;
  }

  tick(): void {
    const { now, isDue, balance } = this.#options;
    if (!isDue()) {
      this.#nextAt = now() + PERIOD_MS;
      return;
    }
    if (this.#busy || now() < this.#nextAt) return;
    this.#nextAt = now() + PERIOD_MS;
    this.#busy = true;
    balance(() => {
      this.#busy = false;
    });
  }
}
