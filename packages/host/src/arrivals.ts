import {
  equalBytes,
  type GroupName,
  type Message,
  MessageKind,
  type RaftId,
  Reader,
  type StoreId,
  Writer,
} from '@flotilla/base';
import { type Clock, Lane, neverRare, type PeerLinks, type RareBranches } from '@flotilla/ports';
import { CAMPAIGN_TRANSFER } from '@flotilla/raft';
import { FrameKind, readRaftMessage, readVoteRefusal, writeVoteRefusal } from '@flotilla/wire';
import { BeatHandler } from './beats.ts';
import type { Failover } from './failover.ts';
import type { Rounds } from './lease.ts';
import type { Replica } from './replica.ts';
import type { ReplicaShelf } from './shelf.ts';
import type { HostTuning } from './tuning.ts';

/**
 * Messages of other stores on their way into the cores. Whoever sends must be who the group's members say,
 * in the incarnation that they say; and a promise given to a leader stands before anybody else's wish.
 */
export class Arrivals {
  readonly #clock: Clock;
  readonly #links: PeerLinks;
  readonly #shelf: ReplicaShelf;
  readonly #failover: Failover;
  readonly #tuning: HostTuning;
  readonly #incarnationOf: (storeId: StoreId) => string | undefined;
  readonly #stepCore: (replica: Replica, message: Message) => void;
  readonly #rare: RareBranches;
  readonly #beats: BeatHandler;

  constructor(options: {
    readonly clock: Clock;
    readonly links: PeerLinks;
    readonly shelf: ReplicaShelf;
    readonly failover: Failover;
    readonly tuning: HostTuning;
    readonly rounds: Rounds;
    /** Of a store that is connected now. */
    readonly incarnationOf: (storeId: StoreId) => string | undefined;
    readonly stepCore: (replica: Replica, message: Message) => void;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#clock = options.clock;
    this.#links = options.links;
    this.#shelf = options.shelf;
    this.#failover = options.failover;
    this.#tuning = options.tuning;
    this.#incarnationOf = options.incarnationOf;
    this.#stepCore = options.stepCore;
    this.#rare = options.rare ?? neverRare;
    this.#beats = new BeatHandler({
      find: (group, from, storeId) => this.hearing(group, from, storeId),
      step: (replica, message) => this.step(replica, message),
      rounds: options.rounds,
      now: () => this.#clock.monoMs(),
    });
  }

  onRaft(storeId: StoreId, body: Uint8Array): void {
    const from = new Reader(body);
    while (from.remaining > 0) {
      const { group, message } = readRaftMessage(from);
      this.#receive(storeId, group, message);
    }
  }

  onBeats(storeId: StoreId, body: Uint8Array): void {
    this.#beats.onBeats(storeId, body);
  }

  onBeatAcks(storeId: StoreId, body: Uint8Array): void {
    this.#beats.onAcks(storeId, body);
  }

  onVoteRefusal(storeId: StoreId, body: Uint8Array): void {
    const refusal = readVoteRefusal(body);
    const replica = this.#shelf.find(refusal.group);
    const isVoter = replica?.raftIdOn(storeId) !== undefined;
    if (isVoter && replica.raftId === refusal.to) this.#failover.refused(replica, refusal.remainingMs);
  }

  /** The replica of the group, if that sender is who the group's members say it is. */
  hearing(group: GroupName, from: RaftId, storeId: StoreId): Replica | undefined {
    const replica = this.#shelf.find(group);
    if (replica === undefined || replica.broken !== undefined) return undefined;
    const place = replica.placeOf(from);
    const isSender = place?.storeId === storeId && place.storeIncarnation === this.#incarnationOf(storeId);
    return isSender ? replica : undefined;
  }

  /** Into the core; then, if the leader of the core's own term spoke, the promise, before anything else. */
  step(replica: Replica, message: Message): void {
    this.#stepCore(replica, message);
    if (replica.broken !== undefined || !replica.isFromLeader(message)) return;
    replica.promise.give(message.from, this.#clock.monoMs() + this.#tuning.promiseMs);
    this.#failover.heard(replica);
  }

  #receive(storeId: StoreId, group: GroupName, message: Message): void {
    const replica = this.hearing(group, message.from, storeId);
    if (replica === undefined || message.to !== replica.raftId || this.#isUnheard(message)) return;
    switch (message.kind) {
      case MessageKind.vote:
        if (this.#isPromised(replica, message, storeId)) return;
        this.step(replica, message);
        if (replica.raft.term === message.term && replica.raft.vote === message.from) {
          this.#failover.voted(replica);
        }
        return;
      case MessageKind.preVote: {
        if (this.#isPromised(replica, message, storeId)) return;
        const grants = wouldGrantPreVote(replica, message);
        this.step(replica, message);
        if (grants) this.#failover.preVoted(replica, message.from);
        return;
      }
      case MessageKind.preVoteResp:
        if (!message.reject && this.#failover.yields(replica)) return;
        break;
      case MessageKind.timeoutNow:
        // It counts in exactly the term in which it was sent: later it would break somebody else's promise.
        if (message.term !== replica.raft.term) return;
        break;
      case MessageKind.snap:
      case MessageKind.heartbeat:
      case MessageKind.heartbeatResp:
        // These come as streams and in beats only.
        return;
      case MessageKind.prop:
      case MessageKind.transferLeader:
        // Nobody passes these on here: an entry that no leader has stamped would stop every replica.
        return;
      default:
    }
    this.step(replica, message);
  }

  #isUnheard({ kind }: Message): boolean {
    if (kind === MessageKind.timeoutNow) return this.#rare.take('timeout-now-unheard');
    const asksForVote = kind === MessageKind.vote || kind === MessageKind.preVote;
    return asksForVote && this.#rare.take('vote-request-unheard');
  }

  /** Refuses a candidate while a promise holds, and says how long; the own term stays as it is. */
  #isPromised(replica: Replica, message: Message, storeId: StoreId): boolean {
    // The one campaign that a leader asked for by TimeoutNow passes: that leader has given up its lease.
    if (equalBytes(message.context, CAMPAIGN_TRANSFER)) return false;
    const remainingMs = replica.promise.remaining(message.from, this.#clock.monoMs());
    if (remainingMs === 0) return false;
    const out = new Writer(32);
    writeVoteRefusal(out, { group: replica.group, to: message.from, remainingMs });
    this.#links.send(storeId, Lane.consensus, FrameKind.voteRefusal, out.take(), 'urgent');
    return true;
  }
}

/** As the core decides it; asked before, because its answer goes straight to the candidate. */
function wouldGrantPreVote({ raft }: Replica, { term, index, logTerm }: Message): boolean {
  if (raft.leaderId !== 0 || term <= raft.term) return false;
  return logTerm > raft.lastTerm || (logTerm === raft.lastTerm && index >= raft.lastIndex);
}
