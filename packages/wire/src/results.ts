import { DecodeError, EMPTY_BYTES, type Reader, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * What became of one command or read: status u8 and what that status carries. Both are written straight into
 * the reply frame. The same bytes are kept in session rows, so a repeat is answered by a copy.
 */

export const Status = {
  /** version u53 · value bytes32 (result of an increment; empty otherwise). */
  ok: 0,
  /** A condition failed: actual version u53 (0: absent). */
  conflict: 1,
  /** The shard is not here: gid u32 (0: unknown) · epoch u32 of the owner, as far as known. */
  wrongGroup: 2,
  /** The shard moved: gid u32 · epoch u32. */
  moved: 3,
  /** The shard is arriving here: retry after ms u16. */
  notReady: 4,
  sessionExpired: 5,
  belowFloor: 6,
  /** The session was opened in this shard's future, or seq and floor do not fit. */
  badSession: 7,
  /** The shard holds as many sessions as it may: retry after ms u16. */
  tooManySessions: 8,
  /** The stored value is not a decimal int64, or the increment is not: nothing changed. */
  notANumber: 9,
  overflow: 10,
  /** The result would be longer than a value may be. */
  tooLarge: 11,
  /** Refused by the leader or by the limits of the format: why text. */
  refused: 12,
  /** Range delete: version u53 · count u32 · next key bytes16 (empty: done). */
  rangeDeleted: 13,
  /** Read: version u53 · createVersion u53 · value bytes32. */
  record: 14,
  absent: 15,
  /** Read: count u32 · (key bytes16 · version u53 · createVersion u53 · value bytes32)… · more u8. */
  page: 16,
  /** The leader slows down the writers of this shard: retry after ms u16. */
  throttled: 17,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** The command was not executed, and may be sent again after a while. */
export type WaitStatus = typeof Status.notReady | typeof Status.tooManySessions | typeof Status.throttled;

export type Result =
  | { readonly status: typeof Status.ok; readonly version: number; readonly value: Uint8Array }
  | { readonly status: typeof Status.conflict; readonly version: number }
  | {
      readonly status: typeof Status.wrongGroup | typeof Status.moved;
      readonly gid: number;
      readonly epoch: number;
    }
  | { readonly status: WaitStatus; readonly retryAfterMs: number }
  | { readonly status: typeof Status.refused; readonly why: string }
  | {
      readonly status: typeof Status.rangeDeleted;
      readonly version: number;
      readonly count: number;
      readonly next: Uint8Array;
    }
  | {
      readonly status: typeof Status.record;
      readonly version: number;
      readonly createVersion: number;
      readonly value: Uint8Array;
    }
  | { readonly status: typeof Status.page; readonly records: readonly PageRecord[]; readonly more: boolean }
  | {
      readonly status:
        | typeof Status.sessionExpired
        | typeof Status.belowFloor
        | typeof Status.badSession
        | typeof Status.notANumber
        | typeof Status.overflow
        | typeof Status.tooLarge
        | typeof Status.absent;
    };

export interface PageRecord {
  readonly key: Uint8Array;
  readonly version: number;
  readonly createVersion: number;
  readonly value: Uint8Array;
}

export function writeOk(out: Writer, version: number, value: Uint8Array = EMPTY_BYTES): void {
  out.u8(Status.ok);
  out.u53(version);
  out.bytes32(value);
}

export function writeConflict(out: Writer, version: number): void {
  out.u8(Status.conflict);
  out.u53(version);
}

export function writeElsewhere(
  out: Writer,
  status: typeof Status.wrongGroup | typeof Status.moved,
  gid: number,
  epoch: number,
): void {
  out.u8(status);
  out.u32(gid);
  out.u32(epoch);
}

export function writeWait(out: Writer, status: WaitStatus, retryAfterMs: number): void {
  out.u8(status);
  out.u16(retryAfterMs);
}

export function writeRefused(out: Writer, why: string): void {
  out.u8(Status.refused);
  out.text(why);
}

/** A status that carries nothing. */
export function writeStatus(
  out: Writer,
  status:
    | typeof Status.sessionExpired
    | typeof Status.belowFloor
    | typeof Status.badSession
    | typeof Status.notANumber
    | typeof Status.overflow
    | typeof Status.tooLarge
    | typeof Status.absent,
): void {
  out.u8(status);
}

export function writeRangeDeleted(out: Writer, version: number, count: number, next: Uint8Array): void {
  out.u8(Status.rangeDeleted);
  out.u53(version);
  out.u32(count);
  out.bytes16(next);
}

export function writeRecord(out: Writer, version: number, createVersion: number, value: Uint8Array): void {
  out.u8(Status.record);
  out.u53(version);
  out.u53(createVersion);
  out.bytes32(value);
}

/** Begins a page; returns the place for {@link endPage}. */
export function beginPage(out: Writer): number {
  out.u8(Status.page);
  return out.reserve(4);
}

export function writePageRecord(
  out: Writer,
  key: Uint8Array,
  version: number,
  createVersion: number,
  value: Uint8Array,
): void {
  out.bytes16(key);
  out.u53(version);
  out.u53(createVersion);
  out.bytes32(value);
}

export function endPage(out: Writer, countAt: number, count: number, more: boolean): void {
  out.patchU32(countAt, count);
  out.bool(more);
}

/** Reads one result; byte fields are views into the reader's bytes. */
export function readResult(from: Reader): Result {
  const status = from.u8() as Status;
  switch (status) {
    case Status.ok:
      return { status, version: from.u53(), value: from.bytes32(limits.batchBytes) };
    case Status.conflict:
      return { status, version: from.u53() };
    case Status.wrongGroup:
    case Status.moved:
      return { status, gid: from.u32(), epoch: from.u32() };
    case Status.notReady:
    case Status.tooManySessions:
    case Status.throttled:
      return { status, retryAfterMs: from.u16() };
    case Status.refused:
      return { status, why: from.text(1024) };
    case Status.rangeDeleted:
      return { status, version: from.u53(), count: from.u32(), next: from.bytes16(limits.keyBytes + 1) };
    case Status.record:
      return {
        status,
        version: from.u53(),
        createVersion: from.u53(),
        value: from.bytes32(limits.batchBytes),
      };
    case Status.page: {
      const count = from.count(limits.scanPageRecords, 22);
      const records: PageRecord[] = [];
      for (let at = 0; at < count; at++) {
        records.push({
          key: from.bytes16(limits.keyBytes),
          version: from.u53(),
          createVersion: from.u53(),
          value: from.bytes32(limits.batchBytes),
        });
      }
      return { status, records, more: from.bool() };
    }
    case Status.sessionExpired:
    case Status.belowFloor:
    case Status.badSession:
    case Status.notANumber:
    case Status.overflow:
    case Status.tooLarge:
    case Status.absent:
      return { status };
    default:
      // What it carries is not known, so nothing behind it could be read either.
      throw new DecodeError(`result status ${status} is not known here`, { status });
  }
}
