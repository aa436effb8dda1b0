import type { RaftId } from '@flotilla/base';
import type { LogSink, PeerLinks } from '@flotilla/ports';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

/** Gives leaderships to other stores: before a planned stop, and when the own disk is too slow to lead. */
export class HandAway {
  readonly #tuning: HostTuning;
  readonly #links: PeerLinks;
  readonly #log: LogSink;
  readonly #transfer: (replica: Replica, to: RaftId) => void;
  #isSlow = false;

  constructor(options: {
    readonly tuning: HostTuning;
    readonly links: PeerLinks;
    readonly log: LogSink;
    readonly transfer: (replica: Replica, to: RaftId) => void;
  }) {
    this.#tuning = options.tuning;
    this.#links = options.links;
    this.#log = options.log;
    this.#transfer = options.transfer;
  }

  all(replicas: Iterable<Replica>): void {
    for (const replica of replicas) {
      // One transfer at a time: another target would end the first.
      if (!replica.isLeader || replica.raft.transferee !== 0) continue;
      const target = this.#bestFollower(replica);
      if (target !== undefined) this.#transfer(replica, target);
    }
  }

  /** `pendingMs`: how long the log commit under way takes so far. Once per slow commit. */
  watch(pendingMs: number, replicas: Iterable<Replica>): void {
    if (pendingMs <= this.#tuning.commitSlowMs) {
      this.#isSlow = false;
      return;
    }
    if (this.#isSlow) return;
    this.#isSlow = true;
    this.#log.log('warn', 'slow-disk', { pendingMs: Math.round(pendingMs) });
    this.all(replicas);
  }

  /** The connected voter that is furthest. */
  #bestFollower(replica: Replica): RaftId | undefined {
    let best: RaftId | undefined;
    let bestMatch = -1;
    for (const [id, progress] of replica.raft.status().progress) {
      const store = replica.storeOf(id);
      const isVoter = replica.confState.voters.includes(id);
      if (id === replica.raftId || !isVoter || store === undefined || !this.#links.isUp(store)) continue;
      if (progress.match > bestMatch) {
        best = id;
        bestMatch = progress.match;
      }
    }
    return best;
  }
}
