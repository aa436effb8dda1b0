import {
  APPEND_THREAD,
  APPLY_THREAD,
  assert,
  type ConfState,
  compareBytes,
  EMPTY_BYTES,
  type Entry,
  EntryKind,
  equalBytes,
  type Message,
  MessageKind,
  type RaftId,
} from '@flotilla/base';
import {
  type ConfChange,
  decodeConfChange,
  type ProgressState,
  RaftNode,
  type Ready,
  type Role,
  type StepResult,
} from '@flotilla/raft';
import { MemoryStorage } from '@flotilla/raft/testing';
import { bytesOf, IDENTITY, In, Out, type Renaming } from './codec.ts';
import { checkShape, type OpenCore, type OpenNode } from './open-core.ts';

const ROLES: readonly Role[] = ['follower', 'pre-candidate', 'candidate', 'leader'];
const STATES: readonly ProgressState[] = ['probe', 'replicate', 'snapshot'];
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const ELECTION_TICKS = 10;

/** Settings of the core that differ between searches. */
export interface Settings {
  readonly preVote: boolean;
  /** Time counts in so far as promises to a leader run out, and a leader counts who answered. */
  readonly checkQuorum: boolean;
  /** Entries travel one by one, else as many as there are. */
  readonly entriesOneByOne: boolean;
  /** Refused votes are told; else they are lost. */
  readonly refusals: boolean;
  /**
   * A write takes the commit index along. It is one of the rules of the core for its host, and matters only where a
   * crash follows a second change of membership; elsewhere a crash forgets the commit index.
   */
  readonly keepsCommit: boolean;
}

/** One order to the thread that writes the log. Term 0: neither term nor vote changed. */
export interface Write {
  readonly term: number;
  readonly vote: RaftId;
  readonly commit: number;
  readonly entries: readonly Entry[];
  readonly toSelf: readonly Message[];
  readonly toOthers: readonly Message[];
}

/** What a disk holds. */
export interface Disk {
  readonly term: number;
  readonly vote: RaftId;
  /** 0 where it is not kept: a crash chooses one then (see `crash`). */
  readonly commit: number;
  readonly entries: readonly Entry[];
  /** Configuration as of what is applied. */
  readonly conf: ConfState;
}

let isChecked = false;

/**
 * One node: the real core, the disk below it, and what its two storage threads have not done yet. `freeze` makes
 * bytes of all that can influence what comes; `thaw` brings them back to life.
 */
export class Replica {
  readonly id: RaftId;
  readonly settings: Settings;
  /** Configuration with which the group began. */
  readonly founded: ConfState;
  storage: MemoryStorage = new MemoryStorage();
  node: RaftNode;
  writes: Write[] = [];
  /** Orders to apply. Those before a change of membership are done at once. */
  applies: (readonly Entry[])[] = [];
  /** Configurations that the event replaced: one order to apply may hold several changes. */
  applied: ConfState[] = [];
  /** What leaves for other nodes. */
  sent: Message[] = [];

  constructor(id: RaftId, settings: Settings, founded: ConfState) {
    this.id = id;
    this.settings = settings;
    this.founded = founded;
    this.storage.setConfState(founded);
    this.node = this.#start(0);
  }

  #start(applied: number): RaftNode {
    const node = new RaftNode({
      id: this.id,
      storage: this.storage,
      applied,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 1,
      asyncStorageWrites: true,
      preVote: this.settings.preVote,
      checkQuorum: this.settings.checkQuorum,
      readOnly: 'safe',
      stepDownOnRemoval: true,
      disableProposalForwarding: true,
      disableConfChangeValidation: false,
      messageBytesMax: this.settings.entriesOneByOne ? 0 : UNLIMITED,
      committedBytesPerReadyMax: UNLIMITED,
      uncommittedBytesMax: UNLIMITED,
      inflightMessagesMax: UNLIMITED,
      inflightBytesMax: UNLIMITED,
      random: () => 0,
    });
    if (!isChecked) {
      checkShape(node as unknown as OpenNode);
      isChecked = true;
    }
    return node;
  }

  get core(): OpenCore {
    return (this.node as unknown as OpenNode).$core;
  }

  get disk(): Disk {
    const { hardState, confState } = this.storage.initialState();
    return {
      term: hardState?.term ?? 0,
      vote: hardState?.vote ?? 0,
      commit: hardState?.commit ?? 0,
      entries: this.storage.all(),
      conf: confState,
    };
  }

  /** The log as the core sees it. */
  log(): readonly Entry[] {
    const { log } = this.core;
    return log.slice(1, log.lastIndex + 1, UNLIMITED) ?? [];
  }

  // ---- inputs

  deliver(message: Message): StepResult {
    return this.node.step(message);
  }

  propose(data: Uint8Array): void {
    this.node.propose([data]);
  }

  change(change: ConfChange): void {
    this.node.proposeConfChange(change);
  }

  beat(): void {
    this.node.tick();
  }

  /** The leader has not been heard of for as long as followers stand by it; one that leads counts who answered. */
  electionTimePasses(): void {
    this.core.electionElapsed = ELECTION_TICKS;
    if (this.core.role !== 'leader') return;
    this.core.electionElapsed--;
    this.node.tick();
  }

  /** The oldest write becomes durable, and what waited for it goes out. */
  write(): StepResult {
    const order = this.writes.shift();
    assert(order !== undefined, 'there is a write to do');
    const { disk } = this;
    const { term, vote } = order.term !== 0 ? order : disk;
    if (order.entries.length > 0) this.storage.append(order.entries);
    this.storage.setHardState({ term, vote, commit: Math.max(order.commit, disk.commit) });
    this.sent.push(...order.toOthers);
    let result: StepResult = 'ok';
    for (const message of order.toSelf) {
      const answer = this.node.step(message);
      if (answer !== 'ok') result = answer;
    }
    return result;
  }

  /** The oldest order to apply is done. */
  apply(): void {
    const entries = this.applies.shift();
    assert(entries !== undefined, 'there is something to apply');
    this.#apply(entries);
  }

  #apply(entries: readonly Entry[]): void {
    for (const { kind, data } of entries) {
      if (kind === EntryKind.normal) continue;
      this.applied.push(this.disk.conf);
      this.storage.setConfState(this.node.applyConfChange(decodeConfChange(data)));
    }
    this.node.step({
      kind: MessageKind.storageApplyResp,
      from: APPLY_THREAD,
      to: this.id,
      term: 0,
      logTerm: 0,
      index: 0,
      commit: 0,
      vote: 0,
      reject: false,
      rejectHint: 0,
      entries,
      snapshot: undefined,
      context: EMPTY_BYTES,
      responses: [],
    });
  }

  /**
   * Power goes, and comes back. What was not written is gone. The state machine and the commit index are written
   * now and then: either all that was applied is still there, or nothing, and no commit is known.
   */
  crash(keepsState: boolean): void {
    const applied = keepsState ? this.core.log.$applied : 0;
    if (!keepsState) this.storage.setConfState(this.founded);
    this.writes = [];
    this.applies = [];
    this.node = this.#start(applied);
  }

  /** Takes what the core wants done, until it wants nothing more. */
  settle(): void {
    while (this.node.hasReady()) {
      const ready: Ready = this.node.ready();
      for (const message of ready.messages) {
        if (message.to === APPEND_THREAD) this.#order(message);
        else if (message.to === APPLY_THREAD) this.#orderApply(message.entries);
        else if (!this.#isLost(message)) this.sent.push(message);
      }
    }
  }

  #orderApply(entries: readonly Entry[]): void {
    const changes = entries.some(({ kind }) => kind !== EntryKind.normal);
    if (changes || this.applies.length > 0) this.applies.push(entries);
    else this.#apply(entries);
  }

  /**
   * Takes a work order. One that writes nothing waits for what was ordered before it, and then says something: to
   * others at once, since what is sent may arrive at any time later anyway, and what it repeats it need not say.
   */
  #order({ term, vote, entries, responses }: Message): void {
    const known = this.#promised();
    const isNews = term !== 0 && (term !== known.term || vote !== known.vote);
    const last = this.writes.at(-1);
    const toSelf = responses.filter(({ to }) => to === this.id);
    const toOthers = responses.filter(
      (message) =>
        message.to !== this.id &&
        !this.#isLost(message) &&
        !this.writes.some((write) => holds(write.toOthers, message)),
    );
    if (isNews || entries.length > 0) {
      const commit = this.settings.keepsCommit ? this.core.log.$committed : 0;
      this.writes.push({
        term: isNews ? term : 0,
        vote: isNews ? vote : 0,
        commit,
        entries,
        toSelf,
        toOthers,
      });
      return;
    }
    if (last === undefined) this.sent.push(...toOthers);
    else this.writes[this.writes.length - 1] = { ...last, toOthers: [...last.toOthers, ...toOthers] };
    const news = toSelf.filter((message) => last === undefined || !holds(last.toSelf, message));
    if (news.length > 0)
      this.writes.push({ term: 0, vote: 0, commit: 0, entries: [], toSelf: news, toOthers: [] });
  }

  #isLost({ kind, reject }: Message): boolean {
    return kind === MessageKind.voteResp && reject && !this.settings.refusals;
  }

  /** Term and vote as they will be on disk when all writes are done. */
  #promised(): { readonly term: number; readonly vote: RaftId } {
    return this.writes.findLast((write) => write.term !== 0) ?? this.disk;
  }

  // ---- bytes

  freeze(renaming: Renaming): Uint8Array {
    const { core } = this;
    const { log, tracker } = core;
    const { unstable } = log;
    assert(
      unstable.$snapshot === undefined && core.confBeforeSnapshot === undefined,
      'nobody makes snapshots in a small world',
    );
    assert(
      core.readStates.length +
        core.waitingReads.length +
        core.outbox.length +
        core.outboxAfterAppend.length ===
        0,
      'a node that is at rest owes nothing',
    );
    assert(unstable.$offsetInProgress === log.lastIndex + 1, 'all entries were handed out for writing');
    const out = new Out(renaming);
    out.id(this.id);
    out.conf(this.founded);
    out.byte(ROLES.indexOf(core.role));
    out.byte(core.term);
    for (const id of [core.vote, core.leaderId, core.transferee]) out.id(id);
    for (const index of [core.pendingConfIndex, core.termFirstIndex]) out.byte(index);
    for (const index of [log.$committed, log.$applying, log.$applied]) out.byte(index);
    if (this.settings.checkQuorum) out.flag(core.electionElapsed >= ELECTION_TICKS);
    out.conf(tracker.conf);
    const { disk } = this;
    out.byte(disk.term);
    out.id(disk.vote);
    out.byte(disk.commit);
    out.entries(disk.entries);
    out.conf(disk.conf);
    out.byte(unstable.$offset);
    out.entries(unstable.$entries.slice(unstable.$head));
    this.#freezeMembers(out, renaming);
    out.list(this.writes, (write) => {
      out.byte(write.term);
      out.id(write.vote);
      out.byte(write.commit);
      out.entries(write.entries);
      out.messages(write.toSelf);
      // All leave at the same time.
      out.list(sortedBytes(write.toOthers, renaming), (bytes) => out.bytes(bytes));
    });
    out.list(this.applies, (entries) => out.entries(entries));
    return out.finish();
  }

  /** Of members only a leader knows something, and only a candidate counts votes. */
  #freezeMembers(out: Out, renaming: Renaming): void {
    const { core } = this;
    const { members, $votes } = core.tracker;
    const byNewId = (left: RaftId, right: RaftId): number =>
      (renaming[left - 1] as RaftId) - (renaming[right - 1] as RaftId);
    if (core.role === 'leader') {
      for (const { id } of [...members].sort((left, right) => byNewId(left.id, right.id))) {
        const progress = members.find((each) => each.id === id);
        assert(progress?.pendingSnapshot === 0, 'nobody is sent a snapshot');
        out.byte(STATES.indexOf(progress.state));
        for (const index of [progress.match, progress.next, progress.sentCommit]) out.byte(index);
        out.flag(progress.flowPaused);
        if (this.settings.checkQuorum) out.flag(progress.recentActive);
      }
    }
    const voters = [...$votes.keys()].sort(byNewId);
    out.list(voters, (id) => {
      out.id(id);
      out.flag($votes.get(id) === true);
    });
  }

  static thaw(bytes: Uint8Array, settings: Settings): Replica {
    const from = new In(bytes);
    const replica = new Replica(from.id(), settings, from.conf());
    const { core } = replica;
    const { log, tracker } = core;
    const { unstable } = log;
    core.role = ROLES[from.byte()] as Role;
    core.term = from.byte();
    core.vote = from.id();
    core.leaderId = from.id();
    core.transferee = from.id();
    core.pendingConfIndex = from.byte();
    core.termFirstIndex = from.byte();
    log.$committed = from.byte();
    log.$applying = from.byte();
    log.$applied = from.byte();
    core.electionElapsed = settings.checkQuorum && from.flag() ? ELECTION_TICKS : 0;
    const conf = from.conf();
    const term = from.byte();
    replica.storage.setHardState({ term, vote: from.id(), commit: from.byte() });
    replica.storage.append(from.entries());
    replica.storage.setConfState(from.conf());
    unstable.$offset = from.byte();
    unstable.$entries = from.entries();
    unstable.$offsetInProgress = unstable.$offset + unstable.$entries.length;
    tracker.configure(conf, [1, 2, 3], log.lastIndex);
    replica.#thawMembers(from);
    replica.writes = from.list(() => ({
      term: from.byte(),
      vote: from.id(),
      commit: from.byte(),
      entries: from.entries(),
      toSelf: from.messages(),
      toOthers: from.list(() => new In(from.bytes()).message()),
    }));
    replica.applies = from.list(() => from.entries());
    from.expectEnd();
    const ready = (replica.node as unknown as OpenNode).$ready;
    ready.$leaderId = core.leaderId;
    ready.$role = core.role;
    ready.$term = core.term;
    ready.$vote = core.vote;
    ready.$commit = log.$committed;
    return replica;
  }

  #thawMembers(from: In): void {
    const { role, tracker } = this.core;
    if (role === 'leader') {
      for (const progress of tracker.members) {
        progress.state = STATES[from.byte()] as ProgressState;
        progress.match = from.byte();
        progress.next = from.byte();
        progress.sentCommit = from.byte();
        progress.flowPaused = from.flag();
        if (this.settings.checkQuorum) progress.recentActive = from.flag();
      }
    }
    for (const [id, granted] of from.list(() => [from.id(), from.flag()] as const))
      tracker.$votes.set(id, granted);
  }
}

function sortedBytes(messages: readonly Message[], renaming: Renaming): readonly Uint8Array[] {
  return messages.map((message) => bytesOf(message, renaming)).sort(compareBytes);
}

function holds(messages: readonly Message[], message: Message): boolean {
  const bytes = bytesOf(message, IDENTITY);
  return messages.some((each) => equalBytes(bytesOf(each, IDENTITY), bytes));
}
