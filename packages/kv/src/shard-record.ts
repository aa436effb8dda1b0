import { assert, EMPTY_BYTES, Reader, type Writer } from '@flotilla/base';
import { CURSOR_BYTES_MAX } from '@flotilla/wire';
import { NewerFormatError } from './errors.ts';
import { KeySpace } from './keys.ts';
import { Shard, ShardState } from './shard.ts';

/**
 * The stored record of a shard:
 *
 *   format u8 · state u8 · fence u53 · hint gid u32 · hint epoch u32, and unless Absent:
 *   move u53 · epoch u32 · generation u53 · revision u53 · time floor u53 · digests of records and rows ·
 *   records u53 · their bytes u53 · rows u53 · has export u8 · [move u53 · r0 u53 · index u53 · bytes u53], and
 *   while Importing: source gid u32 · its incarnation u53 · cursor bytes16 · is complete u8 · pos u53
 */
const SHARD_FORMAT = 1;

export function writeShard(out: Writer, shard: Shard): void {
  shard.check();
  out.u8(SHARD_FORMAT);
  out.u8(shard.state);
  out.u53(shard.fence);
  out.u32(shard.hintGid);
  out.u32(shard.hintEpoch);
  if (shard.state === ShardState.absent) return;
  out.u53(shard.moveId);
  out.u32(shard.epoch);
  out.u53(shard.generation);
  out.u53(shard.revision);
  out.u53(shard.timeFloor);
  for (const sum of [shard.records, shard.rows]) {
    out.u32(sum.hi);
    out.u32(sum.lo);
  }
  out.u53(shard.recordCount);
  out.u53(shard.recordBytes);
  out.u53(shard.rowCount);
  const open = shard.openExport;
  out.bool(open !== undefined);
  if (open !== undefined) {
    out.u53(open.moveId);
    out.u53(open.r0);
    out.u53(open.index);
    out.u53(open.bytes);
  }
  const { staging } = shard;
  if (staging === undefined) return;
  out.u32(staging.sourceGid);
  out.u53(staging.sourceIncarnation);
  out.bytes16(staging.cursor);
  out.bool(staging.isComplete);
  out.u53(staging.pos);
}

/** Fills a blank shard from its stored record. */
export function readShard(bytes: Uint8Array, shard: Shard): void {
  const from = new Reader(bytes);
  const format = from.u8();
  if (format !== SHARD_FORMAT) {
    throw new NewerFormatError(
      `the record of shard ${shard.number} has format ${format} and needs a newer version of Flotilla`,
      { format },
    );
  }
  const state = from.u8();
  assert(state <= ShardState.frozen, () => `stored shard ${shard.number} is in state ${state}`);
  shard.state = state as ShardState;
  shard.fence = from.u53();
  shard.hintGid = from.u32();
  shard.hintEpoch = from.u32();
  if (shard.state !== ShardState.absent) readCopy(from, shard);
  from.expectEnd();
  shard.check();
}

function readCopy(from: Reader, shard: Shard): void {
  shard.moveId = from.u53();
  shard.epoch = from.u32();
  shard.useGeneration(from.u53());
  shard.revision = from.u53();
  shard.timeFloor = from.u53();
  for (const sum of [shard.records, shard.rows]) {
    sum.hi = from.u32();
    sum.lo = from.u32();
  }
  shard.recordCount = from.u53();
  shard.recordBytes = from.u53();
  shard.rowCount = from.u53();
  if (from.bool()) shard.setExport(from.u53(), from.u53(), from.u53(), from.u53());
  if (shard.state !== ShardState.importing) return;
  shard.staging = {
    sourceGid: from.u32(),
    sourceIncarnation: from.u53(),
    cursor: from.bytes16(CURSOR_BYTES_MAX).slice(),
    isComplete: from.bool(),
    pos: from.u53(),
  };
}

/** What a stored shard record names, for whoever compares the states of replicas from outside. */
export interface ShardNames {
  /** Generations of the shard's keys that are kept; others are deleted by each replica at its leisure. */
  readonly copies: readonly number[];
  /** Generation of a copy that is served or frozen: whole, at `revision`. */
  readonly content: number | undefined;
  readonly revision: number;
}

export function readShardNames(record: Uint8Array): ShardNames {
  const shard = new Shard(0, new KeySpace(EMPTY_BYTES));
  readShard(record, shard);
  const isWhole = shard.state === ShardState.serving || shard.state === ShardState.frozen;
  return {
    copies: shard.named,
    content: isWhole ? shard.generation : undefined,
    revision: shard.revision,
  };
}
