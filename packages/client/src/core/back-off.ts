import type { Random } from '@flotilla/ports';
import { tuning } from './options.ts';

/** Full jitter: uniform between zero and a bound that doubles with each failure. */
export function fullJitterMs(random: Random, failures: number): number {
  const bound = Math.min(tuning.backoffMax, tuning.backoffMin * 2 ** Math.min(failures, 16));
  return random.below(bound);
}

/**
 * Pause while a group has no leader: a third of the time it already lasts, jittered. An election takes about
 * 200 ms, and an exponential pause would by then be as long as the election itself.
 */
export function seekDelayMs(random: Random, elapsedMs: number): number {
  const bound = Math.min(tuning.seekMax, Math.max(tuning.backoffMin, elapsedMs / 3));
  return bound / 2 + random.below(Math.ceil(bound / 2));
}

/**
 * Pause of a write that was refused to slow its shard down. Never shorter than asked for; spread over as much
 * again, and over ever more for one that had no luck, so that the refused do not come back together.
 */
export function throttleDelayMs(random: Random, retryAfterMs: number, pauses: number): number {
  const spread = Math.min(tuning.throttleMax, Math.max(1, retryAfterMs) * 2 ** Math.min(pauses, 16));
  return retryAfterMs + random.below(Math.ceil(spread));
}

/**
 * Budget for retries that add load to a store which asked for less. Each costs 5 of at most 500 tokens; each
 * frame that succeeded pays back half a token, so that retries settle at a tenth of the requests; time pays
 * back a little, so that a client which only ever sees refusals still asks now and then.
 */
export class RetryBudget {
  static readonly max = 500;
  static readonly cost = 5;
  #tokens: number = RetryBudget.max;
  #paidMs = 0;

  get tokens(): number {
    return this.#tokens;
  }

  succeed(): void {
    if (this.#tokens < RetryBudget.max) this.#tokens = Math.min(RetryBudget.max, this.#tokens + 0.5);
  }

  take(nowMs: number): boolean {
    const seconds = Math.max(0, nowMs - this.#paidMs) / 1000;
    this.#paidMs = nowMs;
    this.#tokens = Math.min(RetryBudget.max, this.#tokens + 2 * seconds);
    if (this.#tokens < RetryBudget.cost) return false;
    this.#tokens -= RetryBudget.cost;
    return true;
  }
}
