import {
  APPEND_THREAD,
  APPLY_THREAD,
  assert,
  type Entry,
  type HardState,
  type Message,
  MessageKind,
  type RaftId,
  type SnapshotMeta,
} from '@flotilla/base';
import type { Core, ReadState } from './core.ts';
import type { Role } from './describe.ts';
import { step } from './dispatch.ts';
import { type Draft, draft } from './messages.ts';
import { entriesBytes } from './storage.ts';

/** Volatile state, for the host's eyes. */
export interface SoftState {
  /** 0 while unknown. */
  readonly leaderId: RaftId;
  readonly role: Role;
}

/**
 * All that the host owes the core at this point. Taking it is accepting it: nothing in here is handed out
 * again. **The order of the fields is the order of safety.**
 *
 * Synchronous mode (`asyncStorageWrites: false`), step by step, then `advance()`:
 *
 * 1. Make `hardState`, `entries` and `snapshot` durable, in one write or in this order: snapshot before
 *    entries, entries not without the hard state. `entries` replace everything from their first index on.
 * 2. Only then send `messages`. They contain votes and acknowledgements, which are promises about step 1.
 * 3. Apply `snapshot`, then `committedEntries` in order (they may be among `entries`: never before step 1).
 *    For an entry that changes membership call `applyConfChange`.
 *
 * Asynchronous mode (`asyncStorageWrites: true`): send all `messages` at once, in order; those to the two
 * storage threads are work orders, and repeat what the other fields show:
 *
 * 1. `storageAppend` to {@link APPEND_THREAD}: term, vote and commit (if not all zero), `entries`, `snapshot`.
 *    Make it durable, orders in the order they came, and only then deliver its `responses`: to this node
 *    through `step`, to others over the network. None may be delivered before, because the vote or
 *    acknowledgement in it claims that the write happened, those to this node included.
 * 2. `storageApply` to {@link APPLY_THREAD}: apply its entries, then step its response. Orders in order. The two
 *    threads are not ordered among each other: if a snapshot was installed since, skip the entries (changes of
 *    membership too) up to its index, and step the response all the same.
 * 3. All other messages claim nothing about the own disk and may leave before any write.
 */
export interface Ready {
  /** Set if it changed. Nothing to persist. */
  readonly softState: SoftState | undefined;
  /** Set if it changed: persist before sending (a vote that is forgotten is given twice). */
  readonly hardState: HardState | undefined;
  /** Persist, truncating whatever stands at their indexes and above. */
  readonly entries: readonly Entry[];
  /** Persist: it replaces log and state. */
  readonly snapshot: SnapshotMeta | undefined;
  /** Apply, in order. Committed for good, also if this node loses leadership meanwhile. */
  readonly committedEntries: readonly Entry[];
  /** Reads that may be answered once the state has applied `index`. */
  readonly readStates: readonly ReadState[];
  /** Send, in order: after persisting (synchronous mode), or as the rules above say (asynchronous mode). */
  readonly messages: readonly Message[];
  /**
   * True if `hardState` and `entries` have to survive a crash before anything depends on them; a `snapshot` always
   * has to. A moved commit alone need not, but nothing that is written later may survive without it: a node that
   * has a second change of membership in its log must know, over a crash as well, that the first one is committed.
   * It would campaign in a configuration two changes behind otherwise, with a majority that meets no other.
   */
  readonly mustSync: boolean;
}

const NO_READ_STATES: readonly ReadState[] = [];

/** Makes Readies, and remembers what was handed out. */
export class ReadyMaker {
  readonly #core: Core;
  readonly #async: boolean;
  #leaderId: RaftId;
  #role: Role;
  #term: number;
  #vote: RaftId;
  #commit: number;
  /** Synchronous mode: what the host's writing and applying means to this node, stepped by `advance`. */
  #onAdvance: Message[] = [];
  #advanceDue = false;

  constructor(core: Core) {
    this.#core = core;
    this.#async = core.config.asyncStorageWrites;
    this.#leaderId = core.leaderId;
    this.#role = core.role;
    this.#term = core.term;
    this.#vote = core.vote;
    this.#commit = core.log.committed;
  }

  hasReady(): boolean {
    const core = this.#core;
    return (
      core.outbox.length > 0 ||
      core.outboxAfterAppend.length > 0 ||
      this.#softStateChanged() ||
      this.#hardStateChanged() ||
      core.log.unstable.hasNextEntries() ||
      core.log.unstable.nextSnapshot() !== undefined ||
      core.readStates.length > 0 ||
      core.log.hasNextCommitted(!this.#async)
    );
  }

  ready(): Ready {
    assert(!this.#advanceDue, 'in synchronous mode advance() comes between two calls of ready()');
    const core = this.#core;
    const { unstable } = core.log;
    const softState = this.#softStateChanged() ? { leaderId: core.leaderId, role: core.role } : undefined;
    const hardState = this.#hardStateChanged() ? core.hardState() : undefined;
    const entries = unstable.nextEntries();
    const snapshot = unstable.nextSnapshot();
    // In synchronous mode entries may be applied in the Ready that persists them. In asynchronous mode the
    // write may still be under way while they are applied, so they wait until it is durable.
    const committedEntries = core.log.nextCommitted(!this.#async);
    const mustSync = entries.length > 0 || core.term !== this.#term || core.vote !== this.#vote;
    const readStates = core.readStates.length === 0 ? NO_READ_STATES : core.readStates;

    const messages = core.outbox;
    const held = core.outboxAfterAppend;
    if (this.#async) {
      const writes =
        hardState !== undefined || entries.length > 0 || snapshot !== undefined || held.length > 0;
      if (writes) messages.push(this.#appendOrder(hardState, entries, snapshot, held));
      if (committedEntries.length > 0) messages.push(this.#applyOrder(committedEntries));
    } else {
      for (const message of held) {
        if (message.to === core.id) this.#onAdvance.push(message);
        else messages.push(message);
      }
      if (unstable.count > 0 || snapshot !== undefined) this.#onAdvance.push(this.#appendNotice(snapshot));
      if (committedEntries.length > 0) this.#onAdvance.push(this.#applyNotice(committedEntries));
      this.#advanceDue = true;
    }

    this.#accept(committedEntries);
    return { softState, hardState, entries, snapshot, committedEntries, readStates, messages, mustSync };
  }

  advance(): void {
    assert(!this.#async, 'with asynchronous storage writes responses take the place of advance()');
    assert(this.#advanceDue, 'advance() follows ready()');
    this.#advanceDue = false;
    const messages = this.#onAdvance;
    this.#onAdvance = [];
    for (const message of messages) step(this.#core, message);
  }

  #softStateChanged(): boolean {
    return this.#core.leaderId !== this.#leaderId || this.#core.role !== this.#role;
  }

  #hardStateChanged(): boolean {
    const core = this.#core;
    return core.term !== this.#term || core.vote !== this.#vote || core.log.committed !== this.#commit;
  }

  #accept(committedEntries: readonly Entry[]): void {
    const core = this.#core;
    this.#leaderId = core.leaderId;
    this.#role = core.role;
    this.#term = core.term;
    this.#vote = core.vote;
    this.#commit = core.log.committed;
    core.outbox = [];
    core.outboxAfterAppend = [];
    if (core.readStates.length > 0) core.readStates = [];
    core.log.unstable.acceptInProgress();
    const last = committedEntries[committedEntries.length - 1];
    if (last !== undefined) core.log.acceptApplying(last.index, entriesBytes(committedEntries), !this.#async);
  }

  #appendOrder(
    hardState: HardState | undefined,
    entries: readonly Entry[],
    snapshot: SnapshotMeta | undefined,
    held: Message[],
  ): Message {
    const core = this.#core;
    const order = draft(MessageKind.storageAppend, APPEND_THREAD);
    order.from = core.id;
    if (hardState !== undefined) {
      order.term = hardState.term;
      order.vote = hardState.vote;
      order.commit = hardState.commit;
    }
    order.entries = entries;
    order.snapshot = snapshot;
    // Also when the entries went out with earlier orders: their notices may have been refused for their term,
    // and then only a later one makes these entries stable.
    if (core.log.unstable.count > 0 || snapshot !== undefined) held.push(this.#appendNotice(snapshot));
    order.responses = held;
    return order;
  }

  /**
   * "All that was unstable is durable", bound to the term of now. It names the *last* entry of the log: if that
   * is still there when the notice comes, and the term is the same, then so is everything before it.
   */
  #appendNotice(snapshot: SnapshotMeta | undefined): Draft {
    const core = this.#core;
    const notice = draft(MessageKind.storageAppendResp, core.id);
    notice.from = APPEND_THREAD;
    notice.term = core.term;
    if (core.log.unstable.count > 0) {
      notice.index = core.log.lastIndex;
      notice.logTerm = core.log.lastTerm;
    }
    notice.snapshot = snapshot;
    return notice;
  }

  #applyOrder(entries: readonly Entry[]): Message {
    const order = draft(MessageKind.storageApply, APPLY_THREAD);
    order.from = this.#core.id;
    order.entries = entries;
    order.responses = [this.#applyNotice(entries)];
    return order;
  }

  #applyNotice(entries: readonly Entry[]): Draft {
    const notice = draft(MessageKind.storageApplyResp, this.#core.id);
    notice.from = APPLY_THREAD;
    notice.entries = entries;
    return notice;
  }
}
