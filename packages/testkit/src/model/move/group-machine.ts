import { compareBytes, EMPTY_BYTES, must, Reader, Writer, Xxh64 } from '@flotilla/base';
import { DataGroup, moveEntry, ShardState } from '@flotilla/kv';
import {
  AskKind,
  blankRead,
  ENTRY_HEAD_BYTES,
  EntryBody,
  type FrozenFacts,
  ItemKind,
  MoveAnswer,
  type MoveEntry,
  type MoveOutcome,
  MoveStep,
  openPage,
  type Read,
  type Result,
  readMoveEntry,
  readMoveOutcome,
  readResult,
  Status,
  sealPage,
  Verdict,
} from '@flotilla/wire';
import { Interner } from '../interner.ts';
import { PairTable } from '../pair-table.ts';
import { CellStore } from './cell-store.ts';
import { type GroupFacts, PREFIX, readFacts, SHARD } from './group-facts.ts';
import { Pools } from './pools.ts';

/** Log time of entries that are not about time. */
export const STAMP = 1_000_000;

const hasher = new Xxh64();

/** Answers after which nothing may have changed. */
const refusals: ReadonlySet<MoveAnswer> = new Set([
  MoveAnswer.stale,
  MoveAnswer.refused,
  MoveAnswer.closed,
  MoveAnswer.notYet,
  MoveAnswer.gap,
  MoveAnswer.tooLate,
]);

/** Answers to reads that show what is stored. */
const shown: ReadonlySet<Status> = new Set([Status.record, Status.absent, Status.page]);

export interface MachineOptions {
  /** Removal of released ranges is an event of its own. */
  readonly removesLate: boolean;
  /** Sizes of pages and deltas that a source is asked for; several to have cuts in several places. */
  readonly pieceBytes: readonly number[];
  /** Where pages may begin: at every item that there can ever be. */
  readonly cursors: readonly Uint8Array[];
  /** Damaged pages are about, so items may not fit their hashes, and digests may differ. */
  readonly expectsDamage: boolean;
}

/** What a source has said in one of its states about one move. */
export interface SourceFacts {
  readonly r0: number;
  /** Entries with pages and changes, as a pool. */
  readonly pieces: number;
  /** Entry that activates with the facts of the freeze; undefined until then. */
  readonly activate: number | undefined;
  readonly frozen: FrozenFacts | undefined;
}

const APPLY_FAULT = 0x8000_0000;
const HASH_BYTES = 8;

/**
 * The real state machine of a data group as a table: states and entries are numbers, and what an entry makes of
 * a state is worked out once by `DataGroup` itself. Groups of one model share it, since nothing in the state
 * tells which group it belongs to. The log index of an entry is one above the highest generation in use: the
 * machine asks of an index only that generations differ.
 */
export class GroupMachine {
  readonly pools: Pools = new Pools();
  readonly #options: MachineOptions;
  readonly #states = new Interner();
  readonly #facts: GroupFacts[] = [];
  readonly #entries = new Interner();
  readonly #answers = new Interner();
  readonly #contents = new Interner();
  readonly #contentOf: number[] = [];
  readonly #applied = new PairTable(1 << 16);
  readonly #faults = new Map<string, string>();
  readonly #removed = new PairTable();
  readonly #damaged = new Map<number, number | undefined>();
  readonly #sources = new PairTable();
  readonly #sourceFacts: (SourceFacts | undefined)[] = [];
  readonly #store: CellStore;
  /** One for each size of pieces; the first applies what is to be applied. */
  readonly #readers: readonly DataGroup[];
  readonly #group: DataGroup;
  /** State that the store and the group hold now, as loaded. */
  #opened = -1;
  /** Number of the answer to the entry that was applied last. */
  answer = 0;
  /** What was wrong about it; undefined if nothing was. */
  fault: string | undefined = undefined;
  /** Whether the last entry ended in an exception, without an answer. */
  get isFailed(): boolean {
    return this.#answers.bytes(this.answer).length === 0;
  }

  constructor(options: MachineOptions) {
    this.#options = options;
    this.#store = new CellStore(options.removesLate);
    this.#readers = options.pieceBytes.map(
      (pieceBytes) =>
        new DataGroup({ gid: 1, store: this.#store, prefix: PREFIX, hasher, shardCount: 1, pieceBytes }),
    );
    this.#group = must(this.#readers[0], 'pages have a size');
  }

  /** State of a group that has not applied anything. */
  blank(): number {
    this.#opened = -1;
    this.#store.thaw(new CellStore(false).freeze());
    this.#group.load();
    return this.#take();
  }

  facts(state: number): GroupFacts {
    return this.#facts[state] as GroupFacts;
  }

  /** Number that stands for records and rows of the copy in a state. */
  content(state: number): number {
    return this.#contentOf[state] as number;
  }

  entry(bytes: Uint8Array): number {
    return this.#entries.number(bytes);
  }

  step(step: MoveEntry, stamp = 0): number {
    return this.entry(moveEntry(step, stamp));
  }

  /** The step in an entry; undefined for entries of other kinds. */
  stepOf(entry: number): MoveEntry | undefined {
    const bytes = this.entryBytes(entry);
    return bytes[1] === EntryBody.move ? readMoveEntry(new Reader(bytes, ENTRY_HEAD_BYTES)) : undefined;
  }

  entryBytes(entry: number): Uint8Array {
    return this.#entries.bytes(entry);
  }

  answerBytes(answer: number): Uint8Array {
    return this.#answers.bytes(answer);
  }

  /** What the state becomes; `answer` and `fault` say what came of the entry. */
  apply(state: number, entry: number): number {
    const known = this.#applied.get(state, entry);
    if (known === undefined) return this.#run(state, entry);
    const { second } = this.#applied;
    this.answer = second & ~APPLY_FAULT;
    this.fault = (second & APPLY_FAULT) === 0 ? undefined : this.#faults.get(`${state} ${entry}`);
    return known;
  }

  #open(state: number): void {
    if (this.#opened === state) return;
    this.#store.thaw(this.#states.bytes(state));
    this.#group.load();
    this.#opened = state;
  }

  /** Number of what the store holds now. */
  #take(): number {
    const size = this.#states.size;
    const state = this.#states.number(this.#store.freeze());
    if (state < size) return state;
    const facts = readFacts(this.#group, this.#store);
    this.#facts.push(facts);
    this.#contentOf.push(this.#contents.number(facts.content));
    return state;
  }

  /** A released range is removed at last. */
  remove(state: number, at: number): number {
    const known = this.#removed.get(state, at);
    this.fault = undefined;
    if (known !== undefined) return known;
    this.#opened = -1;
    this.#store.thaw(this.#states.bytes(state));
    this.#store.removeReleased(at);
    this.#group.load();
    const next = this.#take();
    this.fault = this.facts(next).fault;
    this.#removed.set(state, at, next);
    return next;
  }

  /** The same page with one bit of its last item changed, and a checksum that fits; undefined for other entries. */
  damaged(entry: number): number | undefined {
    const known = this.#damaged.get(entry);
    if (known !== undefined || this.#damaged.has(entry)) return known;
    const made = this.#damage(entry);
    this.#damaged.set(entry, made);
    return made;
  }

  #damage(entry: number): number | undefined {
    const step = this.stepOf(entry);
    if (step?.step !== MoveStep.importChunk) return undefined;
    const page = must(openPage(step.page, hasher), 'a source seals its pages');
    if (page.items.length === 0) return undefined;
    const items = page.items.slice();
    // Before the item's hash stands what it holds last: a value, or the version of a result.
    const at = items.length - HASH_BYTES - 1 - (items[0] === ItemKind.row ? 7 : 0);
    items[at] = (items[at] as number) ^ 1;
    return this.step({ ...step, page: sealPage({ ...page, items }, hasher) });
  }

  #run(state: number, entry: number): number {
    const before = this.facts(state);
    const index = before.generationMax + 1;
    const out = new Writer(256);
    let next = state;
    let failed = false;
    this.fault = undefined;
    try {
      this.#open(state);
      this.#group.apply(index, this.entryBytes(entry), out);
      this.#group.flush();
      this.#group.durable(index);
      next = this.#take();
      if (next !== state) this.#opened = -1;
      this.fault = this.#stepFault(state, next, entry, out.finish());
    } catch (error) {
      this.#opened = -1;
      failed = true;
      this.fault = `the state machine failed: ${error instanceof Error ? error.message : String(error)}`;
    }
    // Of an entry that failed there is no answer, whatever was written of it.
    this.answer = this.#answers.number(failed ? EMPTY_BYTES : out.finish());
    if (this.fault !== undefined) this.#faults.set(`${state} ${entry}`, this.fault);
    this.#applied.set(
      state,
      entry,
      next,
      this.fault === undefined ? this.answer : (this.answer | APPLY_FAULT) >>> 0,
    );
    return next;
  }

  #stepFault(state: number, next: number, entry: number, answer: Uint8Array): string | undefined {
    const before = this.facts(state);
    const after = this.facts(next);
    if (after.fault !== undefined && !this.#options.expectsDamage) return after.fault;
    // The log's time may go on with any entry.
    const isSame =
      this.content(state) === this.content(next) &&
      JSON.stringify(after.status) === JSON.stringify(before.status);
    const isStep = this.entryBytes(entry)[1] === EntryBody.move;
    if (isStep) {
      const outcome = readMoveOutcome(new Reader(answer));
      if (refusals.has(outcome.answer) && !isSame) return 'an entry that was refused changed the shard';
      if (outcome.answer === MoveAnswer.digest && !this.#options.expectsDamage)
        return 'the digests of source and target differ';
    }
    if ((after.status?.fence ?? 0) < (before.status?.fence ?? 0)) return 'the fence fell';
    if (before.state === ShardState.frozen && after.state === ShardState.frozen) {
      if (this.content(state) !== this.content(next)) return 'a frozen shard changed';
    }
    if (!isStep && !isSame && before.state !== ShardState.serving) {
      return `a client's command changed a shard that is ${stateWords[before.state]}`;
    }
    const [from, to] = [before.status, after.status];
    if (from?.staging && to?.staging && from.generation === to.generation) {
      if (to.staging.pos < from.staging.pos) return 'pos went back';
      if (compareBytes(to.staging.cursor, from.staging.cursor) < 0 && !to.staging.isComplete)
        return 'the cursor went back';
    }
    return this.#readFault(after);
  }

  /** Reads show a serving shard and no other. */
  #readFault(facts: GroupFacts): string | undefined {
    if (facts.state === ShardState.serving) return undefined;
    const result = this.#read({ ...blankRead(), shard: SHARD, epoch: facts.status?.epoch ?? 1 });
    return shown.has(result.status) ? `a shard that is ${stateWords[facts.state]} shows a read` : undefined;
  }

  #read(read: Read): Result {
    const out = new Writer(64);
    this.#group.read(read, out);
    return readResult(new Reader(out.finish()));
  }

  /** The answers of a group in this state to reads, one after the other. */
  reads(state: number, reads: readonly Read[]): readonly Result[] {
    this.#open(state);
    return reads.map((read) => this.#read(read));
  }

  outcome(answer: number): MoveOutcome {
    return readMoveOutcome(new Reader(this.#answers.bytes(answer)));
  }

  result(answer: number): Result {
    return readResult(new Reader(this.#answers.bytes(answer)));
  }

  /** What a replica in this state says about a move; undefined if it is no source of it. */
  source(state: number, moveId: number): SourceFacts | undefined {
    const known = this.#sources.get(state, moveId);
    if (known !== undefined) return this.#sourceFacts[known];
    const facts = this.#ask(state, moveId);
    this.#sources.set(state, moveId, this.#sourceFacts.length);
    this.#sourceFacts.push(facts);
    return facts;
  }

  #ask(state: number, moveId: number): SourceFacts | undefined {
    const { status } = this.facts(state);
    const open = status?.openExport;
    if (status === undefined || open === undefined || open.moveId !== moveId) return undefined;
    this.#open(state);
    const pieces = new Set<number>();
    let activate: number | undefined;
    let frozen: FrozenFacts | undefined;
    for (const reader of this.#readers) {
      if (reader !== this.#group) reader.load();
      for (const cursor of this.#options.cursors) {
        const reply = reader.answer({ kind: AskKind.page, moveId, shard: SHARD, cursor, minView: 0 });
        if (reply.verdict !== Verdict.page) continue;
        const { page } = reply;
        pieces.add(this.step({ step: MoveStep.importChunk, moveId, shard: SHARD, page }));
      }
      for (let from = 0; from <= status.revision; from++) {
        const reply = reader.answer({ kind: AskKind.changes, moveId, shard: SHARD, from });
        if (reply.verdict !== Verdict.changes) continue;
        if (reply.delta.length > 0) {
          const { delta } = reply;
          pieces.add(this.step({ step: MoveStep.importDelta, moveId, shard: SHARD, delta }));
        }
        if (reply.frozen === undefined) continue;
        frozen = reply.frozen;
        activate = this.step({ step: MoveStep.activate, moveId, shard: SHARD, ...reply.frozen });
      }
    }
    return { r0: open.r0, pieces: this.pools.of([...pieces]), activate, frozen };
  }
}

export const stateWords: Readonly<Record<ShardState, string>> = {
  [ShardState.absent]: 'Absent',
  [ShardState.importing]: 'Importing',
  [ShardState.serving]: 'Serving',
  [ShardState.frozen]: 'Frozen',
};
