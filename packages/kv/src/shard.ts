import { assert, Reader, type Writer } from '@flotilla/base';
import { DigestSum } from './digest.ts';
import { NewerFormatError } from './errors.ts';
import { GroupKind, type KeySpace, Kind } from './keys.ts';

/**
 * State of one shard in one group. All fields up to `openExport` and `staging` are replicated state: equal on
 * all replicas, stored in the shard record, part of every group snapshot. Steps of moves between groups will
 * use the states Importing and Frozen; they are stored and answered for already, and nothing enters them yet.
 */
export const ShardState = { absent: 0, importing: 1, serving: 2, frozen: 3 } as const;
export type ShardState = (typeof ShardState)[keyof typeof ShardState];

/** A source's change index: names of what changed after revision `from`, under generation `index`. */
export interface OpenExport {
  readonly moveId: number;
  from: number;
  readonly index: number;
}

/** How far a target has come. */
export interface Staging {
  readonly sourceGid: number;
  readonly sourceIncarnation: number;
  cursor: Uint8Array;
  isComplete: boolean;
  /** Every staged item equals the source's, or the source's revision of it is above this. */
  pos: number;
}

const SHARD_FORMAT = 1;
const CURSOR_BYTES_MAX = 2048;

export class Shard {
  readonly number: number;
  state: ShardState = ShardState.absent;
  /** Highest move id that is closed here; never lowered, never dropped. */
  fence = 0;
  /** Where to send clients instead; 0 while unknown. */
  hintGid = 0;
  hintEpoch = 0;
  /** The move that brought the copy (Serving), brings it (Importing) or took it away (Frozen). */
  moveId = 0;
  epoch = 0;
  /** Index of the entry that began this copy. */
  generation = 0;
  revision = 0;
  /** `timeFloor` of the protocol; in Frozen the final time. */
  timeFloor = 0;
  readonly records: DigestSum = new DigestSum();
  readonly rows: DigestSum = new DigestSum();
  recordCount = 0;
  /** Keys and values, without overhead. */
  recordBytes = 0;
  rowCount = 0;
  openExport: OpenExport | undefined = undefined;
  staging: Staging | undefined = undefined;

  /** Not later than the first time at which something is due; a hint of this replica, not replicated. */
  nextDue: number = Number.POSITIVE_INFINITY;
  /** The stored record is older than this one. */
  dirty = false;
  recordHead: Uint8Array = new Uint8Array(0);
  rowHead: Uint8Array = new Uint8Array(0);
  expiryHead: Uint8Array = new Uint8Array(0);
  readonly key: Uint8Array;
  readonly #keys: KeySpace;

  constructor(number: number, keys: KeySpace) {
    this.number = number;
    this.#keys = keys;
    const head = keys.head(0xffff, 0, GroupKind.shard);
    this.key = new Uint8Array(head.length + 2);
    this.key.set(head, 0);
    this.key[head.length] = number >>> 8;
    this.key[head.length + 1] = number;
  }

  /** Begins to serve an empty copy: the only way in that needs no other group. */
  activateEmpty(moveId: number, epoch: number, index: number): void {
    assert(this.state === ShardState.absent, () => `shard ${this.number} already has a copy here`);
    assert(moveId > this.fence, () => `move ${moveId} is closed in shard ${this.number}`);
    this.state = ShardState.serving;
    this.fence = moveId;
    this.hintGid = 0;
    this.hintEpoch = 0;
    this.moveId = moveId;
    this.epoch = epoch;
    this.revision = 0;
    this.timeFloor = 0;
    this.records.reset();
    this.rows.reset();
    this.recordCount = 0;
    this.recordBytes = 0;
    this.rowCount = 0;
    this.openExport = undefined;
    this.staging = undefined;
    this.nextDue = Number.POSITIVE_INFINITY;
    this.useGeneration(index);
    this.dirty = true;
  }

  /** Names the copy whose keys are read and written from here on. */
  useGeneration(generation: number): void {
    this.generation = generation;
    this.recordHead = this.#keys.head(this.number, generation, Kind.record);
    this.rowHead = this.#keys.head(this.number, generation, Kind.row);
    this.expiryHead = this.#keys.head(this.number, generation, Kind.expiry);
  }

  write(out: Writer): void {
    out.u8(SHARD_FORMAT);
    out.u8(this.state);
    out.u53(this.fence);
    out.u32(this.hintGid);
    out.u32(this.hintEpoch);
    if (this.state === ShardState.absent) return;
    out.u53(this.moveId);
    out.u32(this.epoch);
    out.u53(this.generation);
    out.u53(this.revision);
    out.u53(this.timeFloor);
    for (const sum of [this.records, this.rows]) {
      out.u32(sum.hi);
      out.u32(sum.lo);
    }
    out.u53(this.recordCount);
    out.u53(this.recordBytes);
    out.u53(this.rowCount);
    const open = this.openExport;
    out.bool(open !== undefined);
    if (open !== undefined) {
      out.u53(open.moveId);
      out.u53(open.from);
      out.u53(open.index);
    }
    const staging = this.staging;
    assert(
      (staging !== undefined) === (this.state === ShardState.importing),
      'only an importing shard stages',
    );
    if (staging === undefined) return;
    out.u32(staging.sourceGid);
    out.u53(staging.sourceIncarnation);
    out.bytes16(staging.cursor);
    out.bool(staging.isComplete);
    out.u53(staging.pos);
  }

  read(bytes: Uint8Array): void {
    const from = new Reader(bytes);
    const format = from.u8();
    if (format !== SHARD_FORMAT) {
      throw new NewerFormatError(
        `the record of shard ${this.number} has format ${format} and needs a newer version of Flotilla`,
        { format },
      );
    }
    const state = from.u8();
    assert(state <= ShardState.frozen, () => `stored shard ${this.number} is in state ${state}`);
    this.state = state as ShardState;
    this.fence = from.u53();
    this.hintGid = from.u32();
    this.hintEpoch = from.u32();
    if (this.state !== ShardState.absent) this.#readCopy(from);
    from.expectEnd();
  }

  #readCopy(from: Reader): void {
    this.moveId = from.u53();
    this.epoch = from.u32();
    this.useGeneration(from.u53());
    this.revision = from.u53();
    this.timeFloor = from.u53();
    for (const sum of [this.records, this.rows]) {
      sum.hi = from.u32();
      sum.lo = from.u32();
    }
    this.recordCount = from.u53();
    this.recordBytes = from.u53();
    this.rowCount = from.u53();
    if (from.bool()) this.openExport = { moveId: from.u53(), from: from.u53(), index: from.u53() };
    if (this.state !== ShardState.importing) return;
    this.staging = {
      sourceGid: from.u32(),
      sourceIncarnation: from.u53(),
      cursor: from.bytes16(CURSOR_BYTES_MAX).slice(),
      isComplete: from.bool(),
      pos: from.u53(),
    };
  }
}
