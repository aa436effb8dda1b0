import { DecodeError, EMPTY_BYTES, type Reader, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * Body of a `read` frame:
 *
 *   request u32 · gid u32 · level u8 · maxAge ms u32 · time left ms u32 · count u16 · reads
 *
 * and one read: kind u8 · shard u16 · epoch u32, then for a get: key bytes16; for a scan of one shard: from
 * bytes16 · hasEnd u8 · to bytes16 · reverse u8 · limit u16 · bytes u32. A scan continues after the last key
 * of its page: forward from that key + 0x00, reverse up to that key exclusive.
 */

export const ReadKind = { get: 1, scan: 2 } as const;
export type ReadKind = (typeof ReadKind)[keyof typeof ReadKind];

export const ReadLevel = { linearizable: 0, follower: 1, stale: 2 } as const;
export type ReadLevel = (typeof ReadLevel)[keyof typeof ReadLevel];

export interface ReadHead {
  readonly request: number;
  readonly gid: number;
  readonly level: number;
  readonly maxAgeMs: number;
  readonly timeLeftMs: number;
  readonly count: number;
}

export interface Read {
  kind: ReadKind;
  shard: number;
  epoch: number;
  /** Key of a get, inclusive start of a scan. */
  key: Uint8Array;
  hasEnd: boolean;
  /** Exclusive end of a scan, with `hasEnd`. */
  to: Uint8Array;
  reverse: boolean;
  limit: number;
  bytesMax: number;
}

export function blankRead(): Read {
  return {
    kind: ReadKind.get,
    shard: 0,
    epoch: 0,
    key: EMPTY_BYTES,
    hasEnd: false,
    to: EMPTY_BYTES,
    reverse: false,
    limit: 0,
    bytesMax: 0,
  };
}

export function writeReadHead(out: Writer, head: ReadHead): void {
  out.u32(head.request);
  out.u32(head.gid);
  out.u8(head.level);
  out.u32(head.maxAgeMs);
  out.u32(head.timeLeftMs);
  out.u16(head.count);
}

export function readReadHead(from: Reader): ReadHead {
  return {
    request: from.u32(),
    gid: from.u32(),
    level: from.u8(),
    maxAgeMs: from.u32(),
    timeLeftMs: from.u32(),
    count: from.u16(),
  };
}

export function writeRead(out: Writer, read: Read): void {
  out.u8(read.kind);
  out.u16(read.shard);
  out.u32(read.epoch);
  out.bytes16(read.key);
  if (read.kind === ReadKind.get) return;
  out.bool(read.hasEnd);
  out.bytes16(read.to);
  out.bool(read.reverse);
  out.u16(read.limit);
  out.u32(read.bytesMax);
}

/** Reads the next read into `read`; throws `DecodeError` for what cannot be walked or is over a limit. */
export function readRead(from: Reader, read: Read): void {
  read.kind = from.u8() as ReadKind;
  read.shard = from.u16();
  read.epoch = from.u32();
  read.key = from.bytes16(limits.keyBytes + 1);
  if (read.kind === ReadKind.get) return;
  // Where the next read of the batch begins is not known.
  if (read.kind !== ReadKind.scan) throw new DecodeError(`read kind ${read.kind} is not known here`);
  read.hasEnd = from.bool();
  read.to = from.bytes16(limits.keyBytes + 1);
  read.reverse = from.bool();
  read.limit = from.u16();
  read.bytesMax = from.u32();
}
