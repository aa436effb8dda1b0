import {
  APPEND_THREAD,
  APPLY_THREAD,
  CorruptionError,
  DecodeError,
  type GroupName,
  type Message,
  MessageKind,
  type RaftId,
  type StoreId,
} from '@flotilla/base';
import type { Lane, PeerHandler, PeerIdentity, TimerId } from '@flotilla/ports';
import { RaftStateError } from '@flotilla/raft';
import { FrameKind, type ReplicaPlace } from '@flotilla/wire';
import { refusalOf } from './admission.ts';
import { makeLogWrite } from './appends.ts';
import { Applier } from './applier.ts';
import { Arrivals } from './arrivals.ts';
import { type AppendWork, Committer } from './committer.ts';
import { Failover } from './failover.ts';
import type { HostOptions, HostPorts } from './host-ports.ts';
import { Inbox } from './inbox.ts';
import { Rounds } from './lease.ts';
import type { Proposal, ReadBatch } from './machine.ts';
import { Outbox } from './outbox.ts';
import { LeaseReader } from './reads.ts';
import type { Replica } from './replica.ts';
import { ReplicaShelf } from './shelf.ts';
import { releaseGeneration, SnapshotReceiver } from './snapshot-receiver.ts';
import { SnapshotSender } from './snapshot-sender.ts';
import { StallGuard } from './stall-guard.ts';
import { checkTuning, type HostTuning, hostTuning } from './tuning.ts';

/** How often one turn may go round before the event loop gets its turn again. */
const PASSES_MAX = 8;

/**
 * Drives all replicas of one store in one loop. A turn: the inbox goes into the cores; what may leave at
 * once leaves; ONE log commit takes the writes of all groups; what was committed is applied in slices; reads
 * are answered. Votes and acknowledgements leave when their commit is durable, in the turn that this starts.
 */
export class Host {
  readonly #ports: HostPorts;
  readonly #options: HostOptions;
  readonly #tuning: HostTuning;
  readonly #rounds = new Rounds();
  readonly #outbox: Outbox;
  readonly #committer: Committer;
  readonly #failover: Failover;
  readonly #reader: LeaseReader;
  readonly #arrivals: Arrivals;
  readonly #applier: Applier;
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;
  readonly #shelf: ReplicaShelf;
  readonly #inbox: Inbox;
  readonly #stalls: StallGuard;
  readonly #peers = new Map<StoreId, PeerIdentity>();
  readonly #dirty = new Set<Replica>();
  readonly #withReads = new Set<Replica>();
  #turnPlanned = false;
  #inTurn = false;
  #stopped = false;
  #ticker: TimerId | undefined;
  #handedAway = false;

  constructor(ports: HostPorts, options: HostOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#tuning = { ...hostTuning, ...options.tuning };
    checkTuning(this.#tuning);
    const tuning = this.#tuning;
    const now = (): number => ports.clock.monoMs();
    this.#stalls = new StallGuard(ports.clock, tuning);
    this.#inbox = new Inbox(tuning.inboxBytesMax);
    this.#outbox = new Outbox(ports.links, this.#rounds, now);
    this.#shelf = new ReplicaShelf(ports, options, tuning);
    this.#committer = new Committer({
      logStore: ports.logStore,
      tuning,
      now,
      durable: (work) => this.#durable(work),
      failed: (cause) => this.#fatal('a log commit failed', cause),
    });
    this.#failover = new Failover({
      timers: ports.timers,
      random: ports.random,
      tuning,
      now,
      campaigns: (replica) => this.#touch(replica),
    });
    this.#reader = new LeaseReader(tuning, now, () => this.#stalls.barrier);
    this.#arrivals = new Arrivals({
      clock: ports.clock,
      links: ports.links,
      shelf: this.#shelf,
      failover: this.#failover,
      tuning,
      rounds: this.#rounds,
      incarnationOf: (storeId) => this.#peers.get(storeId)?.incarnation,
      stepCore: (replica, message) => this.#stepCore(replica, message),
    });
    this.#applier = new Applier({
      logStore: ports.logStore,
      stateStore: ports.stateStore,
      tuning,
      committer: this.#committer,
      guard: (replica, work) => this.#guard(replica, work),
      applied: (replica) => this.#dirty.add(replica),
      onApplied: options.onApplied,
      resume: () => this.#wake(),
      failed: (cause) => this.#fatal('a commit of the state failed', cause),
    });
    const snapshots = {
      links: ports.links,
      stateStore: ports.stateStore,
      hasher: ports.hasher,
      tuning,
      log: ports.log,
    };
    this.#sender = new SnapshotSender({ ...snapshots, reported: (replica) => this.#touch(replica) });
    this.#receiver = new SnapshotReceiver({
      ...snapshots,
      find: (offer, storeId) => {
        const replica = this.#arrivals.hearing(offer.group, offer.from, storeId);
        return replica?.raftId === offer.to ? replica : undefined;
      },
      hasRoom: () => ports.disk.freeBytes() > tuning.diskLowBytes,
      complete: (replica, message) => this.#offerStaged(replica, message),
      failed: (cause) => this.#fatal('a commit of the state failed', cause),
    });
  }

  /** Opens every replica that the log knows and begins to work. */
  start(): void {
    const { clock, links } = this.#ports;
    const handler: PeerHandler = {
      onUp: (peer) => {
        this.#peers.set(peer.storeId, peer);
        this.#options.onPeer?.(peer.storeId, true);
      },
      onDown: (storeId) => this.#peerDown(storeId),
      onFrame: (storeId, lane, kind, body) => this.#onFrame(storeId, lane, kind, body),
    };
    links.bind(handler);
    const holdBackUntil = clock.monoMs() + this.#tuning.promiseMs;
    for (const replica of this.#shelf.openAll(holdBackUntil)) {
      this.#failover.started(replica, replica.isAlone ? clock.monoMs() : holdBackUntil);
    }
    this.#armTick();
  }

  /** Does nothing any more; what is durable stays. */
  stop(): void {
    this.#stopped = true;
    if (this.#ticker !== undefined) this.#ports.timers.clear(this.#ticker);
    this.#failover.stop();
  }

  replicas(): Iterable<Replica> {
    return this.#shelf.all();
  }

  replica(gid: number): Replica | undefined {
    return this.#shelf.get(gid);
  }

  peer(storeId: StoreId): PeerIdentity | undefined {
    return this.#peers.get(storeId);
  }

  connectedPeers(): Iterable<PeerIdentity> {
    return this.#peers.values();
  }

  get leaseReads(): number {
    return this.#reader.leaseReads;
  }

  get indexReads(): number {
    return this.#reader.indexReads;
  }

  /**
   * Creates a replica that a config assigns to this store's incarnation. `done` gets undefined, or why there
   * will never be one: it existed before.
   */
  create(
    group: GroupName,
    raftId: RaftId,
    members: readonly ReplicaPlace[],
    done: (refused: string | undefined) => void,
  ): void {
    this.#shelf.create(group, raftId, members, (replica, refused) => {
      if (this.#stopped) return;
      if (replica !== undefined) {
        this.#failover.started(replica, this.#ports.clock.monoMs());
        this.#touch(replica);
      }
      done(refused);
    });
  }

  /** Takes the proposal into this turn's batch, or refuses it at once. */
  propose(replica: Replica, proposal: Proposal): void {
    const refusal = refusalOf(replica, proposal.data.length, {
      disk: this.#ports.disk,
      budgetBytes: this.#shelf.budget.bytes,
      tuning: this.#tuning,
    });
    if (refusal !== undefined) {
      proposal.refused(refusal);
      return;
    }
    replica.waiting.push(proposal);
    replica.waitingBytes += proposal.data.length;
    this.#touch(replica);
  }

  /** Linearizable on the leader, or at any replica through the leader's read index. */
  read(replica: Replica, batch: ReadBatch): void {
    if (replica.broken !== undefined) {
      batch.refused({ kind: 'not-leader' });
      return;
    }
    replica.reads.fresh.push(batch);
    this.#withReads.add(replica);
    this.#wake();
  }

  transferLeader(replica: Replica, to: RaftId): void {
    replica.raft.transferLeader(to);
    this.#touch(replica);
  }

  /** Hands every leadership to the follower that is furthest. */
  handAwayAll(): void {
    for (const replica of this.#shelf.all()) {
      if (!replica.isLeader || replica.broken !== undefined) continue;
      const target = this.#bestFollower(replica);
      if (target !== undefined) this.transferLeader(replica, target);
    }
  }

  #bestFollower(replica: Replica): RaftId | undefined {
    let best: RaftId | undefined;
    let bestMatch = -1;
    for (const [id, progress] of replica.raft.status().progress) {
      const store = replica.storeOf(id);
      const isVoter = replica.confState.voters.includes(id);
      if (id === replica.raftId || !isVoter || store === undefined || !this.#ports.links.isUp(store))
        continue;
      if (progress.match > bestMatch) {
        best = id;
        bestMatch = progress.match;
      }
    }
    return best;
  }

  // Inbox

  #onFrame(storeId: StoreId, lane: Lane, kind: number, body: Uint8Array): void {
    if (this.#stopped) return;
    if (this.#inbox.push({ storeId, lane, kind, body })) this.#wake();
  }

  #drainInbox(): void {
    for (let frame = this.#inbox.shift(); frame !== undefined; frame = this.#inbox.shift()) {
      try {
        this.#handle(frame.storeId, frame.lane, frame.kind, frame.body);
      } catch (cause) {
        if (!(cause instanceof DecodeError)) throw cause;
        this.#ports.log.log('warn', 'frame-refused', {
          from: frame.storeId,
          kind: frame.kind,
          why: cause.message,
        });
      }
    }
  }

  #handle(storeId: StoreId, lane: Lane, kind: number, body: Uint8Array): void {
    switch (kind) {
      case FrameKind.raft:
        this.#arrivals.onRaft(storeId, body);
        return;
      case FrameKind.beat:
        this.#arrivals.onBeats(storeId, body);
        return;
      case FrameKind.beatAck:
        this.#arrivals.onBeatAcks(storeId, body);
        return;
      case FrameKind.voteRefusal:
        this.#arrivals.onVoteRefusal(storeId, body);
        return;
      case FrameKind.snapshotOffer:
        this.#receiver.onOffer(storeId, body);
        return;
      case FrameKind.snapshotChunk:
        this.#receiver.onChunk(storeId, body);
        return;
      case FrameKind.snapshotAck:
        this.#sender.onAck(storeId, body);
        return;
      default:
        this.#options.onFrame?.(storeId, lane, kind, body);
    }
  }

  /** What happens inside a core may meet damaged data of that replica: never more than that replica ends. */
  #stepCore(replica: Replica, message: Message): void {
    this.#guard(replica, () => {
      replica.raft.step(message);
    });
    this.#touch(replica);
  }

  /** The core decides at once whether it takes a staged snapshot; one that came too late is dropped. */
  #offerStaged(replica: Replica, message: Message): void {
    this.#arrivals.step(replica, message);
    this.#collect();
    if (replica.installing || replica.staged === undefined) return;
    releaseGeneration(this.#ports.stateStore, replica, replica.staged.generation);
    replica.staged = undefined;
  }

  #peerDown(storeId: StoreId): void {
    this.#peers.delete(storeId);
    this.#outbox.drop(storeId);
    this.#sender.dropped(storeId);
    this.#receiver.dropped(storeId);
    this.#failover.dropped(storeId, this.#shelf.all());
    for (const replica of this.#shelf.all()) {
      const raftId = replica.raftIdOn(storeId);
      if (!replica.isLeader || raftId === undefined || replica.broken !== undefined) continue;
      replica.raft.reportUnreachable(raftId);
      this.#touch(replica);
    }
    this.#options.onPeer?.(storeId, false);
  }

  // The loop

  #touch(replica: Replica): void {
    this.#dirty.add(replica);
    this.#wake();
  }

  #wake(): void {
    if (this.#turnPlanned || this.#inTurn || this.#stopped) return;
    this.#turnPlanned = true;
    this.#ports.timers.soon(() => {
      this.#turnPlanned = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#stopped || this.#inTurn) return;
    this.#inTurn = true;
    this.#stalls.observe();
    this.#drainInbox();
    for (let pass = 0; pass < PASSES_MAX && this.#dirty.size > 0; pass++) {
      this.#collect();
      // Followers get the entries before our own disk does: their writes run beside ours.
      this.#outbox.flush();
      this.#committer.start();
      this.#applier.run();
    }
    this.#committer.start();
    if (this.#withReads.size > 0) this.#answerReads();
    this.#outbox.flush();
    this.#options.onTurnEnd?.();
    this.#inTurn = false;
    if (this.#dirty.size > 0 || this.#applier.hasWork || this.#inbox.length > 0) {
      this.#wake();
    }
  }

  #collect(): void {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const replica of dirty) {
      if (replica.broken !== undefined) continue;
      this.#guard(replica, () => {
        this.#watchLeadership(replica);
        if (replica.isServing) replica.proposeWaiting();
        else if (!replica.isLeader) replica.refuseWaiting();
        while (replica.raft.hasReady()) {
          const ready = replica.raft.ready();
          for (const read of ready.readStates) replica.reads.confirm(read.context, read.index);
          for (const message of ready.messages) this.#route(replica, message);
          this.#watchLeadership(replica);
        }
      });
    }
  }

  #route(replica: Replica, message: Message): void {
    if (message.to === APPEND_THREAD) {
      this.#append(replica, message);
      return;
    }
    if (message.to === APPLY_THREAD) {
      replica.applyQueue.push(message);
      this.#applier.add(replica);
      return;
    }
    if (message.to === replica.raftId) {
      replica.raft.step(message);
      return;
    }
    this.#send(replica, message);
  }

  #send(replica: Replica, message: Message): void {
    const store = replica.storeOf(message.to);
    if (store === undefined) return;
    switch (message.kind) {
      case MessageKind.heartbeat:
        this.#outbox.addBeat(store, {
          group: replica.group,
          from: message.from,
          to: message.to,
          term: message.term,
          commit: message.commit,
          leaderCommit: replica.raft.commitIndex,
          context: message.context,
        });
        return;
      case MessageKind.heartbeatResp: {
        const { echo } = replica;
        const isSame = echo.to === message.to && echo.term === message.term;
        this.#outbox.addAck(store, {
          group: replica.group,
          from: message.from,
          to: message.to,
          term: message.term,
          round: isSame ? echo.round : 0,
          context: message.context,
        });
        return;
      }
      case MessageKind.snap:
        this.#sender.start(replica, message, store);
        return;
      case MessageKind.timeoutNow:
        replica.lease.forfeit();
        break;
      default:
    }
    this.#outbox.add(store, replica.group, message);
  }

  /** Leadership came or went: what rested on it ends, before anything else of the turn. */
  #watchLeadership(replica: Replica): void {
    const { raft } = replica;
    const leads = replica.isLeader;
    if (replica.wasLeader && (!leads || replica.ledTerm !== raft.term)) {
      replica.wasLeader = false;
      replica.losePending();
      if (!leads) replica.refuseWaiting();
      this.#sender.forget(replica);
      this.#options.onLeadership?.(replica, false);
    }
    if (leads && !replica.wasLeader) {
      replica.wasLeader = true;
      replica.ledTerm = raft.term;
      replica.lease.begin(raft.term);
      this.#ports.log.log('info', 'leader-elected', { group: replica.name, term: raft.term });
      this.#options.onLeadership?.(replica, true);
    }
  }

  // Durability

  #append(replica: Replica, message: Message): void {
    // Everything committed before a snapshot belongs to the old state, which is complete up to here.
    if (message.snapshot !== undefined) this.#applier.finish(replica);
    const write = makeLogWrite(replica, message, this.#ports.logStore);
    if (write === undefined && message.responses.length === 0) return;
    this.#committer.add({ replica, write, responses: message.responses });
  }

  #durable(work: readonly AppendWork[]): void {
    if (this.#stopped) return;
    for (const { replica, write, responses } of work) {
      if (replica.broken !== undefined) continue;
      this.#guard(replica, () => {
        if (write?.replica !== undefined && replica.staged !== undefined) this.#install(replica);
        for (const response of responses) {
          if (response.to === replica.raftId) replica.raft.step(response);
          else this.#send(replica, response);
        }
      });
      this.#dirty.add(replica);
    }
    if (this.#inTurn) return;
    this.#turn();
  }

  #install(replica: Replica): void {
    this.#shelf.install(replica);
    this.#receiver.forget(replica);
    this.#sender.forget(replica);
    this.#ports.log.log('info', 'snapshot-installed', { group: replica.name, index: replica.applied.index });
  }

  // Reads

  #answerReads(): void {
    const replicas = [...this.#withReads];
    const asked = this.#reader.run(replicas);
    for (const replica of replicas) if (replica.reads.isIdle) this.#withReads.delete(replica);
    if (!asked) return;
    for (const replica of replicas) this.#dirty.add(replica);
    this.#collect();
  }

  // Ticks

  #armTick(): void {
    this.#ticker = this.#ports.timers.set(this.#tuning.heartbeatMs, () => {
      if (this.#stopped) return;
      this.#armTick();
      this.#tick();
    });
  }

  #tick(): void {
    const now = this.#ports.clock.monoMs();
    this.#stalls.ticked();
    for (const replica of this.#shelf.all()) {
      if (replica.broken !== undefined) continue;
      // A promise also binds its giver: no campaign of its own meanwhile.
      if (replica.isLeader || replica.isAlone || !replica.promise.holds(now)) {
        replica.raft.tick();
        this.#dirty.add(replica);
      }
      if (!replica.reads.isIdle) {
        replica.reads.dropExpired(now);
        replica.reads.retry(now - this.#tuning.readRetryMs);
        this.#withReads.add(replica);
      }
    }
    this.#sender.tick();
    this.#watchCommit(now);
    this.#turn();
  }

  #watchCommit(now: number): void {
    const pending = this.#committer.pendingMs(now);
    if (pending > this.#tuning.commitStuckMs) {
      this.#fatal(`a log commit has been pending for ${Math.round(pending)} ms`, undefined);
    } else if (pending > this.#tuning.commitSlowMs && !this.#handedAway) {
      this.#handedAway = true;
      this.#ports.log.log('warn', 'slow-disk', { pendingMs: Math.round(pending) });
      this.handAwayAll();
    } else if (pending < this.#tuning.commitSlowMs) {
      this.#handedAway = false;
    }
  }

  // Faults

  /** A replica whose own data cannot be trusted goes silent; the others of the store go on. */
  #guard(replica: Replica, work: () => void): void {
    try {
      work();
    } catch (cause) {
      const isOwnData = cause instanceof CorruptionError || cause instanceof RaftStateError;
      if (!isOwnData && !this.#options.isReplicaFault?.(cause)) throw cause;
      this.#shelf.quarantine(replica, cause as Error);
      replica.losePending();
      replica.refuseWaiting();
      replica.reads.refuseAll({ kind: 'not-leader' });
      this.#applier.drop(replica);
    }
  }

  #fatal(what: string, cause: Error | undefined): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onFatal(cause === undefined ? what : `${what}: ${cause.message}`, 70);
  }
}
