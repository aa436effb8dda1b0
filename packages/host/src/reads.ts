import type { ReadBatch } from './machine.ts';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

interface Evaluated {
  readonly replica: Replica;
  readonly term: number;
  readonly batches: readonly ReadBatch[];
}

/**
 * Linearizable reads of one turn. A leader whose first entry of the term is applied evaluates at once; after
 * the last value of the turn the clock is read anew, and only what still stands on a lease is told. The rest
 * takes a ReadIndex round, which all reads waiting in that group share.
 *
 * A lease is not enough: the value must also contain everything that was committed when the read came. For
 * clients of the leader alone its applied state would do, as it acknowledges what it has applied. But:
 *
 * 1. The leader's disk is slow; both followers have entry 7, so it is committed. The leader applies only what
 *    is durable at home, so it stands at 6.
 * 2. A read at a follower asks the leader for the commit index, applies 7 and shows it.
 * 3. A read that comes to the leader now, after that one, must not show 6.
 */
export class LeaseReader {
  readonly #tuning: HostTuning;
  readonly #now: () => number;
  /** Only rounds stamped after this count: the loop or a clock misbehaved then. */
  readonly #barrier: () => number;
  leaseReads = 0;
  indexReads = 0;

  constructor(tuning: HostTuning, now: () => number, barrier: () => number) {
    this.#tuning = tuning;
    this.#now = now;
    this.#barrier = barrier;
  }

  /** True if anything was asked of a core, which then has something ready. */
  run(replicas: Iterable<Replica>): boolean {
    const evaluated: Evaluated[] = [];
    let asked = false;
    for (const replica of replicas) {
      if (replica.reads.isIdle) continue;
      this.#deliverConfirmed(replica);
      const { reads } = replica;
      if (replica.isServing && this.#holds(replica, this.#now())) {
        if (reads.fresh.length > 0) reads.holdFresh(replica.raft.commitIndex);
        const batches = reads.takeHeld(replica.applied.index);
        for (const batch of batches) batch.evaluate();
        if (batches.length > 0) evaluated.push({ replica, term: replica.raft.term, batches });
      } else {
        reads.freeHeld();
        if (reads.fresh.length > 0) asked = this.#ask(replica) || asked;
      }
    }
    if (evaluated.length > 0) {
      const now = this.#now();
      for (const { replica, term, batches } of evaluated) {
        if (replica.isServing && replica.raft.term === term && this.#holds(replica, now)) {
          this.leaseReads += batches.length;
          for (const batch of batches) batch.deliver();
        } else {
          replica.reads.fresh.push(...batches);
          asked = this.#ask(replica) || asked;
        }
      }
    }
    return asked;
  }

  #holds(replica: Replica, now: number): boolean {
    if (!this.#tuning.leaseEnabled) return replica.isAlone;
    const stamp = replica.lease.quorumStamp(replica.raftId, now, replica.voterSets());
    return stamp > this.#barrier() && now - stamp < this.#tuning.leaseMs;
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

  #deliverConfirmed(replica: Replica): void {
    const ready = replica.reads.takeReady(replica.applied.index);
    this.indexReads += ready.length;
    for (const batch of ready) {
      batch.evaluate();
      batch.deliver();
    }
  }
}
