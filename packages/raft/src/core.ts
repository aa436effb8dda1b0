import {
  assert,
  type ConfState,
  type HardState,
  type Message,
  MessageKind,
  type RaftId,
} from '@flotilla/base';
import { checkConfig, type RaftConfig, RaftStateError } from './config.ts';
import type { Role } from './describe.ts';
import { describeConfState, hex } from './describe.ts';
import { RaftLog } from './log.ts';
import type { RaftLogger } from './logger.ts';
import { confStateProblem } from './membership.ts';
import { type Draft, waitsForDurability } from './messages.ts';
import { ReadOnlyQueue } from './read-only.ts';
import { Tracker } from './tracker.ts';

/** A read that may proceed once `index` is applied. */
export interface ReadState {
  readonly index: number;
  readonly context: Uint8Array;
}

/** A read request that waits for the first commit of the term. */
export interface WaitingRead {
  readonly from: RaftId;
  readonly context: Uint8Array;
}

/**
 * The state of one node: everything that the handlers of the protocol read and change, and nothing else. Roles
 * change only through `becomeFollower`, `becomePreCandidate`, `becomeCandidate` and `becomeLeader` (roles.ts).
 */
export class Core {
  readonly id: RaftId;
  readonly config: RaftConfig;
  readonly logger: RaftLogger | undefined;
  readonly log: RaftLog;
  readonly tracker: Tracker;
  readonly reads: ReadOnlyQueue = new ReadOnlyQueue();

  role: Role = 'follower';
  term = 0;
  /** Whom this node voted for in `term`; 0 for nobody. */
  vote: RaftId = 0;
  /** 0 while unknown. */
  leaderId: RaftId = 0;

  /** Member to which leadership is being handed; 0 if none. Proposals are refused meanwhile. */
  transferee: RaftId = 0;
  /** While a snapshot waits for its installation: the configuration as of what the host has applied. */
  confBeforeSnapshot: ConfState | undefined = undefined;
  /** Index of the newest change of membership that may be unapplied. No other is accepted until it is. */
  pendingConfIndex = 0;
  /** Leader: index of the empty entry with which its term began. */
  termFirstIndex = 0;
  /** Leader: payload bytes proposed in this term and not applied. */
  uncommittedBytes = 0;

  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTicks = 0;

  /** Reads that may proceed, for the next Ready. */
  readStates: ReadState[] = [];
  /** Leader: reads that arrived before it committed an entry of its term. */
  waitingReads: WaitingRead[] = [];

  /** Messages that may leave at once. */
  outbox: Message[] = [];
  /** Messages, also to this node itself, that may leave only when all that is unstable now is durable. */
  outboxAfterAppend: Message[] = [];

  constructor(config: RaftConfig) {
    checkConfig(config);
    const { storage, applied, logger } = config;
    const { hardState, confState } = storage.initialState();
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    checkStored(config, hardState, first, last);
    const problem = confStateProblem(confState);
    if (problem !== undefined)
      throw new RaftStateError(`stored configuration: ${problem}`, { id: config.id });

    this.id = config.id;
    this.config = config;
    this.logger = logger;
    // Applied entries are committed, whatever the hard state says: it is written less often than state is.
    const committed = Math.max(hardState?.commit ?? 0, applied);
    this.log = new RaftLog(storage, committed, applied, config.committedBytesPerReadyMax, logger);
    this.tracker = new Tracker(config.inflightMessagesMax, config.inflightBytesMax);
    this.tracker.configure(confState, [], last);
    logger?.log('info', () => `${hex(this.id)} switched to configuration ${describeConfState(confState)}`);
    if (hardState !== undefined) {
      this.term = hardState.term;
      this.vote = hardState.vote;
      if (config.readOnly === 'lease-based') this.reads.lease.promise(config.electionTicks);
    }
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** A voter that knows its log may campaign. While a snapshot is under way the log is not known. */
  get promotable(): boolean {
    const self = this.tracker.get(this.id);
    return self !== undefined && !self.isLearner && this.log.unstable.snapshot === undefined;
  }

  /** True if this node leads and has committed an entry of its term: its commit index is up to date from there on. */
  get firstCommitOfTermDone(): boolean {
    return this.role === 'leader' && this.log.committed >= this.termFirstIndex;
  }

  get pastElectionTimeout(): boolean {
    return this.electionElapsed >= this.randomizedElectionTicks;
  }

  randomizeElectionTicks(): void {
    const { electionTicks, random } = this.config;
    const extra = random(electionTicks);
    assert(extra >= 0 && extra < electionTicks, () => `random(${electionTicks}) answered ${extra}`);
    this.randomizedElectionTicks = electionTicks + extra;
  }

  /**
   * Queues a message. Votes carry the term that they are about; forwarded proposals and reads none, because
   * they are not bound to this node's idea of the term; everything else the current one.
   */
  send(message: Draft): void {
    const { kind } = message;
    if (message.from === 0) message.from = this.id;
    const isVote =
      kind === MessageKind.vote ||
      kind === MessageKind.voteResp ||
      kind === MessageKind.preVote ||
      kind === MessageKind.preVoteResp;
    if (!isVote) {
      assert(message.term === 0, 'the term of a message is set by sending it');
      if (kind !== MessageKind.prop && kind !== MessageKind.readIndex) message.term = this.term;
    }
    if (waitsForDurability(kind)) {
      this.outboxAfterAppend.push(message);
      return;
    }
    if (kind === MessageKind.timeoutNow) this.reads.lease.giveUp();
    assert(message.to !== this.id, 'only votes and acknowledgements are sent to oneself');
    this.outbox.push(message);
  }
}

function checkStored(
  config: RaftConfig,
  hardState: HardState | undefined,
  first: number,
  last: number,
): void {
  const { id, applied } = config;
  const details = { id, applied, first, last, hardState };
  if (last < first - 1)
    throw new RaftStateError(`the log ends at ${last} before its begin ${first}`, details);
  if (applied < first - 1) {
    throw new RaftStateError(`applied ${applied}, but the log was compacted up to ${first - 1}`, details);
  }
  if (applied > last) throw new RaftStateError(`applied ${applied}, but the log ends at ${last}`, details);
  if (
    hardState !== undefined &&
    !(Number.isSafeInteger(hardState.term) && Number.isSafeInteger(hardState.commit))
  ) {
    throw new RaftStateError('term and commit index are safe integers', details);
  }
  if (hardState !== undefined && hardState.commit > last) {
    throw new RaftStateError(`committed ${hardState.commit}, but the log ends at ${last}`, details);
  }
}
