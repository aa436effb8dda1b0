import type { Replica } from '@flotilla/host';
import { type Clock, neverRare, type PeerLinks, type RareBranches } from '@flotilla/ports';

/** How far ahead of the stores' median a stamp may be, ms. */
const AHEAD_MAX_MS = 2_000;

/**
 * Log time: the leader's wall clock, held down to the median of all stores' clocks plus two seconds, and
 * never less than what it stamped before. One store with a wild clock cannot drag the cluster's time along.
 */
export class Stamps {
  readonly #clock: Clock;
  readonly #links: PeerLinks;
  readonly #rare: RareBranches;
  readonly #last = new WeakMap<Replica, number>();
  #aheadMs = 0;

  constructor(clock: Clock, links: PeerLinks, rare: RareBranches = neverRare) {
    this.#clock = clock;
    this.#links = links;
    this.#rare = rare;
  }

  /** Takes the offsets of the connected stores; called now and then, not per entry. */
  observe(storeIds: readonly string[]): void {
    const offsets = [0];
    for (const storeId of storeIds) {
      const offset = this.#links.clockOffsetMs(storeId);
      if (offset !== undefined) offsets.push(offset);
    }
    offsets.sort((left, right) => left - right);
    const median = offsets[(offsets.length - 1) >> 1] as number;
    this.#aheadMs = -median;
  }

  /** How far this store's clock is ahead of the median (negative: behind), ms. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  get isTrusted(): boolean {
    return Math.abs(this.#aheadMs) <= AHEAD_MAX_MS;
  }

  /** This store's time as stamps may show it. */
  nowMs(): number {
    return Math.max(0, Math.floor(this.#clock.wallMs() - Math.max(0, this.#aheadMs - AHEAD_MAX_MS)));
  }

  /** Next stamp of a group whose machine has applied everything up to `applied`. */
  next(replica: Replica, appliedStamp: number): number {
    const before = Math.max(appliedStamp, this.#last.get(replica) ?? 0);
    const stamp = this.#rare.take('stamp-of-before') ? before : Math.max(this.nowMs(), before);
    this.#last.set(replica, stamp);
    return stamp;
  }
}
