import type { StoreId } from '@flotilla/base';
import { neverRare, type RareBranches } from '@flotilla/ports';
import type { ReplicaPlace } from '@flotilla/wire';

/**
 * Which replica of the source is asked next: the one on this very store, then any that is connected, and its
 * leader, who has other work, last. One that could not answer is left alone for a while.
 */
export class Sources {
  readonly #own: StoreId;
  readonly #isUp: (storeId: StoreId) => boolean;
  readonly #rare: RareBranches;
  /** Until when a store is left alone. As many as the group has replicas. */
  readonly #avoided = new Map<StoreId, number>();
  #last: StoreId | undefined;

  constructor(own: StoreId, isUp: (storeId: StoreId) => boolean, rare: RareBranches = neverRare) {
    this.#own = own;
    this.#isUp = isUp;
    this.#rare = rare;
  }

  /** Undefined while none of them can be asked. */
  pick(replicas: readonly ReplicaPlace[], leader: StoreId | undefined, nowMs: number): StoreId | undefined {
    const canAsk = (storeId: StoreId): boolean =>
      (storeId === this.#own || this.#isUp(storeId)) && (this.#avoided.get(storeId) ?? 0) <= nowMs;
    const able = replicas.map((place) => place.storeId).filter(canAsk);
    if (this.#rare.take('copy-from-last')) return able.includes(leader ?? '') ? leader : able.at(-1);
    // Whoever answered last answers again, but a leader only as long as nobody else can.
    const isGood = this.#last !== undefined && this.#last !== leader && able.includes(this.#last);
    const picked = able.includes(this.#own)
      ? this.#own
      : isGood
        ? this.#last
        : (able.find((storeId) => storeId !== leader) ?? able[0]);
    this.#last = picked;
    return picked;
  }

  avoid(storeId: StoreId, untilMs: number): void {
    // Stores that the group has left are of no interest.
    if (this.#avoided.size >= 32) this.#avoided.clear();
    this.#avoided.set(storeId, untilMs);
  }
}
