import { DecodeError, type Reader, utf8Decode, utf8Encode, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * Frames between a client and a store besides reads.
 *
 * `write`: request u32 · gid u32 · time left ms u32 · entry (to the end of the frame).
 * `reply`: batch replies, one after the other to the end of the frame: request u32 · status u8 · what it
 * carries. One reply frame per connection and turn.
 */

export const WRITE_HEAD_BYTES = 12;

export interface WriteHead {
  readonly request: number;
  readonly gid: number;
  readonly timeLeftMs: number;
}

export function writeWriteHead(out: Writer, head: WriteHead): void {
  out.u32(head.request);
  out.u32(head.gid);
  out.u32(head.timeLeftMs);
}

export function readWriteHead(from: Reader): WriteHead {
  return { request: from.u32(), gid: from.u32(), timeLeftMs: from.u32() };
}

export const BatchStatus = {
  /** Results of all commands or reads in order: length u32 · results. */
  results: 0,
  /** Not the leader; nothing was proposed. leader store bytes16 (empty: unknown) · its address bytes16. */
  notLeader: 1,
  /** No replica of that group runs here; nothing was proposed. */
  noGroup: 2,
  /** Refused before it was proposed: retry after ms u32 · which limit text. */
  overloaded: 3,
  /** It was proposed, and leadership was lost before its fate was known. */
  unknown: 4,
  /** Its time ran out before it was proposed. */
  expired: 5,
  /** The batch cannot be decoded or breaks a limit as a whole; nothing was proposed: why text. */
  malformed: 6,
  /** A read that this replica cannot answer at the wanted level now: retry after ms u32 · why text. */
  notNow: 7,
} as const;
export type BatchStatus = (typeof BatchStatus)[keyof typeof BatchStatus];

export type BatchReply =
  | { readonly request: number; readonly status: typeof BatchStatus.results; readonly results: Reader }
  | {
      readonly request: number;
      readonly status: typeof BatchStatus.notLeader;
      readonly leader: string;
      readonly address: string;
    }
  | {
      readonly request: number;
      readonly status: typeof BatchStatus.overloaded | typeof BatchStatus.notNow;
      readonly retryAfterMs: number;
      readonly why: string;
    }
  | { readonly request: number; readonly status: typeof BatchStatus.malformed; readonly why: string }
  | {
      readonly request: number;
      readonly status: typeof BatchStatus.noGroup | typeof BatchStatus.unknown | typeof BatchStatus.expired;
    };

/** Begins a reply with results; returns the place for {@link endResults}. */
export function beginResults(out: Writer, request: number): number {
  out.u32(request);
  out.u8(BatchStatus.results);
  return out.reserve(4);
}

export function endResults(out: Writer, lengthAt: number): void {
  out.patchU32(lengthAt, out.length - lengthAt - 4);
}

export function writeNotLeader(out: Writer, request: number, leader: string, address: string): void {
  out.u32(request);
  out.u8(BatchStatus.notLeader);
  out.bytes16(utf8Encode(leader));
  out.bytes16(utf8Encode(address));
}

export function writeBatchWait(
  out: Writer,
  request: number,
  status: typeof BatchStatus.overloaded | typeof BatchStatus.notNow,
  retryAfterMs: number,
  why: string,
): void {
  out.u32(request);
  out.u8(status);
  out.u32(retryAfterMs);
  out.text(why);
}

export function writeMalformed(out: Writer, request: number, why: string): void {
  out.u32(request);
  out.u8(BatchStatus.malformed);
  out.text(why);
}

export function writeBare(
  out: Writer,
  request: number,
  status: typeof BatchStatus.noGroup | typeof BatchStatus.unknown | typeof BatchStatus.expired,
): void {
  out.u32(request);
  out.u8(status);
}

/** Reads the next reply of a frame and moves past it; `results` is a reader over its own range. */
export function readBatchReply(from: Reader, makeReader: (bytes: Uint8Array) => Reader): BatchReply {
  const request = from.u32();
  const status = from.u8() as BatchStatus;
  switch (status) {
    case BatchStatus.results:
      return { request, status, results: makeReader(from.bytes32(limits.peerFrameBytes)) };
    case BatchStatus.notLeader:
      return {
        request,
        status,
        leader: utf8Decode(from.bytes16(64)),
        address: utf8Decode(from.bytes16(limits.addressBytes)),
      };
    case BatchStatus.overloaded:
    case BatchStatus.notNow:
      return { request, status, retryAfterMs: from.u32(), why: from.text(1024) };
    case BatchStatus.malformed:
      return { request, status, why: from.text(1024) };
    case BatchStatus.noGroup:
    case BatchStatus.unknown:
    case BatchStatus.expired:
      return { request, status };
    default:
      // What it carries is not known, so nothing behind it could be read either.
      throw new DecodeError(`batch status ${status} is not known here`, { status });
  }
}
