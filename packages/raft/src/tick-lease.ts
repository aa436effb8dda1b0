/**
 * The lease of reads that trust ticks (thesis 6.4.1). A member that hears its leader gives nobody else a vote for
 * one election timeout. So nobody else leads for that long after a round of heartbeats was sent that a majority
 * has answered, if all members tick at the same rate. What the rules are for:
 *
 * - It is counted from the sending of a round, not from its answer, which may be on its way for long; and not from
 *   the check of the quorum either, by which a leader that was cut off leads for up to two election timeouts.
 * - It is one tick shorter than the promise, because nobody's tick begins as a message is sent.
 * - There is none from the sending of TimeoutNow until the term ends: votes are given against the promise then.
 * - A promise outlives role and term of its giver, and who restarts may have forgotten one: it gives no vote for
 *   an election timeout.
 */
export class TickLease {
  #promisedTicks = 0;
  #now = 0;
  #isGivenUp = false;
  /** The first round of each tick in which one was sent, as long as a lease may rest on it. */
  #sent: { readonly round: number; readonly tick: number }[] = [];

  /** For how many ticks this member still gives no vote. */
  get promisedTicks(): number {
    return this.#promisedTicks;
  }

  /** A leader was heard, or may have been before a restart. */
  promise(electionTicks: number): void {
    this.#promisedTicks = electionTicks;
  }

  tick(): void {
    this.#now++;
    if (this.#promisedTicks > 0) this.#promisedTicks--;
  }

  /** A new role. Round 0 is the first entry of a leader: a majority has taken that before there are any reads. */
  reset(): void {
    this.#isGivenUp = false;
    this.#sent = [{ round: 0, tick: this.#now }];
  }

  sent(round: number, electionTicks: number): void {
    if (this.#sent.at(-1)?.tick === this.#now) return;
    this.#sent.push({ round, tick: this.#now });
    if (this.#sent.length > electionTicks) this.#sent.shift();
  }

  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** `round`: the newest one that a majority has answered. */
  holds(round: number, electionTicks: number): boolean {
    const tick = this.#sent.findLast((each) => each.round <= round)?.tick;
    return !this.#isGivenUp && tick !== undefined && this.#now - tick < electionTicks - 1;
  }
}
