import type { TimerId, Timers } from '@flotilla/ports';
import type { Backoff } from './backoff.ts';
import type { Link } from './link.ts';

interface Seed {
  readonly address: string;
  readonly backoff: Backoff;
  link: Link | undefined;
  timer: TimerId | undefined;
}

/**
 * Asks addresses whose stores are unknown for their address book. A seed may be a name behind which
 * different stores answer at different times, also this one; so a seed never becomes a link: the store
 * that answers is dialled again under its own name once the book has it.
 */
export class Discovery {
  readonly #timers: Timers;
  readonly #seeds: readonly Seed[];
  readonly #isNeeded: () => boolean;
  readonly #dial: (address: string) => Link;

  constructor(options: {
    readonly seeds: readonly string[];
    readonly timers: Timers;
    readonly makeBackoff: () => Backoff;
    readonly isNeeded: () => boolean;
    readonly dial: (address: string) => Link;
  }) {
    this.#timers = options.timers;
    this.#isNeeded = options.isNeeded;
    this.#dial = options.dial;
    this.#seeds = [...new Set(options.seeds)].map((address) => ({
      address,
      backoff: options.makeBackoff(),
      link: undefined,
      timer: undefined,
    }));
  }

  /** Dials every seed that is not being dialled, if anything is left to find out. */
  advance(): void {
    if (!this.#isNeeded()) return;
    for (const seed of this.#seeds) {
      if (seed.link !== undefined || seed.timer !== undefined) continue;
      seed.timer = this.#timers.set(seed.backoff.delayMs(), () => {
        seed.timer = undefined;
        if (this.#isNeeded()) seed.link = this.#dial(seed.address);
        else seed.backoff.reset();
      });
    }
  }

  /** True if the link was one of ours; the seed is tried again later if it is still needed. */
  closed(link: Link): boolean {
    const seed = this.#seeds.find((candidate) => candidate.link === link);
    if (seed === undefined) return false;
    seed.link = undefined;
    // An answer does not mean that the next one helps more, so every attempt counts towards the back-off.
    seed.backoff.failed();
    this.advance();
    return true;
  }

  stop(): void {
    for (const seed of this.#seeds) {
      if (seed.timer !== undefined) this.#timers.clear(seed.timer);
      seed.timer = undefined;
      seed.link?.close('the store is stopping');
    }
  }
}
