import { assert, compareBytes } from '@flotilla/base';
import { DigestSum } from './digest.ts';
import { GroupKind, type KeySpace, Kind } from './keys.ts';

/**
 * State of one shard in one group. Everything but the fields that say otherwise is replicated: equal on all
 * replicas, stored in the shard record, part of every group snapshot. All changes of state stand here; which
 * of them an entry brings about is decided in `move-source` and `move-target`.
 */
export const ShardState = { absent: 0, importing: 1, serving: 2, frozen: 3 } as const;
export type ShardState = (typeof ShardState)[keyof typeof ShardState];

/** A source's change index: names of what changed after revision `r0`, under generation `index`. */
export interface OpenExport {
  readonly moveId: number;
  r0: number;
  readonly index: number;
  /** Over all entries of the index: what they and their items weigh. */
  bytes: number;
  /** Where the keys of the index begin. */
  readonly head: Uint8Array;
  /** What the entries after revision `talliedTo` weigh: a memory of this replica, not replicated. */
  talliedTo: number;
  tallied: number;
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
  /** Reads and commands of this replica since it was loaded, and their bytes; not replicated. */
  operations = 0;
  trafficBytes = 0;
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

  /** Indexes of the entries that began what is kept here; everything else of the shard is given up. */
  get named(): readonly number[] {
    const named = this.state === ShardState.absent ? [] : [this.generation];
    if (this.openExport !== undefined) named.push(this.openExport.index);
    return named;
  }

  /** Begins to serve an empty copy: the only way in that needs no other group. */
  activateEmpty(moveId: number, epoch: number, index: number): void {
    assert(this.state === ShardState.absent, () => `shard ${this.number} already has a copy here`);
    this.#open(moveId);
    this.#beginCopy(moveId, epoch, index);
    this.state = ShardState.serving;
    this.#close(moveId);
    this.#forgetHint();
  }

  /** Begins to note what changes; whatever an older move noted goes. */
  beginExport(moveId: number, index: number): void {
    assert(this.state === ShardState.serving, () => `shard ${this.number} is not served here`);
    this.#open(moveId);
    this.setExport(moveId, this.revision, index, 0);
    this.dirty = true;
  }

  setExport(moveId: number, r0: number, index: number, bytes: number): void {
    const head = this.#keys.head(this.number, index, Kind.change);
    this.openExport = { moveId, r0, index, bytes, head, talliedTo: r0, tallied: bytes };
  }

  /** The one point that decides: from here on the copy never changes again. `time` is its last. */
  freeze(moveId: number, target: number, time: number): void {
    assert(this.state === ShardState.serving, () => `shard ${this.number} is not served here`);
    assert(this.openExport?.moveId === moveId, () => `move ${moveId} has no export of shard ${this.number}`);
    assert(time >= this.timeFloor, () => `the time of shard ${this.number} goes back to ${time}`);
    this.#open(moveId);
    this.state = ShardState.frozen;
    this.moveId = moveId;
    this.fence = moveId;
    this.timeFloor = time;
    this.hintGid = target;
    this.hintEpoch = this.epoch + 1;
    this.nextDue = Number.POSITIVE_INFINITY;
    this.dirty = true;
  }

  /** Begins a copy of another group's shard; what was here goes, the hint stays. */
  beginImport(moveId: number, epoch: number, index: number, staging: Staging): void {
    assert(this.state !== ShardState.serving, () => `shard ${this.number} is served here`);
    this.#open(moveId);
    this.#beginCopy(moveId, epoch, index);
    this.state = ShardState.importing;
    this.staging = staging;
  }

  /** The items up to `cursor` are staged. */
  moveCursor(cursor: Uint8Array, isComplete: boolean): void {
    const { staging } = this;
    assert(staging?.isComplete === false, () => `shard ${this.number} takes no page`);
    assert(compareBytes(cursor, staging.cursor) > 0, () => `the cursor of shard ${this.number} goes back`);
    staging.cursor = cursor;
    staging.isComplete = isComplete;
    this.dirty = true;
  }

  /** The changes up to `pos` are staged. */
  movePos(pos: number): void {
    const { staging } = this;
    assert(staging !== undefined, () => `shard ${this.number} has nothing staged`);
    assert(pos > staging.pos, () => `shard ${this.number} goes back from ${staging.pos} to ${pos}`);
    staging.pos = pos;
    this.dirty = true;
  }

  /** The staged copy becomes the live one as it stands. */
  activate(revision: number, time: number): void {
    assert(this.state === ShardState.importing, () => `shard ${this.number} has nothing staged`);
    assert(this.staging?.isComplete === true, () => `the copy of shard ${this.number} is not whole`);
    assert(this.staging.pos === revision, () => `the copy of shard ${this.number} is not at ${revision}`);
    this.#open(this.moveId);
    this.staging = undefined;
    this.state = ShardState.serving;
    this.revision = revision;
    this.timeFloor = time;
    this.#close(this.moveId);
    this.#forgetHint();
  }

  /** Gives up the copy. Fence and hint stay. */
  becomeAbsent(): void {
    assert(this.state !== ShardState.serving, () => `shard ${this.number} is served here`);
    this.#beginCopy(0, 0, 0);
    this.state = ShardState.absent;
  }

  /** Closes all moves up to `moveId`: a staging or an export of theirs goes. A frozen copy keeps its own. */
  raiseFence(moveId: number): void {
    assert(moveId >= this.fence, () => `the fence of shard ${this.number} falls to ${moveId}`);
    if (this.state === ShardState.importing && this.moveId <= moveId) this.becomeAbsent();
    this.#close(moveId);
  }

  #open(moveId: number): void {
    assert(moveId > this.fence, () => `move ${moveId} is closed in shard ${this.number}`);
  }

  #close(moveId: number): void {
    this.fence = moveId;
    const open = this.openExport;
    if (this.state === ShardState.serving && open !== undefined && open.moveId <= moveId) {
      this.openExport = undefined;
    }
    this.dirty = true;
  }

  #forgetHint(): void {
    this.hintGid = 0;
    this.hintEpoch = 0;
  }

  #beginCopy(moveId: number, epoch: number, generation: number): void {
    this.moveId = moveId;
    this.epoch = epoch;
    this.useGeneration(generation);
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
    this.dirty = true;
  }

  /** Names the copy whose keys are read and written from here on. */
  useGeneration(generation: number): void {
    this.generation = generation;
    this.recordHead = this.#keys.head(this.number, generation, Kind.record);
    this.rowHead = this.#keys.head(this.number, generation, Kind.row);
    this.expiryHead = this.#keys.head(this.number, generation, Kind.expiry);
  }

  /** What holds in every state, checked after every step of a move and wherever a record is read or written. */
  check(): void {
    const { state, openExport: open, staging } = this;
    assert(
      (staging !== undefined) === (state === ShardState.importing),
      () => `shard ${this.number} in state ${state}: exactly an importing shard stages`,
    );
    if (state === ShardState.importing) {
      assert(this.moveId > this.fence, () => `shard ${this.number} stages for closed move ${this.moveId}`);
    } else if (state !== ShardState.absent) {
      assert(this.moveId <= this.fence, () => `shard ${this.number}: move ${this.moveId} is still open`);
    }
    if (state === ShardState.frozen) {
      assert(open?.moveId === this.moveId, () => `frozen shard ${this.number} lost its export`);
    } else if (open !== undefined) {
      assert(state === ShardState.serving, () => `shard ${this.number} exports in state ${state}`);
      assert(open.moveId > this.fence, () => `shard ${this.number} exports for closed move ${open.moveId}`);
    }
    if (open === undefined) return;
    assert(open.r0 <= this.revision, () => `the export of shard ${this.number} begins in the future`);
    assert(open.bytes >= 0, () => `the change index of shard ${this.number} weighs ${open.bytes}`);
  }
}
