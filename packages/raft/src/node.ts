import { assert, type ConfState, EntryKind, type Message, MessageKind, type RaftId } from '@flotilla/base';
import type { ConfChange } from './conf-change.ts';
import type { RaftConfig } from './config.ts';
import { Core } from './core.ts';
import { hex, type Role } from './describe.ts';
import { step, stepFromOutside } from './dispatch.ts';
import { draft } from './messages.ts';
import { type Proposal, proposeChange, proposeData } from './proposals.ts';
import { requestRead } from './reads.ts';
import { type Ready, ReadyMaker } from './ready.ts';
import { applyConfChange } from './reconfigure.ts';
import { becomeFollower } from './roles.ts';
import { type Status, statusOf } from './status.ts';
import type { StepResult } from './step-result.ts';
import { tick } from './timers.ts';

/**
 * One member of one Raft group, as a state machine without I/O. Time comes in as ticks, the network and the
 * disk as messages; what has to happen outside comes out as one {@link Ready}. The same inputs always give the
 * same outputs.
 *
 *     tick, step, propose, …  →  hasReady?  →  ready  →  persist, send, apply  →  step / advance
 */
export class RaftNode {
  readonly #core: Core;
  readonly #ready: ReadyMaker;

  /** Starts from what storage holds. Throws `RaftStateError` if no correct history leads there. */
  constructor(config: RaftConfig) {
    const core = new Core(config);
    becomeFollower(core, core.term, 0);
    core.logger?.log('info', () => {
      const { log, tracker } = core;
      return `newRaft ${hex(core.id)} [peers: [${tracker.voters.map(hex).join(',')}], term: ${core.term}, commit: ${log.committed}, applied: ${log.applied}, lastindex: ${log.lastIndex}, lastterm: ${log.lastTerm}]`;
    });
    this.#core = core;
    this.#ready = new ReadyMaker(core);
  }

  // ---- inputs

  /** One unit of time has passed. */
  tick(): void {
    tick(this.#core);
  }

  /** A message of another member, or a response of a storage thread. Never throws for what the message says. */
  step(message: Message): StepResult {
    return stepFromOutside(this.#core, message);
  }

  /** Proposes one entry per element, at consecutive indexes. All or none. */
  propose(data: readonly Uint8Array[]): Proposal {
    assert(data.length > 0, 'a proposal has at least one entry');
    return proposeData(this.#core, data);
  }

  /**
   * Proposes a change of membership. As in etcd's raft, a leader replicates an empty entry in place of a change
   * that does not fit what is under way. `kind` only says how the entry is marked.
   */
  proposeConfChange(
    change: ConfChange,
    kind: typeof EntryKind.confChange | typeof EntryKind.confChangeV2 = EntryKind.confChangeV2,
  ): Proposal {
    return proposeChange(this.#core, kind, change);
  }

  /**
   * Asks for an index that a linearizable read has to see; the answer is a `readStates` item with the same
   * context. Contexts must be unique per node, over restarts too: an answer to an earlier use that is still
   * on the network would be taken for the new one's. False if the request was dropped; it may also be lost.
   */
  readIndex(context: Uint8Array): boolean {
    const core = this.#core;
    if (core.role === 'candidate' || core.role === 'pre-candidate') return false;
    return requestRead(core, 0, context);
  }

  /** Starts an election (with pre-vote, if that is on), if this node may. */
  campaign(): void {
    step(this.#core, draft(MessageKind.hup, 0));
  }

  /** Hands leadership to a voter; a follower passes the wish on. Ends with the next election timeout at the latest. */
  transferLeader(to: RaftId): void {
    this.#local(MessageKind.transferLeader, to);
  }

  /** A follower that forgets its leader gives its vote within the term again. Others ignore it. */
  forgetLeader(): void {
    step(this.#core, draft(MessageKind.forgetLeader, 0));
  }

  /** The last message to that member was not delivered. */
  reportUnreachable(id: RaftId): void {
    this.#local(MessageKind.unreachable, id);
  }

  /** The snapshot for that member was delivered, or it failed. Every `snap` message needs one of the two. */
  reportSnapshot(id: RaftId, ok: boolean): void {
    const report = draft(MessageKind.snapStatus, 0);
    report.from = id;
    report.reject = !ok;
    step(this.#core, report);
  }

  /** Takes a committed change into effect, as its entry is applied. Returns the configuration to persist with it. */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.#core, change);
  }

  /** Both counters start at zero, as after a leader's message. For a host that stopped ticking an idle group. */
  restartTimers(): void {
    this.#core.electionElapsed = 0;
    this.#core.heartbeatElapsed = 0;
  }

  /** Replaces the random election timeout until the next change of role or term draws another. */
  overrideElectionTimeout(ticks: number): void {
    assert(ticks > 0, 'a timeout takes at least one tick');
    this.#core.randomizedElectionTicks = ticks;
  }

  // ---- outputs

  hasReady(): boolean {
    return this.#ready.hasReady();
  }

  /** Takes what there is to do. See {@link Ready} for the order in which it has to be done. */
  ready(): Ready {
    return this.#ready.ready();
  }

  /** Synchronous mode: the last Ready is persisted, sent and applied. */
  advance(): void {
    this.#ready.advance();
  }

  // ---- state

  get id(): RaftId {
    return this.#core.id;
  }

  get role(): Role {
    return this.#core.role;
  }

  get term(): number {
    return this.#core.term;
  }

  /** Whom this node voted for in its term; 0 for nobody. */
  get vote(): RaftId {
    return this.#core.vote;
  }

  /** 0 while unknown. */
  get leaderId(): RaftId {
    return this.#core.leaderId;
  }

  get commitIndex(): number {
    return this.#core.log.committed;
  }

  /** Up to where application was acknowledged. */
  get appliedIndex(): number {
    return this.#core.log.applied;
  }

  get firstIndex(): number {
    return this.#core.log.firstIndex;
  }

  get lastIndex(): number {
    return this.#core.log.lastIndex;
  }

  get lastTerm(): number {
    return this.#core.log.lastTerm;
  }

  get confState(): ConfState {
    return this.#core.tracker.conf;
  }

  /** Member to which leadership is being handed; 0 if none. */
  get transferee(): RaftId {
    return this.#core.transferee;
  }

  /** True if this node is a voter that may campaign. */
  get promotable(): boolean {
    return this.#core.promotable;
  }

  /** The leader has committed an entry of its own term: from here on its commit index is up to date. */
  get firstCommitOfTermDone(): boolean {
    return this.#core.firstCommitOfTermDone;
  }

  /** Ticks since the leader was heard (follower) or since the last quorum check (leader). */
  get electionElapsed(): number {
    return this.#core.electionElapsed;
  }

  /** Term of an entry; undefined if it is compacted or not there. */
  termAt(index: number): number | undefined {
    return this.#core.log.term(index);
  }

  status(): Status {
    return statusOf(this.#core);
  }

  /** A message of this node to itself that is about another member: that one stands in `from`. */
  #local(kind: MessageKind, about: RaftId): void {
    const message = draft(kind, 0);
    message.from = about;
    step(this.#core, message);
  }
}
