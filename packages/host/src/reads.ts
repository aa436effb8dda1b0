import { neverRare, type RareBranches } from '@flotilla/ports';
import type { ReadBatch } from './machine.ts';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

interface Evaluated {
  readonly replica: Replica;
  readonly term: number;
  readonly batches: readonly ReadBatch[];
}

/** How long the reads of one turn may take, ms; the rest waits for the next turn. */
const SLICE_MS = 8;

/**
 * Linearizable reads of one turn. A leader whose first entry of the term is applied evaluates at once; after
 * the last value of the turn the clock is read anew, and only what still stands on a lease is told. The rest
 * takes a ReadIndex round, which all reads waiting in that group share.
 */
export class LeaseReader {
  readonly #tuning: HostTuning;
  readonly #now: () => number;
  readonly #observe: () => number;
  readonly #guard: (replica: Replica, work: () => void) => void;
  readonly #rare: RareBranches;
  #stopAt = 0;
  #cut = false;
  leaseReads = 0;
  indexReads = 0;

  constructor(options: {
    readonly tuning: HostTuning;
    readonly now: () => number;
    /** Compares the clocks anew. Only rounds stamped after the result count: the loop or a clock misbehaved then. */
    readonly observe: () => number;
    /** Runs the work; a fault of the replica's own data stops that replica and nothing else. */
    readonly guard: (replica: Replica, work: () => void) => void;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#tuning = options.tuning;
    this.#now = options.now;
    this.#observe = options.observe;
    this.#guard = options.guard;
    this.#rare = options.rare ?? neverRare;
  }

  /** The last run was long enough: some reads could be answered in the next one. */
  get cut(): boolean {
    return this.#cut;
  }

  /**
   * True while a quorum has heard this leader within the time of a lease. Not a lease: that is given up for the
   * rest of the term by an attempt to hand over, also by one that failed, and some stores use none.
   */
  isSureToLead(replica: Replica): boolean {
    const now = this.#now();
    const stamp = replica.lease.heardStamp(replica.raftId, now, replica.voterSets());
    return replica.isServing && this.#isFresh(stamp, now, this.#observe());
  }

  /** True if anything was asked of a core, which then has something ready. */
  run(replicas: Iterable<Replica>): boolean {
    const evaluated: Evaluated[] = [];
    let asked = false;
    this.#cut = this.#rare.take('reads-next-turn');
    if (this.#cut) return false;
    this.#stopAt = this.#now() + SLICE_MS;
    for (const replica of replicas) {
      if (replica.reads.isIdle || replica.broken !== undefined) continue;
      this.#guard(replica, () => {
        this.#deliverConfirmed(replica);
        const { reads } = replica;
        if (replica.isServing && this.#holds(replica, this.#now(), this.#observe())) {
          reads.freeLate();
          if (reads.fresh.length > 0) reads.holdFresh(replica.raft.commitIndex);
          const batches = this.#evaluate(replica);
          if (batches.length > 0) evaluated.push({ replica, term: replica.raft.term, batches });
        } else {
          reads.freeHeld();
          asked = this.#askAgain(replica) || asked;
          if (reads.fresh.length > 0) asked = this.#ask(replica) || asked;
        }
      });
    }
    if (evaluated.length > 0) asked = this.#deliver(evaluated) || asked;
    return asked;
  }

  #evaluate(replica: Replica): readonly ReadBatch[] {
    const batches = replica.reads.takeHeld(replica.applied.index);
    let count = 0;
    try {
      while (count < batches.length && !this.#isLate(count)) (batches[count++] as ReadBatch).evaluate();
    } catch (cause) {
      // The replica breaks, and with that refuses all its reads: these are among them.
      replica.reads.giveBack(batches, replica.applied.index);
      throw cause;
    }
    if (count === batches.length) return batches;
    replica.reads.giveBack(batches.slice(count), replica.applied.index);
    return batches.slice(0, count);
  }

  #isLate(done: number): boolean {
    if (done === 0) return false;
    if (this.#now() < this.#stopAt && !this.#rare.take('read-slice-of-one')) return false;
    this.#cut = true;
    return true;
  }

  #deliver(evaluated: readonly Evaluated[]): boolean {
    let asked = false;
    const barrier = this.#observe();
    const now = this.#now();
    for (const { replica, term, batches } of evaluated) {
      if (replica.isServing && replica.raft.term === term && this.#holds(replica, now, barrier)) {
        this.leaseReads += batches.length;
        for (const batch of batches) batch.deliver();
      } else {
        for (const batch of batches) replica.reads.fresh.push(batch);
        this.#guard(replica, () => {
          asked = this.#ask(replica) || asked;
        });
      }
    }
    return asked;
  }

  #holds(replica: Replica, now: number, barrier: number): boolean {
    if (!this.#tuning.leaseEnabled || this.#rare.take('lease-distrusted')) return replica.isAlone;
    const stamp = replica.lease.quorumStamp(replica.raftId, now, replica.voterSets());
    return this.#isFresh(stamp, now, barrier);
  }

  #isFresh(stamp: number, now: number, barrier: number): boolean {
    return stamp > barrier && now - stamp < this.#tuning.leaseMs;
  }

  /** What got no answer in time is asked once more, as long as there is somebody to ask. */
  #askAgain(replica: Replica): boolean {
    const { raft, reads } = replica;
    if (raft.leaderId === 0) reads.freeLate();
    if (replica.isLeader && !raft.firstCommitOfTermDone) return false;
    const late = reads.takeLate(this.#now());
    for (const context of late) raft.readIndex(context);
    return late.length > 0;
  }

  /** One round at a time: what arrives meanwhile shares the next one. */
  #ask(replica: Replica): boolean {
    const { fresh } = replica.reads;
    if (replica.raft.leaderId === 0) {
      for (const batch of fresh.splice(0)) batch.refused({ kind: 'not-leader' });
      return false;
    }
    // A leader whose own first entry is not committed yet cannot know how far its group is.
    if (replica.isLeader && !replica.raft.firstCommitOfTermDone) return false;
    if (replica.reads.isAsking) return false;
    replica.raft.readIndex(replica.reads.open(fresh.splice(0), this.#now()));
    return true;
  }

  /** Each batch is told as it is evaluated: the round was confirmed before, and nothing else is needed. */
  #deliverConfirmed(replica: Replica): void {
    const ready = replica.reads.takeReady(replica.applied.index);
    this.indexReads += ready.length;
    for (const [at, batch] of ready.entries()) {
      try {
        batch.evaluate();
      } catch (cause) {
        for (const left of ready.slice(at)) left.refused({ kind: 'not-leader' });
        throw cause;
      }
      batch.deliver();
    }
  }
}
