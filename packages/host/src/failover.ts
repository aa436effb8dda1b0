import type { RaftId, StoreId } from '@flotilla/base';
import { neverRare, type Random, type RareBranches, type TimerId, type Timers } from '@flotilla/ports';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

/** How often a candidate asks again as soon as a refusal runs out, before it waits for its election timeout. */
const REFUSALS_MAX = 2;

/** How often a replica of a group that is being founded asks for votes, and how far apart, ms. */
const FOUNDING_TRIES = 3;
const FOUNDING_RETRY_MS = 80;

/**
 * Elections without waiting for silence. When the connection to a leader's store drops, its followers forget
 * it as their promise ends and ask for votes one after the other, the lowest raft id first. One timer serves
 * all groups: it stands at the earliest due time.
 */
export class Failover {
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #tuning: HostTuning;
  readonly #now: () => number;
  readonly #act: (replica: Replica, work: () => void) => void;
  readonly #rare: RareBranches;
  readonly #due = new Set<Replica>();
  /** Of groups that are being founded: how often each replica still asks. */
  readonly #tries = new WeakMap<Replica, number>();
  #stopped = false;
  #timer: TimerId | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: {
    readonly timers: Timers;
    readonly random: Random;
    readonly tuning: HostTuning;
    readonly now: () => number;
    /** Runs work on the replica's core, which may meet damaged data of its own, and sees to what comes of it. */
    readonly act: (replica: Replica, work: () => void) => void;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#timers = options.timers;
    this.#random = options.random.fork('failover');
    this.#tuning = options.tuning;
    this.#now = options.now;
    this.#act = options.act;
    this.#rare = options.rare ?? neverRare;
  }

  /** The connection to that store is gone. */
  dropped(storeId: StoreId, replicas: Iterable<Replica>): void {
    const now = this.#now();
    for (const replica of replicas) {
      if (replica.broken !== undefined || replica.isLeader || replica.leaderStore() !== storeId) continue;
      replica.forgetAt = Math.max(now, replica.promise.until);
      this.#plan(replica, now + this.#tuning.promiseMs, replica.raft.leaderId);
    }
  }

  /** A replica that starts knows no leader: it asks as soon as it may, unless it hears one first. */
  started(replica: Replica, mayAskAt: number): void {
    this.#plan(replica, mayAskAt, 0);
  }

  /**
   * A replica of a group that is being founded. The others create theirs at about the same time, and who has none
   * yet does not answer; so it asks a few times. The first of the group gets so much time ahead that a store which
   * only heard of the group earlier does not lead it for that.
   */
  founded(replica: Replica): void {
    const grace = this.#tuning.heartbeatMs;
    const turn = FOUNDING_TRIES * FOUNDING_RETRY_MS + grace;
    this.#tries.set(replica, FOUNDING_TRIES);
    this.#plan(replica, this.#now() + (replica.isAlone ? 0 : grace + turn * replica.failoverRank(0)), 0);
  }

  /** A voter refused because of a promise that lasts so much longer. */
  refused(replica: Replica, remainingMs: number): void {
    if (replica.broken !== undefined || replica.isLeader || replica.raft.leaderId !== 0) return;
    // Whatever the other says: no promise lasts longer than this, and none is a number that is none.
    if (!(remainingMs >= 0) || this.#rare.take('refusal-unheard')) return;
    const from = this.#now() + Math.min(remainingMs, this.#tuning.promiseMs);
    if (replica.campaignAt !== undefined) {
      // Each voter may refuse the same campaign: together they cost one try, and the longest promise counts.
      if (from > replica.campaignAt) this.#plan(replica, from, 0);
      return;
    }
    if (replica.refusalsLeft === 0) return;
    replica.refusalsLeft--;
    this.#plan(replica, from, 0);
  }

  /** The replica takes part in nothing any more. */
  forget(replica: Replica): void {
    this.#due.delete(replica);
  }

  /** A leader was heard: nothing to do any more. */
  heard(replica: Replica): void {
    this.#tries.delete(replica);
    replica.refusalsLeft = REFUSALS_MAX;
    if (this.#rare.take('campaign-after-promise')) {
      this.#plan(replica, replica.promise.until, 0);
      return;
    }
    if (replica.campaignAt === undefined && replica.forgetAt === undefined) return;
    replica.campaignAt = undefined;
    replica.forgetAt = undefined;
    this.#due.delete(replica);
  }

  /**
   * Our vote went to another candidate: its turn first. While that vote becomes durable and travels, our own
   * turn would come, in 10 ms a rank:
   *
   *   1. B asks for term 8; we grant it, and our disk takes 12 ms to store the vote.
   *   2. Our turn comes. B does not lead yet, so it grants our pre-vote for term 9.
   *   3. B has our vote and leads in term 8. We are a candidate in term 9, which B ignores for its lease, and our
   *      answer to its first append makes it step down. Nobody leads, and both wait for the election timeout.
   */
  voted(replica: Replica): void {
    if (replica.campaignAt === undefined) return;
    this.#plan(replica, this.#now() + this.#tuning.promiseMs, 0);
  }

  /**
   * Our pre-vote went to another candidate. Where a frame takes longer than the gap between two ranks, several
   * ask at once; each would get the other's pre-vote and vote for itself, and nobody would be elected before
   * the election timeout. So who has not asked yet waits, and of those who have, the lower raft id goes on.
   */
  preVoted(replica: Replica, candidate: RaftId): void {
    const now = this.#now();
    if (replica.campaignAt === undefined) {
      if (replica.raft.role !== 'pre-candidate' || candidate > replica.raftId) return;
      replica.yieldsUntil = now + this.#tuning.promiseMs;
    }
    this.#plan(replica, now + this.#tuning.promiseMs, 0);
  }

  /** Pre-votes that arrive now would start a campaign that was given up in favour of another one. */
  yields(replica: Replica): boolean {
    return replica.yieldsUntil > this.#now();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== undefined) this.#timers.clear(this.#timer);
    this.#timer = undefined;
    this.#due.clear();
  }

  #plan(replica: Replica, from: number, gone: RaftId): void {
    if (this.#stopped) return;
    const rank = this.#rare.take('failover-without-rank') ? 0 : replica.failoverRank(gone);
    const late = this.#rare.take('failover-later') ? this.#tuning.promiseMs : 0;
    const wait = this.#tuning.failoverRankMs * rank + late;
    const jitter = (this.#random.below(1000) / 1000) * this.#tuning.failoverJitterMs;
    // Nobody else votes in a group of one: there is nobody to whom a promise could matter.
    const mayAskAt = replica.isAlone ? from : Math.max(from, replica.promise.until);
    replica.campaignAt = mayAskAt + wait + jitter;
    this.#due.add(replica);
    this.#arm();
  }

  #arm(): void {
    let earliest = Number.POSITIVE_INFINITY;
    for (const replica of this.#due) {
      earliest = Math.min(earliest, replica.forgetAt ?? earliest, replica.campaignAt ?? earliest);
    }
    if (earliest >= this.#timerAt || earliest === Number.POSITIVE_INFINITY) return;
    if (this.#timer !== undefined) this.#timers.clear(this.#timer);
    this.#timerAt = earliest;
    this.#timer = this.#timers.set(Math.max(0, earliest - this.#now()), () => {
      this.#timer = undefined;
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#run();
      this.#arm();
    });
  }

  #askAgain(replica: Replica, now: number): void {
    const left = (this.#tries.get(replica) ?? 0) - 1;
    if (left <= 0 || replica.isLeader) {
      this.#tries.delete(replica);
      return;
    }
    this.#tries.set(replica, left);
    replica.campaignAt = now + FOUNDING_RETRY_MS;
  }

  #run(): void {
    const now = this.#now();
    for (const replica of [...this.#due]) {
      // A leader that was forgotten gets no vote from us by mistake: the promise has ended by now.
      if (replica.forgetAt !== undefined && replica.forgetAt <= now) {
        replica.forgetAt = undefined;
        this.#act(replica, () => replica.raft.forgetLeader());
      }
      if (replica.campaignAt !== undefined && replica.campaignAt <= now) {
        replica.campaignAt = undefined;
        replica.yieldsUntil = 0;
        if (!replica.isLeader) this.#act(replica, () => replica.raft.campaign());
        this.#askAgain(replica, now);
      }
      if (replica.forgetAt === undefined && replica.campaignAt === undefined) this.#due.delete(replica);
    }
  }
}
