import { EMPTY_BYTES, type RaftId, type StoreId } from '@flotilla/base';
import { Lane, type LogSink, type PeerLinks } from '@flotilla/ports';
import { FrameKind } from '@flotilla/wire';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

/**
 * Gives leaderships to other stores: before a planned stop, and when the own disk is too slow to lead. Stores that
 * are about to stop say so to each other, else two of them would hand the same leadership to and fro.
 */
export class HandAway {
  readonly #tuning: HostTuning;
  readonly #links: PeerLinks;
  readonly #log: LogSink;
  readonly #transfer: (replica: Replica, to: RaftId) => void;
  /** Stores that said, over the connection of now, that they drain. */
  readonly #draining = new Set<StoreId>();
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

  /** Called as the frame comes, not in the turn: the mark must not outlive the connection that it speaks of. */
  noteDraining(storeId: StoreId): void {
    this.#draining.add(storeId);
  }

  /** Whoever comes back is a new life of that store. */
  dropped(storeId: StoreId): void {
    this.#draining.delete(storeId);
  }

  /** A frame may get lost, and a transfer fail: to be repeated. True once nobody could take what is led here. */
  drain(replicas: Iterable<Replica>, peers: Iterable<StoreId>): boolean {
    for (const peer of peers)
      this.#links.send(peer, Lane.consensus, FrameKind.draining, EMPTY_BYTES, 'normal');
    return this.#all(replicas) === 0;
  }

  /** How many leaderships another store could take. */
  #all(replicas: Iterable<Replica>): number {
    let count = 0;
    for (const replica of replicas) {
      if (!replica.isLeader) continue;
      const target = this.#bestFollower(replica);
      if (target === undefined) continue;
      count++;
      // One transfer at a time: another target would end the first.
      if (replica.raft.transferee === 0) this.#transfer(replica, target);
    }
    return count;
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
    this.#all(replicas);
  }

  /** The voter that is furthest, of those that are connected and stay. */
  #bestFollower(replica: Replica): RaftId | undefined {
    let best: RaftId | undefined;
    let bestMatch = -1;
    for (const [id, progress] of replica.raft.status().progress) {
      const store = replica.storeOf(id);
      const isVoter = replica.confState.voters.includes(id);
      if (id === replica.raftId || !isVoter || store === undefined) continue;
      if (!this.#links.isUp(store) || this.#draining.has(store)) continue;
      if (progress.match > bestMatch) {
        best = id;
        bestMatch = progress.match;
      }
    }
    return best;
  }
}
