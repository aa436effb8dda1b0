import { must, Reader, utf8Encode, Writer, Xxh64 } from '@flotilla/base';
import {
  beginEntry,
  blankCommand,
  blankRead,
  type Command,
  EntryBody,
  type MoveAnswer,
  type MoveEntry,
  type MoveOutcome,
  MoveStep,
  Op,
  type Read,
  ReadKind,
  type Result,
  readMoveOutcome,
  readResult,
  writeBatchHead,
  writeCommand,
} from '@flotilla/wire';
import { DataGroup, moveEntry, timeEntry } from '../data-group.ts';
import { KeySpace } from '../keys.ts';
import { prepareBatch } from '../prepare.ts';
import { Shard } from '../shard.ts';
import { readShard, writeShard } from '../shard-record.ts';
import { MemoryStore } from './memory-store.ts';

/** One data group without consensus: entries are applied as they come. For tests of this package. */

export const PREFIX: Uint8Array = utf8Encode('group-one-replica-x');
export const EPOCH = 1;
/** Tells the session of a rig from those of its tests, and of other groups' rigs. */
const OWN_TAG = 0xffff;

export interface BatchOptions {
  readonly session?: Uint8Array;
  readonly floor?: number;
  readonly stamp?: number;
}

export interface RigOptions {
  readonly gid?: number;
  readonly store?: MemoryStore;
  readonly prefix?: Uint8Array;
  readonly shardCount?: number;
  readonly rowCacheBytes?: number;
}

export function bytes(text: string): Uint8Array {
  return utf8Encode(text);
}

/** A session id that says when it was opened; the rest tells sessions apart. */
export function sessionOf(openedAt: number, tag = 1): Uint8Array {
  const session = new Uint8Array(16);
  let rest = openedAt;
  for (let at = 5; at >= 0; at--) {
    session[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  session[14] = tag >>> 8;
  session[15] = tag;
  return session;
}

export function command(part: Partial<Command>): Command {
  return { ...blankCommand(), epoch: EPOCH, key: bytes('k'), ...part };
}

export function read(part: Partial<Read>): Read {
  return { ...blankRead(), epoch: EPOCH, ...part };
}

/** A client's batch as it leaves the client: without stamp. */
export function batchOf(commands: readonly Command[], session: Uint8Array, floor: number): Uint8Array {
  const out = new Writer(256);
  beginEntry(out, EntryBody.clientBatch, commands.length);
  writeBatchHead(out, { session, floor });
  for (const one of commands) writeCommand(out, one);
  return out.finish();
}

export class Rig {
  readonly store: MemoryStore;
  readonly hasher: Xxh64 = new Xxh64();
  readonly shardCount: number;
  readonly gid: number;
  readonly prefix: Uint8Array;
  readonly #rowCacheBytes: number | undefined;
  group: DataGroup;
  index = 0;
  /** Log time of entries that name none. */
  now = 1_000_000;
  #seq = 0;

  constructor(options: RigOptions = {}) {
    this.store = options.store ?? new MemoryStore();
    this.shardCount = options.shardCount ?? 4;
    this.gid = options.gid ?? 7;
    this.prefix = options.prefix ?? PREFIX;
    this.#rowCacheBytes = options.rowCacheBytes;
    this.group = this.open();
  }

  /** A rig with some shards that serve. */
  static serving(shards: readonly number[] = [0], options: RigOptions = {}): Rig {
    const rig = new Rig(options);
    for (const shard of shards) rig.activate(shard, 1);
    return rig;
  }

  open(): DataGroup {
    const group = new DataGroup({
      gid: this.gid,
      store: this.store,
      prefix: this.prefix,
      hasher: this.hasher,
      shardCount: this.shardCount,
      ...(this.#rowCacheBytes === undefined ? {} : { rowCacheBytes: this.#rowCacheBytes }),
    });
    group.load();
    return group;
  }

  /** What a restart does: everything that was flushed, nothing else. */
  restart(): void {
    this.group.flush();
    this.group = this.open();
  }

  /** Restarts with a shard record that was changed on the disk: states that are hard to come by otherwise. */
  rewriteShard(number: number, change: (shard: Shard) => void): void {
    this.group.flush();
    const shard = new Shard(number, new KeySpace(this.prefix));
    readShard(must(this.store.get(shard.key), 'a stored shard'), shard);
    change(shard);
    const out = new Writer(256);
    writeShard(out, shard);
    this.store.put(shard.key, out.finish());
    this.group = this.open();
  }

  apply(entry: Uint8Array): Reader {
    const out = new Writer(256);
    this.index++;
    this.group.apply(this.index, entry, out);
    return new Reader(out.finish());
  }

  /** Proposes and applies a step of a move. */
  step(step: MoveEntry): MoveOutcome {
    const answer = this.apply(moveEntry(step, this.now));
    const outcome = readMoveOutcome(answer);
    answer.expectEnd();
    return outcome;
  }

  activate(shard: number, moveId: number, epoch: number = EPOCH): MoveAnswer {
    return this.step({ step: MoveStep.activateEmpty, moveId, shard, epoch }).answer;
  }

  time(
    shares: readonly { readonly shard: number; readonly items: number }[],
    stamp: number = this.now,
  ): void {
    this.apply(timeEntry(shares, stamp));
  }

  /** Proposes and applies a batch. */
  batch(commands: readonly Command[], options: BatchOptions = {}): Result[] {
    const stamp = options.stamp ?? this.now;
    const entry = batchOf(
      commands,
      options.session ?? sessionOf(this.now, OWN_TAG - this.gid),
      options.floor ?? 0,
    );
    const fault = prepareBatch(entry, stamp);
    if (fault !== undefined) throw new Error(fault);
    const answer = this.apply(entry);
    const results = commands.map(() => readResult(answer));
    answer.expectEnd();
    return results;
  }

  /** One command with a seq of its own in a session of the rig. */
  run(part: Partial<Command>, options: BatchOptions = {}): Result {
    const floor = options.floor ?? this.#seq++;
    return must(this.batch([command(part)], { ...options, floor })[0], 'one result');
  }

  put(key: string, value: string, part: Partial<Command> = {}): Result {
    return this.run({ op: Op.put, key: bytes(key), value: bytes(value), ...part });
  }

  read(part: Partial<Read>): Result {
    const out = new Writer(256);
    this.group.read(read(part), out);
    const from = new Reader(out.finish());
    const result = readResult(from);
    from.expectEnd();
    return result;
  }

  get(key: string, shard = 0): Result {
    return this.read({ kind: ReadKind.get, shard, key: bytes(key) });
  }

  /** All stored bytes of the group, as text that two rigs can compare. */
  dump(): string[] {
    this.group.flush();
    return this.store.dump(this.prefix).map(([key, value]) => `${hex(key)} ${hex(value)}`);
  }
}

function hex(part: Uint8Array): string {
  let text = '';
  for (const byte of part) text += byte.toString(16).padStart(2, '0');
  return text;
}
