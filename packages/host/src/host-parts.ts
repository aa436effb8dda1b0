import type { Message, RaftId, StoreId } from '@flotilla/base';
import { neverRare, type RareBranches } from '@flotilla/ports';
import { Applier } from './applier.ts';
import { Arrivals } from './arrivals.ts';
import { type AppendWork, Committer } from './committer.ts';
import { Departures } from './departures.ts';
import { Failover } from './failover.ts';
import { HandAway } from './hand-away.ts';
import type { HostOptions, HostPorts } from './host-ports.ts';
import { Rounds } from './lease.ts';
import { Mail } from './mail.ts';
import { Outbox } from './outbox.ts';
import { ReadDesk } from './read-desk.ts';
import { LeaseReader } from './reads.ts';
import type { Replica } from './replica.ts';
import { ReplicaShelf } from './shelf.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import { SnapshotSender } from './snapshot-sender.ts';
import { StallGuard } from './stall-guard.ts';
import type { HostTuning } from './tuning.ts';

/** What the parts ask of the loop that drives them. */
export interface HostHooks {
  /** Runs work on a replica's core, from outside of a turn. */
  readonly act: (replica: Replica, work: () => void) => void;
  /** Runs the work; a fault of the replica's own data stops that replica and nothing else. */
  readonly guard: (replica: Replica, work: () => void) => void;
  /** The core of the replica may have something ready. */
  readonly touch: (replica: Replica) => void;
  readonly wake: () => void;
  readonly stepCore: (replica: Replica, message: Message) => void;
  readonly offerStaged: (replica: Replica, message: Message) => void;
  readonly durable: (work: readonly AppendWork[]) => void;
  readonly fatal: (what: string, cause: Error | undefined) => void;
  readonly transfer: (replica: Replica, to: RaftId) => void;
  /** Of a store that is connected now. */
  readonly incarnationOf: (storeId: StoreId) => string | undefined;
}

/** The parts of a host, made and joined. What they do together in a turn is the host's. */
export class HostParts {
  readonly stalls: StallGuard;
  readonly rounds: Rounds = new Rounds();
  readonly outbox: Outbox;
  readonly shelf: ReplicaShelf;
  readonly committer: Committer;
  readonly failover: Failover;
  readonly reads: ReadDesk;
  readonly arrivals: Arrivals;
  readonly applier: Applier;
  readonly sender: SnapshotSender;
  readonly departures: Departures;
  readonly handAway: HandAway;
  readonly receiver: SnapshotReceiver;
  readonly mail: Mail;
  readonly rare: RareBranches;
  readonly #promiseMs: number;

  constructor(ports: HostPorts, options: HostOptions, tuning: HostTuning, hooks: HostHooks) {
    const now = (): number => ports.clock.monoMs();
    const { rare = neverRare } = ports;
    this.rare = rare;
    this.#promiseMs = tuning.promiseMs;
    this.stalls = new StallGuard(ports.clock, tuning);
    this.outbox = new Outbox(ports.links, this.rounds, now, rare);
    this.shelf = new ReplicaShelf(ports, options, tuning, hooks.fatal);
    this.committer = new Committer({
      logStore: ports.logStore,
      tuning,
      timers: ports.timers,
      now,
      durable: hooks.durable,
      failed: (cause) => hooks.fatal('a log commit failed', cause),
      rare,
    });
    this.failover = new Failover({
      timers: ports.timers,
      random: ports.random,
      tuning,
      now,
      act: hooks.act,
      rare,
    });
    const reader = new LeaseReader({
      tuning,
      now,
      observe: () => {
        this.stalls.observe();
        return this.stalls.barrier;
      },
      guard: hooks.guard,
      rare,
    });
    this.reads = new ReadDesk(reader, tuning, rare);
    this.arrivals = new Arrivals({
      clock: ports.clock,
      links: ports.links,
      shelf: this.shelf,
      failover: this.failover,
      tuning,
      rounds: this.rounds,
      incarnationOf: hooks.incarnationOf,
      stepCore: hooks.stepCore,
      rare,
    });
    this.applier = new Applier({
      logStore: ports.logStore,
      stateStore: ports.stateStore,
      tuning,
      committer: this.committer,
      guard: hooks.guard,
      applied: hooks.touch,
      onApplied: options.onApplied,
      resume: hooks.wake,
      failed: (cause) => hooks.fatal('a commit of the state failed', cause),
      now,
      rare,
    });
    const snapshots = {
      links: ports.links,
      stateStore: ports.stateStore,
      hasher: ports.hasher,
      tuning,
      log: ports.log,
      now,
      rare,
    };
    this.sender = new SnapshotSender({
      ...snapshots,
      reported: hooks.touch,
      guard: hooks.guard,
    });
    this.departures = new Departures(this.outbox, this.sender, tuning.noticeMs, now, rare);
    this.handAway = new HandAway({
      tuning,
      links: ports.links,
      log: ports.log,
      transfer: hooks.transfer,
    });
    this.receiver = new SnapshotReceiver({
      ...snapshots,
      find: (offer, storeId) => {
        const replica = this.arrivals.hearing(offer.group, offer.from, storeId);
        return replica?.raftId === offer.to ? replica : undefined;
      },
      hasRoom: () => ports.disk.freeBytes() > tuning.diskLowBytes,
      complete: hooks.offerStaged,
      failed: (cause) => hooks.fatal('a commit of the state failed', cause),
    });
    this.mail = new Mail({
      bytesMax: tuning.inboxBytesMax,
      log: ports.log,
      arrivals: this.arrivals,
      receiver: this.receiver,
      sender: this.sender,
      onFrame: options.onFrame,
      rare,
    });
  }

  /** A turn left something to the next one. */
  wantsAnotherTurn(): boolean {
    return this.reads.hasMore || this.mail.hasMore || this.rare.take('turn-once-more');
  }

  /** How long a store that starts supports nobody, ms: a promise from before may still hold. */
  holdBackMs(): number {
    return this.#promiseMs * (this.rare.take('hold-back-longer') ? 2 : 1);
  }

  /** Ticks of one core at a tick of the store. */
  ticks(): number {
    if (this.rare.take('tick-missed')) return 0;
    return this.rare.take('tick-twice') ? 2 : 1;
  }
}
