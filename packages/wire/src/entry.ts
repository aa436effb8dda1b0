import { DecodeError, putU53, Reader, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * An entry of a data group. A batch of client commands is encoded once, by the client, with room for this
 * header; the leader that proposes it fills in stamp and refusals in place, and the same bytes are logged,
 * replicated and applied.
 *
 *   format u8 · kind u8 · count u16 · stamp u53 · refused, one bit per command · body
 *
 * Body of a client batch: session 16 bytes · floor u53 · commands (see `commands.ts`).
 */

export const ENTRY_FORMAT = 1;
export const ENTRY_HEAD_BYTES = 12;
export const SESSION_BYTES = 16;

export const EntryBody = {
  /** Commands of one client session. */
  clientBatch: 1,
  /** Removal of what expired, by the shard's own time. */
  time: 2,
  /** One step of a move, or the first activation of a shard. */
  move: 3,
} as const;
export type EntryBody = (typeof EntryBody)[keyof typeof EntryBody];

export interface EntryHead {
  readonly format: number;
  readonly kind: number;
  readonly count: number;
  /** Log time in ms. */
  readonly stamp: number;
  /** Where the refusal bits begin in the entry's bytes. */
  readonly refusedAt: number;
  /** Where the body begins. */
  readonly bodyAt: number;
}

export function refusedBytes(count: number): number {
  return (count + 7) >> 3;
}

/** Writes a head with empty stamp and no refusals; returns where the entry begins. */
export function beginEntry(out: Writer, kind: EntryBody, count: number): number {
  const at = out.length;
  out.u8(ENTRY_FORMAT);
  out.u8(kind);
  out.u16(count);
  out.u53(0);
  const bits = out.reserve(refusedBytes(count));
  out.bytes.fill(0, bits, out.length);
  return at;
}

/** Head of an entry; throws `DecodeError` if the bytes are too short. Format and kind are not judged here. */
export function readEntryHead(entry: Uint8Array): EntryHead {
  const from = new Reader(entry);
  const format = from.u8();
  const kind = from.u8();
  const count = from.u16();
  const stamp = from.u53();
  const refusedAt = from.at;
  from.skip(refusedBytes(count));
  return { format, kind, count, stamp, refusedAt, bodyAt: from.at };
}

/** The leader's part, written into the client's bytes before they are proposed. */
export function stampEntry(entry: Uint8Array, stamp: number): void {
  putU53(entry, 4, stamp);
}

export function refuseCommand(entry: Uint8Array, head: EntryHead, at: number): void {
  const byte = head.refusedAt + (at >> 3);
  entry[byte] = (entry[byte] as number) | (1 << (at & 7));
}

export function isRefused(entry: Uint8Array, head: EntryHead, at: number): boolean {
  return ((entry[head.refusedAt + (at >> 3)] as number) & (1 << (at & 7))) !== 0;
}

/** Clears what a client may not set: stamp and refusal bits come from the leader alone. */
export function clearLeaderPart(entry: Uint8Array, head: EntryHead): void {
  stampEntry(entry, 0);
  entry.fill(0, head.refusedAt, head.bodyAt);
}

/** `openedAt` of a session id: ms since 1970, from the first six bytes. */
export function sessionOpenedAt(session: Uint8Array): number {
  if (session.length !== SESSION_BYTES) throw new DecodeError(`a session id of ${session.length} bytes`);
  let openedAt = 0;
  for (let at = 0; at < 6; at++) openedAt = openedAt * 256 + (session[at] as number);
  return openedAt;
}

/** A new session id: six bytes of time (ms) and ten random ones. */
export function makeSession(openedAtMs: number, random: { u32(): number }): Uint8Array {
  const session = new Uint8Array(SESSION_BYTES);
  let rest = Math.floor(openedAtMs);
  for (let at = 5; at >= 0; at--) {
    session[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  for (let at = 6; at < SESSION_BYTES; at++) session[at] = random.u32() & 0xff;
  return session;
}

export interface BatchHead {
  readonly session: Uint8Array;
  readonly floor: number;
}

export function writeBatchHead(out: Writer, head: BatchHead): void {
  out.raw(head.session);
  out.u53(head.floor);
}

export function readBatchHead(from: Reader): BatchHead {
  return { session: from.raw(SESSION_BYTES), floor: from.u53() };
}

/** The largest entry that a group accepts. */
export const ENTRY_BYTES_MAX: number = limits.batchBytes;
