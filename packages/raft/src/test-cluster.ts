import {
  APPEND_THREAD,
  APPLY_THREAD,
  assert,
  type ConfState,
  EMPTY_BYTES,
  type Entry,
  EntryKind,
  type HardState,
  type Message,
  type MessageKind,
  must,
  Prng,
  type RaftId,
  Reader,
  type SnapshotMeta,
  Writer,
} from '@flotilla/base';
import { decodeConfChange } from './conf-change.ts';
import type { RaftConfig } from './config.ts';
import type { RaftLogger } from './logger.ts';
import { MemoryStorage } from './memory-storage.ts';
import { RaftNode } from './node.ts';
import type { Proposal } from './proposals.ts';
import type { Ready } from './ready.ts';
import type { StepResult } from './step-result.ts';

/**
 * A group in one process for tests: nodes with storage in memory and a network that is a list of messages. Nothing
 * happens by itself; a test orders every step, or calls `settle` for all that is due.
 */

export const UNLIMITED: number = Number.MAX_SAFE_INTEGER;

export const TEST_CONFIG: Omit<RaftConfig, 'id' | 'storage' | 'applied' | 'random'> = {
  electionTicks: 10,
  heartbeatTicks: 1,
  asyncStorageWrites: false,
  preVote: false,
  checkQuorum: false,
  readOnly: 'safe',
  stepDownOnRemoval: false,
  disableProposalForwarding: false,
  disableConfChangeValidation: false,
  messageBytesMax: UNLIMITED,
  committedBytesPerReadyMax: UNLIMITED,
  uncommittedBytesMax: UNLIMITED,
  inflightMessagesMax: 256,
  inflightBytesMax: UNLIMITED,
  logger: undefined,
};

export function confOf(voters: readonly RaftId[], learners: readonly RaftId[] = []): ConfState {
  return { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false };
}

/** A log entry whose data are the letters of a text. */
export function entryOf(index: number, term: number, text = ''): Entry {
  return { index, term, kind: EntryKind.normal, data: bytesOf(text) };
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

export function textOf(data: Uint8Array): string {
  return String.fromCharCode(...data);
}

/** One node and what its host keeps: the log, and a state machine that is a digest of all it applied. */
export class TestMember {
  readonly id: RaftId;
  readonly storage: MemoryStorage;
  readonly config: RaftConfig;
  node: RaftNode;
  /** Last Ready taken. */
  last: Ready | undefined = undefined;
  appendWork: Message[] = [];
  applyWork: Message[] = [];
  applied: Entry[] = [];
  reads: { readonly index: number; readonly text: string }[] = [];
  /** Index and digest of the state. It survives a crash as of `durable`. */
  state: { readonly index: number; readonly digest: number; readonly conf: ConfState };
  history: { readonly index: number; readonly digest: number; readonly conf: ConfState }[] = [];

  constructor(id: RaftId, storage: MemoryStorage, overrides: Partial<RaftConfig>, applied = 0) {
    const prng = new Prng(id);
    this.id = id;
    this.storage = storage;
    this.config = {
      ...TEST_CONFIG,
      random: (limit) => prng.below(limit),
      ...overrides,
      id,
      storage,
      applied: Math.max(applied, storage.firstIndex() - 1),
    };
    this.node = new RaftNode(this.config);
    this.state = { index: this.config.applied, digest: 0, conf: this.node.confState };
    this.history.push(this.state);
  }

  persist(
    hardState: HardState | undefined,
    snapshot: SnapshotMeta | undefined,
    entries: readonly Entry[],
  ): void {
    if (snapshot !== undefined) {
      this.storage.applySnapshot(snapshot);
      this.state = {
        index: snapshot.index,
        digest: snapshot.data.length === 8 ? new Reader(snapshot.data).u53() : 0,
        conf: snapshot.confState,
      };
      this.history = [this.state];
    }
    if (entries.length > 0) this.storage.append(entries);
    if (hardState !== undefined) this.storage.setHardState(hardState);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // A snapshot may have overtaken the order: the state is further already, and so is the configuration.
      if (entry.index <= this.state.index) continue;
      assert(
        entry.index === this.state.index + 1,
        () => `${this.id} applies ${entry.index} on ${this.state.index}`,
      );
      let { digest, conf } = this.state;
      digest = mix(digest, entry.term);
      for (const byte of entry.data) digest = mix(digest, byte);
      if (entry.kind !== EntryKind.normal) conf = this.node.applyConfChange(decodeConfChange(entry.data));
      this.state = { index: entry.index, digest, conf };
      this.history.push(this.state);
      this.storage.setConfState(conf);
      this.applied.push(entry);
    }
  }

  /** Makes a snapshot of the state as it is, and drops the log up to `index`. */
  compact(index: number = this.state.index): void {
    const out = new Writer(8);
    out.u53(this.state.digest);
    this.storage.setSnapshot({
      index: this.state.index,
      term: must(this.storage.term(this.state.index), 'the applied entry is in the log'),
      confState: this.state.conf,
      data: out.finish(),
    });
    if (index >= this.storage.firstIndex()) this.storage.compact(index);
    this.history = this.history.filter((state) => state.index >= this.storage.firstIndex() - 1);
  }

  /** Loses all that was not durable; `state` may fall back to any earlier point that the log still reaches. */
  restart(state: TestMember['state'] = this.state): void {
    this.state = state;
    this.history = this.history.filter(({ index }) => index <= state.index);
    this.applied = this.applied.filter(({ index }) => index <= state.index);
    this.storage.setConfState(state.conf);
    this.appendWork = [];
    this.applyWork = [];
    this.last = undefined;
    this.node = new RaftNode({ ...this.config, applied: state.index });
  }

  appliedTexts(): string[] {
    return this.applied
      .filter(({ data, kind }) => kind === EntryKind.normal && data.length > 0)
      .map(({ data }) => textOf(data));
  }
}

function mix(digest: number, value: number): number {
  return Math.imul(digest ^ value, 0x01000193) >>> 0;
}

export interface ClusterOptions {
  readonly config?: Partial<RaftConfig>;
  readonly learners?: readonly RaftId[];
  /** Voters, if not all nodes that are no learners. */
  readonly voters?: readonly RaftId[];
  readonly logger?: RaftLogger;
}

export class TestCluster {
  readonly members: Map<RaftId, TestMember> = new Map();
  network: Message[] = [];
  /** Results of stepping that were not `ok`. */
  readonly troubles: StepResult[] = [];
  /** True drops a message on its way out of its sender. */
  drop: (message: Message) => boolean = () => false;
  readonly #cut = new Set<string>();

  /** Nodes 1 to `count` with empty logs, all in one configuration. */
  constructor(count: number, options: ClusterOptions = {}) {
    const learners = options.learners ?? [];
    const ids = Array.from({ length: count }, (_, at) => at + 1);
    const voters = options.voters ?? ids.filter((id) => !learners.includes(id));
    for (const id of ids) {
      const storage = new MemoryStorage();
      storage.setConfState(confOf(voters, learners));
      this.add(new TestMember(id, storage, { ...options.config, logger: options.logger }));
    }
  }

  add(member: TestMember): TestMember {
    this.members.set(member.id, member);
    return member;
  }

  member(id: RaftId): TestMember {
    return must(this.members.get(id), () => `there is no node ${id}`);
  }

  node(id: RaftId): RaftNode {
    return this.member(id).node;
  }

  // ---- faults

  /** Nothing passes between the two any more, in both directions. */
  cut(one: RaftId, other: RaftId): void {
    this.#cut.add(`${one}-${other}`).add(`${other}-${one}`);
  }

  isolate(id: RaftId): void {
    for (const other of this.members.keys()) if (other !== id) this.cut(id, other);
  }

  heal(): void {
    this.#cut.clear();
    this.drop = () => false;
  }

  // ---- steps

  /** Takes one Ready, if there is one, and does what it says; with asynchronous storage the orders only queue up. */
  work(id: RaftId): boolean {
    const member = this.member(id);
    if (!member.node.hasReady()) return false;
    const ready = member.node.ready();
    member.last = ready;
    for (const { index, context } of ready.readStates) member.reads.push({ index, text: textOf(context) });
    if (member.config.asyncStorageWrites) {
      this.#send(member, ready.messages);
      return true;
    }
    member.persist(ready.hardState, ready.snapshot, ready.entries);
    this.#send(member, ready.messages);
    member.apply(ready.committedEntries);
    member.node.advance();
    return true;
  }

  /** Executes the first order of the append thread and delivers its responses. */
  appendOne(id: RaftId): boolean {
    const member = this.member(id);
    const order = member.appendWork.shift();
    if (order === undefined) return false;
    const { term, vote, commit } = order;
    member.persist(term === 0 ? undefined : { term, vote, commit }, order.snapshot, order.entries);
    this.#send(member, order.responses);
    return true;
  }

  applyOne(id: RaftId): boolean {
    const member = this.member(id);
    const order = member.applyWork.shift();
    if (order === undefined) return false;
    member.apply(order.entries);
    this.#send(member, order.responses);
    return true;
  }

  #send(member: TestMember, messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.to === APPEND_THREAD) member.appendWork.push(message);
      else if (message.to === APPLY_THREAD) member.applyWork.push(message);
      else if (message.to === member.id) this.#step(message);
      else if (!this.#cut.has(`${member.id}-${message.to}`) && !this.drop(message))
        this.network.push(message);
    }
  }

  /** Steps a message into its recipient, as the network would. */
  #step(message: Message): void {
    const member = this.members.get(message.to);
    if (member === undefined) return;
    const result = member.node.step(message);
    if (result !== 'ok') this.troubles.push(result);
  }

  /** Delivers the message at a place in the network, the oldest one by default. */
  deliver(at = 0): boolean {
    const [message] = this.network.splice(at, 1);
    if (message === undefined) return false;
    this.#step(message);
    return true;
  }

  /** Lets everything happen that is due, without any time passing. */
  settle(): void {
    let steps = 0;
    for (;;) {
      let busy = false;
      for (const id of this.members.keys()) {
        while (this.work(id) || this.appendOne(id) || this.applyOne(id)) {
          assert(++steps < 100_000, 'the cluster does not come to rest');
          busy = true;
        }
      }
      while (this.deliver()) busy = true;
      if (!busy) return;
    }
  }

  tick(id: RaftId, count = 1): void {
    for (let done = 0; done < count; done++) this.node(id).tick();
  }

  elect(id: RaftId): RaftNode {
    this.node(id).campaign();
    this.settle();
    const node = this.node(id);
    assert(node.role === 'leader', () => `${id} was not elected but is a ${node.role}`);
    return node;
  }

  propose(id: RaftId, ...texts: readonly string[]): Proposal {
    return this.node(id).propose(texts.map(bytesOf));
  }

  /** Messages of a kind that a node has handed out and nobody got yet. */
  inFlight(kind: MessageKind, to?: RaftId): Message[] {
    return this.network.filter((message) => message.kind === kind && (to === undefined || message.to === to));
  }
}

/** A message with the fields that matter; all others are empty. */
export function messageOf(fields: Partial<Message> & Pick<Message, 'kind' | 'from' | 'to'>): Message {
  return {
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: [],
    snapshot: undefined,
    context: EMPTY_BYTES,
    responses: [],
    ...fields,
  };
}
