import {
  APPEND_THREAD,
  APPLY_THREAD,
  type GroupName,
  type Message,
  type RaftId,
  type StoreId,
} from '@flotilla/base';
import type { PeerHandler, PeerIdentity, TimerId } from '@flotilla/ports';
import { RaftStateError } from '@flotilla/raft';
import { FrameKind, type ReplicaPlace } from '@flotilla/wire';
import { refusalOf } from './admission.ts';
import { makeLogWrite } from './appends.ts';
import type { AppendWork } from './committer.ts';
import { isReplicaFault } from './faults.ts';
import { HostParts } from './host-parts.ts';
import type { HostOptions, HostPorts } from './host-ports.ts';
import type { Proposal, ReadBatch } from './machine.ts';
import type { Replica } from './replica.ts';
import type { UnopenedReplica } from './shelf.ts';
import { releaseGeneration } from './snapshot-receiver.ts';
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
  readonly #parts: HostParts;
  readonly #peers = new Map<StoreId, PeerIdentity>();
  readonly #dirty = new Set<Replica>();
  #turnPlanned = false;
  #inTurn = false;
  #stopped = false;
  #ticker: TimerId | undefined;
  /** Something asked for a turn while one was under way. */
  #againDue = false;

  constructor(ports: HostPorts, options: HostOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#tuning = { ...hostTuning, ...options.tuning };
    checkTuning(this.#tuning);
    this.#parts = new HostParts(ports, options, this.#tuning, {
      act: (replica, work) => this.#act(replica, work),
      guard: (replica, work) => this.#guard(replica, work),
      touch: (replica) => this.#touch(replica),
      wake: () => this.#wake(),
      stepCore: (replica, message) => this.#stepCore(replica, message),
      offerStaged: (replica, message) => this.#offerStaged(replica, message),
      durable: (work) => this.#durable(work),
      fatal: (what, cause) => this.#fatal(what, cause),
      transfer: (replica, to) => this.transferLeader(replica, to),
      incarnationOf: (storeId) => this.#peers.get(storeId)?.incarnation,
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
      onBulkDown: (storeId) => this.#bulkDown(storeId),
      onFrame: (storeId, lane, kind, body) => {
        if (this.#stopped) return;
        if (kind === FrameKind.draining) this.#parts.handAway.noteDraining(storeId);
        else if (this.#parts.mail.take({ storeId, lane, kind, body })) this.#wake();
      },
    };
    links.bind(handler);
    const holdBackUntil = clock.monoMs() + this.#parts.holdBackMs();
    for (const replica of this.#parts.shelf.openAll(holdBackUntil)) {
      this.#parts.failover.started(replica, replica.isAlone ? clock.monoMs() : holdBackUntil);
    }
    this.#armTick();
  }

  /** Does nothing any more; what is durable stays. */
  stop(): void {
    this.#stopped = true;
    if (this.#ticker !== undefined) this.#ports.timers.clear(this.#ticker);
    this.#parts.committer.stop();
    this.#parts.failover.stop();
    this.#parts.applier.stop();
    this.#parts.receiver.stop();
    this.#parts.shelf.stop();
  }

  replicas(): Iterable<Replica> {
    return this.#parts.shelf.all();
  }

  replica(gid: number): Replica | undefined {
    return this.#parts.shelf.get(gid);
  }

  /** Replicas that the log knows and that could not be opened. */
  unopened(): Iterable<UnopenedReplica> {
    return this.#parts.shelf.unopened();
  }

  peer(storeId: StoreId): PeerIdentity | undefined {
    return this.#peers.get(storeId);
  }

  connectedPeers(): Iterable<PeerIdentity> {
    return this.#peers.values();
  }

  get leaseReads(): number {
    return this.#parts.reads.reader.leaseReads;
  }

  get indexReads(): number {
    return this.#parts.reads.reader.indexReads;
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
    if (this.#stopped) return;
    this.#parts.shelf.create(group, raftId, members, (replica, refused) => {
      if (this.#stopped) return;
      if (replica !== undefined) {
        this.#parts.failover.founded(replica);
        this.#touch(replica);
      }
      done(refused);
    });
  }

  /**
   * Ends the replica of a group that is dismantled, for good: it takes part in nothing from now on, and its log
   * and state go. `done` comes when no restart can bring it back, or with the reason why it must be asked again.
   */
  destroy(group: GroupName, done: (refused: string | undefined) => void): void {
    if (this.#stopped) return;
    const replica = this.#parts.shelf.find(group);
    this.#parts.shelf.bury(group, (refused) => {
      if (!this.#stopped) done(refused);
    });
    if (replica !== undefined) this.#silence(replica);
  }

  /** Takes the proposal into this turn's batch, or refuses it at once. */
  propose(replica: Replica, proposal: Proposal): void {
    const refusal = refusalOf(replica, proposal, {
      disk: this.#ports.disk,
      budgetBytes: this.#parts.shelf.budget.bytes,
      tuning: this.#tuning,
      rare: this.#parts.rare,
    });
    if (refusal !== undefined) {
      proposal.refused(refusal);
      return;
    }
    replica.enqueue(proposal);
    this.#touch(replica);
  }

  /** Linearizable on the leader, or at any replica through the leader's read index. */
  read(replica: Replica, batch: ReadBatch): void {
    if (this.#parts.reads.add(replica, batch)) this.#wake();
  }

  /** Evaluates and delivers at once, on whatever state is applied here. */
  readNow(replica: Replica, batch: ReadBatch): void {
    this.attempt(replica, () => {
      batch.evaluate();
      batch.deliver();
    });
    if (replica.broken !== undefined) batch.refused({ kind: 'not-leader' });
  }

  /** Runs work on the state of a replica: if that state proves damaged, this replica stops and nothing else. */
  attempt(replica: Replica, work: () => void): void {
    if (replica.broken === undefined) this.#guard(replica, work);
  }

  transferLeader(replica: Replica, to: RaftId): void {
    this.#act(replica, () => replica.raft.transferLeader(to));
  }

  /**
   * Before a planned stop: tells all other stores to hand nothing to this one, and hands every leadership to the
   * follower that is furthest. To be repeated until true: then nothing is led here that another could take.
   */
  drain(): boolean {
    return this.#parts.handAway.drain(this.#parts.shelf.all(), this.#peers.keys());
  }

  /** True while this replica serves as leader and a quorum has just confirmed that: what it begins goes through soon. */
  isSureToLead(replica: Replica): boolean {
    return this.#parts.reads.reader.isSureToLead(replica);
  }

  // Inbox

  /** What happens inside a core may meet damaged data of that replica: never more than that replica ends. */
  #stepCore(replica: Replica, message: Message): void {
    this.#guard(replica, () => {
      if (replica.raft.step(message) !== 'inconsistent') return;
      const { kind, from, term } = message;
      throw new RaftStateError(
        `a message of kind ${kind} from replica ${from} in term ${term} contradicts what this one has durable`,
        { kind, from, term },
      );
    });
    this.#touch(replica);
  }

  /** The core decides at once whether it takes a staged snapshot; one that came too late is dropped. */
  #offerStaged(replica: Replica, message: Message): void {
    this.#parts.arrivals.step(replica, message);
    this.#collect();
    if (replica.installing || replica.staged === undefined) return;
    releaseGeneration(this.#ports.stateStore, replica, replica.staged.generation);
    replica.staged = undefined;
  }

  #peerDown(storeId: StoreId): void {
    if (this.#stopped) return;
    this.#peers.delete(storeId);
    this.#parts.handAway.dropped(storeId);
    this.#parts.outbox.drop(storeId);
    this.#bulkDown(storeId);
    this.#parts.failover.dropped(storeId, this.#parts.shelf.all());
    for (const replica of this.#parts.shelf.all()) {
      const raftId = replica.raftIdOn(storeId);
      if (!replica.isLeader || raftId === undefined || replica.broken !== undefined) continue;
      replica.raft.reportUnreachable(raftId);
      this.#touch(replica);
    }
    this.#options.onPeer?.(storeId, false);
  }

  /**
   * Snapshots travel on a lane of their own, which may break alone: an offer that was handed to a half-open
   * one is lost, while votes and appends never noticed. Nobody would begin anew before the silence is long.
   */
  #bulkDown(storeId: StoreId): void {
    if (this.#stopped) return;
    this.#parts.sender.dropped(storeId);
    this.#parts.receiver.dropped(storeId);
  }

  // The loop

  #touch(replica: Replica): void {
    this.#dirty.add(replica);
    this.#wake();
  }

  /** Runs work on the core of a replica, from outside of a turn. */
  #act(replica: Replica, work: () => void): void {
    if (replica.broken !== undefined) return;
    this.#guard(replica, work);
    this.#touch(replica);
  }

  #wake(): void {
    this.#againDue = true;
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
    this.#againDue = false;
    this.#parts.stalls.observe();
    this.#parts.mail.open();
    this.#work();
    if (!this.#stopped) this.#answerReads();
    // After a fatal fault nothing leaves any more: neither frames nor replies.
    if (!this.#stopped) this.#parts.outbox.flush();
    if (!this.#stopped) this.#options.onTurnEnd?.();
    this.#inTurn = false;
    if (this.#againDue || this.#hasWork || this.#parts.wantsAnotherTurn()) this.#wake();
  }

  /** A core has something ready, or a slice could be applied that no core hands out again. */
  get #hasWork(): boolean {
    return this.#dirty.size > 0 || this.#parts.applier.hasWork;
  }

  #work(): void {
    const passesMax = this.#parts.rare.take('turn-of-one-pass') ? 1 : PASSES_MAX;
    for (let pass = 0; pass < passesMax && this.#hasWork && !this.#stopped; pass++) {
      this.#againDue = false;
      this.#collect();
      // Followers get the entries before our own disk does: their writes run beside ours.
      this.#parts.outbox.flush();
      this.#parts.committer.start();
      this.#parts.applier.run();
    }
    if (!this.#stopped) this.#parts.committer.start();
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
        if (replica.isServing && replica.waiting.length > 0) this.#dirty.add(replica);
        while (replica.raft.hasReady()) {
          const ready = replica.raft.ready();
          for (const read of ready.readStates) {
            replica.reads.confirm(read.context, read.index);
            // A voter alone confirms at once, when the reads of this turn are through.
            this.#againDue = true;
          }
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
      this.#parts.applier.add(replica);
      return;
    }
    this.#parts.departures.send(replica, message);
  }

  /** Leadership came or went: what rested on it ends, before anything else of the turn. */
  #watchLeadership(replica: Replica): void {
    const { raft } = replica;
    const leads = replica.isLeader;
    if (replica.wasLeader && (!leads || replica.ledTerm !== raft.term)) {
      if (!leads) replica.refuseWaiting();
      this.#endLeadership(replica);
    }
    if (leads && !replica.wasLeader) {
      replica.wasLeader = true;
      replica.ledTerm = raft.term;
      replica.lease.begin(raft.term);
      this.#ports.log.log('info', 'leader-elected', { group: replica.name, term: raft.term });
      this.#options.onLeadership?.(replica, true);
    }
  }

  #endLeadership(replica: Replica): void {
    replica.wasLeader = false;
    replica.losePending();
    this.#parts.sender.forget(replica);
    this.#options.onLeadership?.(replica, false);
  }

  // Durability

  #append(replica: Replica, message: Message): void {
    // Everything committed before a snapshot belongs to the old state, which is complete up to here.
    if (message.snapshot !== undefined) this.#parts.applier.finish(replica);
    const write = makeLogWrite(replica, message, this.#ports.logStore, this.#parts.rare);
    if (write === undefined && message.responses.length === 0) return;
    this.#parts.committer.add({ replica, write, responses: message.responses });
  }

  #durable(work: readonly AppendWork[]): void {
    if (this.#stopped) return;
    for (const { replica, write, responses } of work) {
      if (replica.broken !== undefined) continue;
      this.#guard(replica, () => {
        if (write?.replica !== undefined && replica.staged !== undefined) this.#install(replica);
        for (const response of responses) {
          if (response.to === replica.raftId) replica.raft.step(response);
          else this.#parts.departures.send(replica, response);
        }
      });
      this.#dirty.add(replica);
    }
    if (this.#inTurn) return;
    this.#turn();
  }

  #install(replica: Replica): void {
    this.#parts.shelf.install(replica);
    this.#parts.receiver.forget(replica);
    this.#parts.sender.forget(replica);
    this.#ports.log.log('info', 'snapshot-installed', { group: replica.name, index: replica.applied.index });
  }

  // Reads

  #answerReads(): void {
    for (const replica of this.#parts.reads.answer()) this.#dirty.add(replica);
    if (this.#dirty.size > 0) this.#collect();
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
    this.#parts.stalls.observe();
    for (const replica of this.#parts.shelf.all()) {
      if (replica.broken !== undefined) continue;
      // A promise also binds its giver: no campaign of its own meanwhile.
      if (replica.isLeader || replica.isAlone || !replica.promise.holds(now)) {
        for (let left = this.#parts.ticks(); left > 0; left--)
          this.#guard(replica, () => replica.raft.tick());
        this.#dirty.add(replica);
      }
      this.#parts.reads.tick(replica, now);
    }
    this.#parts.sender.tick();
    this.#parts.receiver.tick();
    this.#watchCommit(now);
    this.#turn();
  }

  #watchCommit(now: number): void {
    const pending = this.#parts.committer.pendingMs(now);
    // State commits gather on purpose and hold nobody up, but one that never ends would: apply stops behind it.
    const statePending = this.#parts.applier.pendingMs(now);
    if (pending > this.#tuning.commitStuckMs) {
      this.#fatal(`a log commit has been pending for ${Math.round(pending)} ms`, undefined);
    } else if (statePending > this.#tuning.commitStuckMs) {
      this.#fatal(`a commit of the state has been pending for ${Math.round(statePending)} ms`, undefined);
    } else {
      this.#parts.handAway.watch(pending, this.#parts.shelf.all());
    }
  }

  // Faults

  /** A replica whose own data cannot be trusted goes silent; the others of the store go on. */
  #guard(replica: Replica, work: () => void): void {
    try {
      work();
    } catch (cause) {
      if (!isReplicaFault(cause, this.#options.isReplicaFault)) throw cause;
      if (replica.broken !== undefined) return;
      this.#parts.shelf.quarantine(replica, cause as Error);
      this.#silence(replica);
    }
  }

  /** Whoever waits for a replica that takes part in nothing any more is told so, and nothing of it goes on. */
  #silence(replica: Replica): void {
    replica.refuseWaiting();
    this.#parts.reads.drop(replica);
    this.#parts.applier.drop(replica);
    this.#parts.receiver.forget(replica);
    this.#parts.failover.forget(replica);
    this.#dirty.delete(replica);
    if (replica.wasLeader) this.#endLeadership(replica);
    else replica.losePending();
    // Replies of what was refused leave with the next turn.
    this.#wake();
  }

  #fatal(what: string, cause: Error | undefined): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onFatal(cause === undefined ? what : `${what}: ${cause.message}`, 70);
  }
}
