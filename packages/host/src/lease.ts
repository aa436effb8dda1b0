import type { RaftId } from '@flotilla/base';

/**
 * The two halves of the lease (DESIGN section 5). A follower promises to keep away from elections for a
 * while; the leader counts, on its own clock and from before it asked, how long a quorum has promised.
 */

/** Follower's side, of one replica. All times are of this store's monotonic clock. */
export class VotePromise {
  /** Until then the replica refuses everybody: a promise from before a restart may still hold. */
  readonly #holdBackUntil: number;
  #until: number = Number.NEGATIVE_INFINITY;
  #to: RaftId | undefined;

  constructor(holdBackUntil: number) {
    this.#holdBackUntil = holdBackUntil;
  }

  /** A later promise replaces the former; it never ends earlier, because clock readings do not go back. */
  give(leader: RaftId, until: number): void {
    if (until < this.#until) return;
    this.#to = leader;
    this.#until = until;
  }

  /** When this replica may campaign again, if it hears nobody until then. */
  get until(): number {
    return Math.max(this.#until, this.#holdBackUntil);
  }

  holds(now: number): boolean {
    return now < this.until;
  }

  /**
   * How long a vote for `candidate` is out of the question; 0 when it is not. The leader that was promised may
   * have it, but not during the hold-back: the promise that the restart forgot was perhaps given to another.
   */
  remaining(candidate: RaftId, now: number): number {
    const until = candidate === this.#to ? this.#holdBackUntil : this.until;
    return Math.max(0, until - now);
  }
}

/** Leader's side, of one term. */
export class LeaderLease {
  readonly #answered = new Map<RaftId, number>();
  #term = 0;
  #forfeited = false;

  /** A new leadership starts without any lease. */
  begin(term: number): void {
    this.#term = term;
    this.#answered.clear();
    this.#forfeited = false;
  }

  /** From before TimeoutNow leaves until the term ends there is no lease, whether the transfer works or not. */
  forfeit(): void {
    this.#forfeited = true;
  }

  /** `stamp`: clock reading from before the frame of the echoed round was built. */
  answered(from: RaftId, term: number, stamp: number): void {
    if (term !== this.#term) return;
    if (stamp > (this.#answered.get(from) ?? Number.NEGATIVE_INFINITY)) this.#answered.set(from, stamp);
  }

  /** Stamp of the newest round that a quorum of every given voter set has promised; none once forfeited. */
  quorumStamp(self: RaftId, now: number, voterSets: readonly (readonly RaftId[])[]): number {
    return this.#forfeited ? Number.NEGATIVE_INFINITY : this.heardStamp(self, now, voterSets);
  }

  /** Stamp of the newest round that a quorum has answered: at that moment nobody else led. No lease by itself. */
  heardStamp(self: RaftId, now: number, voterSets: readonly (readonly RaftId[])[]): number {
    let oldest = now;
    for (const voters of voterSets) {
      if (voters.length === 0) continue;
      const stamps = voters.map((id) =>
        id === self ? now : (this.#answered.get(id) ?? Number.NEGATIVE_INFINITY),
      );
      stamps.sort((left, right) => right - left);
      oldest = Math.min(oldest, stamps[stamps.length >> 1] as number);
    }
    return oldest;
  }
}

const ROUNDS_KEPT = 512;

/** Rounds of one store: each beat frame has a number, whose stamp is read before the frame is built. */
export class Rounds {
  readonly #stamps = new Float64Array(ROUNDS_KEPT);
  #last = 0;

  /** Opens a round at this clock reading. */
  open(now: number): number {
    this.#last++;
    this.#stamps[this.#last % ROUNDS_KEPT] = now;
    return this.#last;
  }

  /** Undefined for rounds never opened or long gone. */
  stampOf(round: number): number | undefined {
    if (round <= 0 || round > this.#last || round <= this.#last - ROUNDS_KEPT) return undefined;
    return this.#stamps[round % ROUNDS_KEPT];
  }
}
