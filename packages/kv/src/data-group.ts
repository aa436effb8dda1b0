import { assert, DecodeError, Reader, Writer } from '@flotilla/base';
import type { Hasher, StateStore } from '@flotilla/ports';
import {
  beginEntry,
  ENTRY_FORMAT,
  EntryBody,
  type EntryHead,
  limits,
  MoveAnswer,
  type MoveEntry,
  type MoveQuestion,
  type MoveReply,
  MoveStep,
  type Read,
  readEntryHead,
  readMoveEntry,
  readTimeBody,
  type ShardDigests,
  stampEntry,
  type TimeShare,
  writeMoveEntry,
  writeMoveOutcome,
  writeRefused,
  writeTimeBody,
} from '@flotilla/wire';
import { BatchApplier, noSuchShard, writeNotHere } from './batch.ts';
import { isWalkable } from './batch-walk.ts';
import { ChangeIndex } from './change-index.ts';
import { CopyReader } from './copy-reader.ts';
import { NewerFormatError } from './errors.ts';
import { Executor } from './executor.ts';
import { getU53, setU53 } from './fields.ts';
import { GROUP_SHARD, GroupKind, headEnd, KeySpace } from './keys.ts';
import { MoveApplier } from './move-applier.ts';
import { MoveSource } from './move-source.ts';
import { MoveTarget } from './move-target.ts';
import { Purge } from './purge.ts';
import { RecordTable } from './record-table.ts';
import { SessionTable } from './session-table.ts';
import { type Shard, ShardState } from './shard.ts';
import { answerRead } from './shard-reads.ts';
import { readShard, writeShard } from './shard-record.ts';
import { isKnown, type ShardLoad, type ShardStatus, statusOf } from './shard-status.ts';
import { ShardTable } from './shard-table.ts';
import { countDue, findNextDue, removeDue } from './upkeep.ts';

/**
 * The deterministic state machine of a data group. Everything that decides stands in the entry, the stored
 * state and the constants of the entry format; there is no clock, no setting and no chance, so replicas that
 * applied the same log hold the same bytes, also when one of them was restarted in between.
 *
 * `apply` never fails for what an entry says. What cannot be decoded, or is not allowed, is refused alike by
 * all. Two things stop the replica: an entry or stored state of a newer format, and a store that fails.
 */

export interface DataGroupOptions {
  readonly gid: number;
  readonly store: StateStore;
  /** Names group, group incarnation and replica generation; begins all keys and stands in no value. */
  readonly prefix: Uint8Array;
  readonly hasher: Hasher;
  /** Of the cluster; the same for all replicas, for ever. */
  readonly shardCount: number;
  /** Bound of the cache of session rows. */
  readonly rowCacheBytes?: number;
  /** Items of one page or delta for a move, unless a single item or revision is larger. */
  readonly pieceBytes?: number;
}

const GROUP_FORMAT = 1;
const GROUP_BYTES = 9;
const ROW_CACHE_BYTES = 8 * 1024 * 1024;

/** Room for an entry of a move without the piece of a copy. */
const MOVE_HEAD_BYTES = 128;

/** A copied piece is large: its entry is built in one go, in memory of the right size. */
function pieceBytes(step: MoveEntry): number {
  if (step.step === MoveStep.importChunk) return step.page.length;
  return step.step === MoveStep.importDelta ? step.delta.length : 0;
}

/** A whole entry with one move step, ready to be proposed. */
export function moveEntry(step: MoveEntry, stamp: number): Uint8Array {
  const out = new Writer(MOVE_HEAD_BYTES + pieceBytes(step));
  beginEntry(out, EntryBody.move, 0);
  writeMoveEntry(out, step);
  const entry = out.take();
  stampEntry(entry, stamp);
  return entry;
}

/** A whole entry that removes what is due in the named shards, ready to be proposed. */
export function timeEntry(shares: readonly TimeShare[], stamp: number): Uint8Array {
  const out = new Writer(64);
  beginEntry(out, EntryBody.time, 0);
  writeTimeBody(out, shares);
  const entry = out.finish();
  stampEntry(entry, stamp);
  return entry;
}

export class DataGroup {
  readonly #gid: number;
  readonly #store: StateStore;
  readonly #shards: ShardTable;
  readonly #records: RecordTable;
  readonly #sessions: SessionTable;
  readonly #batches: BatchApplier;
  readonly #changes: ChangeIndex;
  readonly #purge: Purge;
  readonly #moves: MoveApplier;
  readonly #groupKey: Uint8Array;
  readonly #shardHead: Uint8Array;
  readonly #writer: Writer = new Writer(256);
  #lastStamp = 0;
  #storedStamp = 0;
  /** Shard with which the next time entry begins, so that none waits for ever behind busy ones. */
  #upkeepAt = 0;

  constructor(options: DataGroupOptions) {
    assert(
      options.shardCount > 0 && options.shardCount <= limits.shardCountMax,
      () => `${options.shardCount} shards (1 to ${limits.shardCountMax} are allowed)`,
    );
    const { store, hasher } = options;
    const keys = new KeySpace(options.prefix.slice());
    this.#gid = options.gid;
    this.#store = store;
    this.#changes = new ChangeIndex(store);
    this.#records = new RecordTable(store, hasher, this.#changes, keys.nameAt);
    const rowCacheBytes = options.rowCacheBytes ?? ROW_CACHE_BYTES;
    this.#sessions = new SessionTable(store, hasher, this.#changes, rowCacheBytes);
    this.#purge = new Purge(store, keys);
    this.#groupKey = keys.head(GROUP_SHARD, 0, GroupKind.group);
    this.#shardHead = keys.head(GROUP_SHARD, 0, GroupKind.shard);
    this.#shards = new ShardTable(options.shardCount, keys);
    const executor = new Executor(store, this.#records);
    this.#batches = new BatchApplier(options.gid, this.#shards, this.#sessions, executor, hasher);
    const pieceBytes = options.pieceBytes ?? limits.importPieceBytes;
    const source = new MoveSource(this.#changes, new CopyReader(store, hasher, this.#changes, pieceBytes));
    const target = new MoveTarget(store, hasher, this.#records);
    this.#moves = new MoveApplier(this.#shards, this.#sessions, this.#purge, source, target);
  }

  /** Rebuilds memory from the stored state; called before anything else. What was not flushed is forgotten. */
  load(): void {
    this.#shards.clear();
    this.#sessions.clear();
    this.#lastStamp = 0;
    this.#storedStamp = 0;
    const group = this.#store.get(this.#groupKey);
    if (group !== undefined) {
      const format = group[0];
      if (format !== GROUP_FORMAT) {
        throw new NewerFormatError(
          `the state of group ${this.#gid} has format ${format} and needs a newer version of Flotilla`,
          { format },
        );
      }
      this.#lastStamp = getU53(group, 1);
      this.#storedStamp = this.#lastStamp;
    }
    const head = this.#shardHead;
    this.#store.scan(head, headEnd(head), (key, value) => {
      const number = (key[head.length] as number) * 256 + (key[head.length + 1] as number);
      assert(
        number < this.#shards.shardCount,
        () => `shard ${number} is stored, of ${this.#shards.shardCount}`,
      );
      readShard(value, this.#shards.make(number));
      return true;
    });
    for (const shard of this.#shards.known) {
      if (shard.state === ShardState.serving) findNextDue(this.#store, shard);
    }
    this.#purge.sweep(this.#shards);
  }

  /** Highest log time applied. */
  get lastStamp(): number {
    return this.#lastStamp;
  }

  /**
   * Applies the entry at a log index. With `out`, writes the answer: one result per command of a batch, or
   * the `MoveOutcome` of a move step. Throws `NewerFormatError` before it changes anything.
   */
  apply(index: number, entry: Uint8Array, out: Writer | undefined): void {
    // Raft's own entries are empty.
    if (entry.length === 0) return;
    const format = entry[0];
    if (format !== ENTRY_FORMAT) {
      throw new NewerFormatError(
        `entry ${index} of group ${this.#gid} has format ${format} and needs a newer version of Flotilla`,
        { index, format },
      );
    }
    const head = decoded(() => readEntryHead(entry));
    if (head === undefined) return;
    switch (head.kind) {
      case EntryBody.clientBatch:
        this.#applyBatch(entry, head, out);
        break;
      case EntryBody.time:
        this.#applyTime(entry, head);
        break;
      case EntryBody.move:
        this.#applyMove(index, entry, head, out);
        break;
      default:
        // No version proposes it under this format, else replicas of different versions would differ.
        refuseAll(head.count, out);
    }
    if (this.#sessions.isFull) this.#sessions.flush();
  }

  #advance(head: EntryHead): void {
    if (head.stamp > this.#lastStamp) this.#lastStamp = head.stamp;
  }

  #applyBatch(entry: Uint8Array, head: EntryHead, out: Writer | undefined): void {
    if (!isWalkable(entry, head.bodyAt, head.count)) {
      refuseAll(head.count, out);
      return;
    }
    this.#advance(head);
    this.#batches.apply(entry, head, this.#lastStamp, out);
  }

  #applyTime(entry: Uint8Array, head: EntryHead): void {
    const shares = decoded(() => readTimeBody(new Reader(entry, head.bodyAt)));
    if (shares === undefined) return;
    this.#advance(head);
    this.#sessions.flush();
    for (const share of shares) {
      const shard = this.#shards.get(share.shard);
      if (shard?.state !== ShardState.serving) continue;
      const now = this.#now(shard);
      removeDue(this.#store, this.#records, this.#sessions, this.#changes, shard, now, share.items);
    }
  }

  #applyMove(index: number, entry: Uint8Array, head: EntryHead, out: Writer | undefined): void {
    const step = decoded(() => {
      const from = new Reader(entry, head.bodyAt);
      const read = readMoveEntry(from);
      from.expectEnd();
      return read;
    });
    if (step === undefined) {
      if (out !== undefined) writeMoveOutcome(out, { answer: MoveAnswer.stale });
      return;
    }
    this.#advance(head);
    const outcome = this.#moves.apply(index, step, this.#lastStamp, out !== undefined);
    if (out !== undefined) writeMoveOutcome(out, outcome);
  }

  /** Time of a shard: it goes with the shard into groups whose own time is behind, and never back. */
  #now(shard: Shard): number {
    return Math.max(shard.timeFloor, this.#lastStamp);
  }

  /** Everything applied up to `index` survives a crash: what it gave up is deleted. */
  durable(index: number): void {
    this.#purge.durable(index);
  }

  /** Answers a question about a shard that moves away, on the applied state of this replica. */
  answer(question: MoveQuestion): MoveReply {
    this.#sessions.flush();
    return this.#moves.answer(question);
  }

  /** Writes back what `apply` kept in memory; called before the store's transaction ends. */
  flush(): void {
    this.#sessions.flush();
    const writer = this.#writer;
    for (const shard of this.#shards.known) {
      if (!shard.dirty) continue;
      writer.reset();
      writeShard(writer, shard);
      this.#store.put(shard.key, writer.finish());
      shard.dirty = false;
    }
    if (this.#storedStamp === this.#lastStamp) return;
    const group = new Uint8Array(GROUP_BYTES);
    group[0] = GROUP_FORMAT;
    setU53(group, 1, this.#lastStamp);
    this.#store.put(this.#groupKey, group);
    this.#storedStamp = this.#lastStamp;
  }

  /** Answers one read on the applied state with one result. */
  read(read: Read, out: Writer): void {
    const shard = this.#shards.get(read.shard);
    if (read.shard >= this.#shards.shardCount) {
      writeRefused(out, noSuchShard(read.shard, this.#shards.shardCount));
    } else if (shard?.state !== ShardState.serving || shard.epoch !== read.epoch) {
      writeNotHere(out, this.#gid, shard);
    } else {
      const before = out.length;
      answerRead(this.#store, this.#records, shard, read, this.#now(shard), out);
      shard.operations++;
      shard.trafficBytes += read.key.length + out.length - before;
    }
  }

  /** Log time from which on something may be removed; undefined while nothing ever will. */
  dueAt(): number | undefined {
    let dueAt = Number.POSITIVE_INFINITY;
    for (const shard of this.#shards.known) {
      if (shard.state !== ShardState.serving) continue;
      // A shard whose own time is ahead of the group's is judged by its own.
      const due = shard.nextDue <= shard.timeFloor ? 0 : shard.nextDue;
      if (due < dueAt) dueAt = due;
    }
    return dueAt === Number.POSITIVE_INFINITY ? undefined : dueAt;
  }

  /** What a leader proposes when something is due at this log time; undefined if nothing is. */
  timeEntry(stamp: number): Uint8Array | undefined {
    this.#sessions.flush();
    const shares: TimeShare[] = [];
    let left: number = limits.timeEntryItems;
    const { known } = this.#shards;
    const first = known.findIndex((shard) => shard.number >= this.#upkeepAt);
    for (let turn = 0; turn < known.length && left > 0; turn++) {
      const shard = known[(Math.max(first, 0) + turn) % known.length] as Shard;
      const now = Math.max(stamp, this.#now(shard));
      if (shard.state !== ShardState.serving || shard.nextDue > now) continue;
      const items = countDue(this.#store, shard, now, left);
      // Nothing there after all: a record lost its expiry or was deleted since.
      if (items === 0) findNextDue(this.#store, shard);
      else shares.push({ shard: shard.number, items });
      left -= items;
      this.#upkeepAt = shard.number + 1;
    }
    return shares.length === 0 ? undefined : timeEntry(shares, stamp);
  }

  /** Undefined for a shard that never was here: Absent, with fence 0. */
  shard(number: number): ShardStatus | undefined {
    const shard = this.#shards.get(number);
    return shard !== undefined && isKnown(shard) ? statusOf(shard) : undefined;
  }

  /** All shards of which this group knows anything, by number. */
  *shards(): Generator<ShardStatus> {
    for (const shard of this.#shards.known) if (isKnown(shard)) yield statusOf(shard);
  }

  /** What each shard had to do on this replica since it was loaded: a hint for whoever balances. */
  *loads(): Generator<ShardLoad> {
    for (const { number, operations, trafficBytes } of this.#shards.known) {
      if (operations > 0) yield { shard: number, operations, bytes: trafficBytes };
    }
  }

  /** Sums over a shard's records and session rows; undefined unless it has a copy here. */
  digest(number: number): ShardDigests | undefined {
    const shard = this.#shards.get(number);
    if (shard === undefined || shard.state === ShardState.absent) return undefined;
    this.#sessions.flush();
    return { records: shard.records.value(), rows: shard.rows.value() };
  }
}

/** What the reader returns; undefined if the bytes cannot be decoded. */
function decoded<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function refuseAll(count: number, out: Writer | undefined): void {
  if (out === undefined) return;
  for (let at = 0; at < count; at++) writeRefused(out, 'the batch cannot be decoded');
}
