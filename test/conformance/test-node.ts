import {
  type ConfState,
  type Entry,
  EntryKind,
  type Message,
  type RaftId,
  type SnapshotMeta,
} from '@flotilla/base';
import { decodeConfChange, type RaftConfig, RaftNode } from '@flotilla/raft';
import type { MemoryStorage } from '@flotilla/raft/testing';
import { MalformedError } from './parser.ts';

/** Where a state machine stood, and which members the group had there. */
interface AppliedState {
  readonly index: number;
  readonly confState: ConfState;
}

export type NodeConfig = Omit<RaftConfig, 'storage'>;

/** A node with the host that drives it by command: storage, storage threads, and the history of its snapshots. */
export class TestNode {
  readonly #config: NodeConfig;
  #raft: RaftNode;
  readonly storage: MemoryStorage;
  /**
   * What its state machine could be sent as: grows with every applied entry, and the last one is what storage
   * answers for a snapshot. A received snapshot does not enter it.
   */
  #history: SnapshotMeta[];
  /** Where the state machine stood, from the start on; received snapshots count here. */
  #states: AppliedState[];
  appendWork: Message[] = [];
  applyWork: Message[] = [];

  constructor(config: NodeConfig, storage: MemoryStorage, initial: SnapshotMeta) {
    this.#config = config;
    this.storage = storage;
    this.#history = [initial];
    this.#states = [initial];
    storage.setSnapshot(initial);
    this.#raft = new RaftNode({ ...config, storage });
  }

  get raft(): RaftNode {
    return this.#raft;
  }

  get isAsync(): boolean {
    return this.#config.asyncStorageWrites;
  }

  get latestSnapshot(): SnapshotMeta {
    return this.#history[this.#history.length - 1] as SnapshotMeta;
  }

  persist(
    hardState: { readonly term: number; readonly vote: RaftId; readonly commit: number } | undefined,
    snapshot: SnapshotMeta | undefined,
    entries: readonly Entry[],
  ): void {
    if (hardState !== undefined) this.storage.setHardState(hardState);
    if (snapshot !== undefined) {
      this.storage.applySnapshot(snapshot);
      this.storage.setSnapshot(this.latestSnapshot);
      this.#states = [snapshot];
    }
    this.storage.append(entries);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // Handed out before a snapshot that is installed by now, and contained in it.
      if (entry.index <= (this.#states[0] as AppliedState).index) continue;
      const before = this.latestSnapshot;
      let { confState } = before;
      let inForce = (this.#states[this.#states.length - 1] as AppliedState).confState;
      let added: Uint8Array = entry.data;
      if (entry.kind !== EntryKind.normal) {
        const change = decodeConfChange(entry.data);
        added = change.context;
        confState = this.raft.applyConfChange(change);
        inForce = confState;
      }
      const data = new Uint8Array(before.data.length + added.length);
      data.set(before.data);
      data.set(added, before.data.length);
      this.#history.push({ index: entry.index, term: entry.term, confState, data });
      this.storage.setSnapshot(this.latestSnapshot);
      this.#states.push({ index: entry.index, confState: inForce });
    }
  }

  /**
   * A crash, and a new start from what is durable: the log, and the state machine as of `applied`, or of the
   * newest state if that is undefined. Work that the storage threads have not done is lost.
   */
  restart(applied: number | undefined): void {
    const newest = this.#states[this.#states.length - 1];
    const state = applied === undefined ? newest : this.#states.find(({ index }) => index === applied);
    if (state === undefined) throw new MalformedError(`the state machine never stood at ${applied}`);
    this.#states = this.#states.filter(({ index }) => index <= state.index);
    const first = this.#history[0] as SnapshotMeta;
    this.#history = [first, ...this.#history.slice(1).filter(({ index }) => index <= state.index)];
    this.appendWork = [];
    this.applyWork = [];
    this.storage.setConfState(state.confState);
    this.storage.setSnapshot(this.latestSnapshot);
    this.#raft = new RaftNode({ ...this.#config, applied: state.index, storage: this.storage });
  }
}
