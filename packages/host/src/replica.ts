import {
  assert,
  type ConfState,
  type Entry,
  EntryKind,
  type GroupName,
  groupNameText,
  type Message,
  MessageKind,
  type RaftId,
  type SnapshotMeta,
  type StoreId,
} from '@flotilla/base';
import type { LogStore, Random, RareBranches, ReplicaRecord, StateStore } from '@flotilla/ports';
import { decodeConfChange, LEAVE_JOINT, RaftNode, type RaftStorage } from '@flotilla/raft';
import type { ReplicaPlace } from '@flotilla/wire';
import { MetaEncoder, machinePrefix, metaKey, type ReplicaMeta } from './layout.ts';
import { LeaderLease, VotePromise } from './lease.ts';
import type { GroupMachine, MachineFactory, Proposal } from './machine.ts';
import { ReadQueue } from './read-queue.ts';
import type { HostTuning } from './tuning.ts';

/** A proposal that is in the log and waits to be applied. */
interface Pending {
  readonly index: number;
  readonly term: number;
  readonly proposal: Proposal;
}

/** A snapshot whose content lies complete and durable under a generation that nothing points at yet. */
export interface StagedSnapshot {
  readonly meta: SnapshotMeta;
  readonly generation: number;
}

export interface ReplicaParts {
  readonly record: ReplicaRecord;
  readonly meta: ReplicaMeta;
  readonly logStore: LogStore;
  readonly stateStore: StateStore;
  readonly machines: MachineFactory;
  readonly random: Random;
  readonly tuning: HostTuning;
  readonly holdBackUntil: number;
  readonly generationsUsed: number;
  /** Bytes proposed and not applied, all groups of the store together. */
  readonly budget: { bytes: number };
  readonly rare: RareBranches;
}

/**
 * One replica of one group: its Raft core, its state machine, and what waits for either. The host calls it;
 * it sends nothing and commits nothing by itself.
 */
export class Replica {
  readonly group: GroupName;
  readonly raftId: RaftId;
  readonly raft: RaftNode;
  readonly promise: VotePromise;
  readonly lease: LeaderLease = new LeaderLease();
  readonly reads: ReadQueue;
  /** Storage work of kind apply, in order. */
  readonly applyQueue: Message[] = [];
  /** Proposals that no core has taken yet. */
  readonly waiting: Proposal[] = [];
  waitingBytes = 0;

  machine: GroupMachine;
  generation: number;
  generationsUsed: number;
  staged: StagedSnapshot | undefined;
  /** The core took the staged snapshot; its log commit is under way. */
  installing = false;
  /** Set as the machine answers for more than is durable: `index` is applied, `durable` survives a crash. */
  applied: { index: number; term: number };
  durableIndex: number;
  /** Time spent on applying since the replica was opened, ms; for load reports. */
  applyMs = 0;
  confState: ConfState;
  members: readonly ReplicaPlace[];
  /** Why this replica takes part in nothing any more. */
  broken: string | undefined;
  /** The last beat that this replica promised for: its round is echoed to that leader of that term only. */
  echo = { to: 0, term: 0, round: 0 };
  /** When each follower was last sent an append without entries. */
  readonly notifiedAt: Map<RaftId, number> = new Map();
  /** When to pre-campaign because the leader's store went away; undefined when it did not. */
  campaignAt: number | undefined;
  /** When to forget that leader; its promise must have ended. */
  forgetAt: number | undefined;
  refusalsLeft = 2;
  /** Until when the own pre-campaign stands back behind that of another voter. */
  yieldsUntil = 0;
  wasLeader = false;
  ledTerm = 0;
  /** A commit index that is worth writing with the next commit, not a commit of its own. */
  lazyHardState: { term: number; vote: RaftId; commit: number } | undefined;

  /** Newest beat whose leader's commit index is not applied yet, and since when the state is known complete. */
  #leaderCommit = { index: 0, at: Number.NEGATIVE_INFINITY };
  #freshAt: number = Number.NEGATIVE_INFINITY;

  readonly #parts: ReplicaParts;
  readonly #metaEncoder = new MetaEncoder();
  readonly #pending: Pending[] = [];
  #pendingHead = 0;
  #storeOf = new Map<RaftId, ReplicaPlace>();

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
    this.group = parts.record.group;
    this.raftId = parts.record.raftId;
    this.generation = parts.record.generation;
    this.generationsUsed = parts.generationsUsed;
    this.applied = { index: parts.meta.appliedIndex, term: parts.meta.appliedTerm };
    this.durableIndex = parts.meta.appliedIndex;
    this.confState = parts.meta.confState;
    this.members = parts.meta.members;
    this.#indexMembers();
    this.promise = new VotePromise(parts.holdBackUntil);
    this.reads = new ReadQueue(this.raftId, parts.random.fork('reads'));
    const tuning = parts.tuning;
    const random = parts.random.fork('election');
    this.raft = new RaftNode({
      id: this.raftId,
      storage: this.#storage(),
      applied: this.applied.index,
      electionTicks: Math.round(tuning.electionMs / tuning.heartbeatMs),
      heartbeatTicks: 1,
      asyncStorageWrites: true,
      preVote: true,
      checkQuorum: true,
      readOnly: 'safe',
      stepDownOnRemoval: true,
      disableProposalForwarding: true,
      disableConfChangeValidation: false,
      messageBytesMax: tuning.messageBytesMax,
      committedBytesPerReadyMax: tuning.applyBytesPerTurn,
      uncommittedBytesMax: tuning.groupUncommittedBytesMax,
      inflightMessagesMax: tuning.inflightMessagesMax,
      inflightBytesMax: tuning.inflightBytesMax,
      random: (limit) => random.below(limit),
    });
    this.machine = this.#openMachine();
  }

  /** A replica that broke leads nothing, whatever its core says: nobody asks that any more. */
  get isLeader(): boolean {
    return this.broken === undefined && this.raft.role === 'leader';
  }

  /** A leader serves once everything from before its term is applied: its stamps and reads rest on that. */
  get isServing(): boolean {
    return this.isLeader && this.raft.firstCommitOfTermDone && this.applied.term === this.raft.term;
  }

  /** Nobody else votes in this group, so there is nobody to promise anything to. */
  get isAlone(): boolean {
    const { voters, votersOutgoing } = this.confState;
    return votersOutgoing.length === 0 && voters.length === 1 && voters[0] === this.raftId;
  }

  get name(): string {
    return groupNameText(this.group);
  }

  placeOf(raftId: RaftId): ReplicaPlace | undefined {
    return this.#storeOf.get(raftId);
  }

  storeOf(raftId: RaftId): StoreId | undefined {
    return this.#storeOf.get(raftId)?.storeId;
  }

  raftIdOn(storeId: StoreId): RaftId | undefined {
    return this.members.find((place) => place.storeId === storeId)?.raftId;
  }

  leaderStore(): StoreId | undefined {
    return this.raft.leaderId === 0 ? undefined : this.storeOf(this.raft.leaderId);
  }

  /** Rank among the other voters of the leader that went away, by raft id: who asks first. */
  failoverRank(gone: RaftId): number {
    const others = this.confState.voters.filter((id) => id !== gone);
    return Math.max(0, others.indexOf(this.raftId));
  }

  voterSets(): readonly (readonly RaftId[])[] {
    return [this.confState.voters, this.confState.votersOutgoing];
  }

  noteLeaderCommit(index: number, at: number): void {
    this.#settleFreshness();
    // An older beat that is not reached yet stays: a newer one would push its own arrival out for ever.
    if (this.#leaderCommit.index <= this.applied.index) this.#leaderCommit = { index, at };
    this.#settleFreshness();
  }

  #settleFreshness(): void {
    if (this.#leaderCommit.index <= this.applied.index) this.#freshAt = this.#leaderCommit.at;
  }

  /** How old this replica's state may be at most, ms, counted from the arrival of a beat; for stale reads. */
  stalenessMs(now: number): number {
    this.#settleFreshness();
    if (!this.isServing) return now - this.#freshAt;
    return Math.max(0, now - this.lease.heardStamp(this.raftId, now, this.voterSets()));
  }

  /**
   * The commit index as a bound for others, or 0 when it bounds nothing: before the first commit of the term it
   * may lie below what clients were told, and a leader that no quorum answers may have been replaced long ago.
   */
  provenCommit(now: number): number {
    if (!this.raft.firstCommitOfTermDone) return 0;
    const stamp = this.lease.heardStamp(this.raftId, now, this.voterSets());
    return now - stamp < this.#parts.tuning.promiseMs ? this.raft.commitIndex : 0;
  }

  /** Takes a proposal into the next batch; its bytes count from here on until its fate is known. */
  enqueue(proposal: Proposal): void {
    this.waiting.push(proposal);
    this.waitingBytes += proposal.data.length;
    this.#parts.budget.bytes += proposal.data.length;
  }

  /** Puts what waits into the log of a leader that may propose. Returns bytes taken. */
  proposeWaiting(): void {
    if (this.waiting.length === 0) return;
    const batch = this.waiting.splice(0, this.#parts.rare.take('propose-one') ? 1 : this.waiting.length);
    let bytes = 0;
    for (const { data } of batch) bytes += data.length;
    this.waitingBytes -= bytes;
    for (const proposal of batch) proposal.prepare();
    const outcome = this.raft.propose(batch.map((proposal) => proposal.data));
    if (!outcome.accepted) {
      this.#parts.budget.bytes -= bytes;
      const overloaded = outcome.reason === 'overloaded' || outcome.reason === 'transferring';
      for (const proposal of batch) {
        proposal.refused(
          overloaded
            ? { kind: 'overloaded', retryAfterMs: 50, what: `group ${this.group.gid} is ${outcome.reason}` }
            : { kind: 'not-leader' },
        );
      }
      return;
    }
    const first = outcome.index - batch.length + 1;
    batch.forEach((proposal, at) => {
      this.#pending.push({ index: first + at, term: outcome.term, proposal });
    });
  }

  refuseWaiting(): void {
    if (this.waiting.length === 0) return;
    this.#parts.budget.bytes -= this.waitingBytes;
    this.waitingBytes = 0;
    for (const proposal of this.waiting.splice(0)) proposal.refused({ kind: 'not-leader' });
  }

  /** Leadership ended: what was proposed may still be committed by the next leader, nobody here can say. */
  losePending(): void {
    const lost = this.#pending.splice(0).slice(this.#pendingHead);
    this.#pendingHead = 0;
    for (const pending of lost) {
      this.#parts.budget.bytes -= pending.proposal.data.length;
      pending.proposal.lost();
    }
  }

  #takePending(index: number, term: number): Proposal | undefined {
    while (this.#pendingHead < this.#pending.length) {
      const head = this.#pending[this.#pendingHead] as Pending;
      if (head.index > index) return undefined;
      this.#pendingHead++;
      this.#parts.budget.bytes -= head.proposal.data.length;
      if (this.#pendingHead > 1024) {
        this.#pending.splice(0, this.#pendingHead);
        this.#pendingHead = 0;
      }
      if (head.index === index && head.term === term) return head.proposal;
      head.proposal.lost();
    }
    return undefined;
  }

  /** Applies one committed entry. */
  applyEntry(entry: Entry): void {
    assert(entry.index === this.applied.index + 1, () => {
      return `group ${this.name}: entry ${entry.index} follows applied index ${this.applied.index}`;
    });
    if (entry.kind === EntryKind.normal) {
      if (entry.data.length > 0) {
        const proposal = this.#takePending(entry.index, entry.term);
        try {
          this.machine.apply(entry.index, entry.data, proposal?.out());
        } catch (cause) {
          // It is committed: other replicas apply it. Whoever waits here must not wait for ever.
          proposal?.lost();
          throw cause;
        }
        proposal?.applied(entry.index);
      }
    } else {
      this.#applyConfChange(entry);
    }
    this.applied = { index: entry.index, term: entry.term };
  }

  #applyConfChange(entry: Entry): void {
    // What leaves a joint configuration carries no bytes. Other changes are proposed by the membership driver.
    const change = entry.data.length === 0 ? LEAVE_JOINT : decodeConfChange(entry.data);
    this.confState = this.raft.applyConfChange(change);
  }

  /** Writes memory and the host's record into the open transaction of the state store. */
  flush(): void {
    this.machine.flush();
    this.#parts.stateStore.put(
      metaKey(this.group, this.generation),
      this.#metaEncoder.encode(this.metaNow()),
    );
  }

  metaNow(): ReplicaMeta {
    return {
      appliedIndex: this.applied.index,
      appliedTerm: this.applied.term,
      confState: this.confState,
      members: this.members,
    };
  }

  /** The log points at the staged generation now: the old state is nobody's any more. */
  switchTo(staged: StagedSnapshot, meta: ReplicaMeta): void {
    this.losePending();
    this.generation = staged.generation;
    this.staged = undefined;
    this.installing = false;
    this.applied = { index: meta.appliedIndex, term: meta.appliedTerm };
    this.durableIndex = meta.appliedIndex;
    this.confState = meta.confState;
    this.members = meta.members;
    this.#indexMembers();
    this.machine = this.#openMachine();
  }

  /** What is opened was made durable before: by an earlier life, or as a staged snapshot. */
  #openMachine(): GroupMachine {
    const machine = this.#parts.machines(this.group, machinePrefix(this.group, this.generation));
    machine.load();
    machine.durable(this.applied.index);
    return machine;
  }

  record(generation: number, start: ReplicaRecord['start']): ReplicaRecord {
    return { group: this.group, raftId: this.raftId, generation, start, removed: false };
  }

  /** True for kinds after which a leader of the message's term has been heard. */
  isFromLeader(message: Message): boolean {
    return (
      (message.kind === MessageKind.app ||
        message.kind === MessageKind.heartbeat ||
        message.kind === MessageKind.snap) &&
      message.term === this.raft.term &&
      message.from === this.raft.leaderId
    );
  }

  #indexMembers(): void {
    this.#storeOf = new Map(this.members.map((place) => [place.raftId, place]));
  }

  #storage(): RaftStorage {
    const { logStore, rare } = this.#parts;
    const group = this.group;
    return {
      initialState: () => ({ hardState: logStore.hardState(group), confState: this.confState }),
      firstIndex: () => logStore.span(group).first,
      lastIndex: () => logStore.span(group).last,
      term: (index) => logStore.term(group, index),
      entries: (lo, hi, bytesMax) =>
        logStore.entries(group, lo, hi, rare.take('log-page-of-one') ? 0 : bytesMax),
      snapshot: () => this.#snapshotMeta(),
    };
  }

  /** Where a stream that begins now would stand: at what the state store has made durable, or later. */
  #snapshotMeta(): SnapshotMeta | undefined {
    const term = this.#parts.logStore.term(this.group, this.durableIndex);
    if (this.durableIndex === 0 || term === undefined) return undefined;
    return {
      index: this.durableIndex,
      term,
      confState: this.confState,
      data: new Uint8Array(0),
    };
  }
}
