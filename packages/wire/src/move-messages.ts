import { DecodeError, type GroupName, Reader, utf8Decode, utf8Encode, Writer } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { limits } from './limits.ts';
import {
  CURSOR_BYTES_MAX,
  type FrozenFacts,
  type MoveEntry,
  type MoveOutcome,
  readFacts,
  readMoveEntry,
  readMoveOutcome,
  writeFacts,
  writeMoveEntry,
  writeMoveOutcome,
} from './move-entries.ts';

/**
 * What stores say to each other about a copy. Questions about content go to any replica of the source, on the
 * bulk lane; steps for the source's log go to its leader, on the consensus lane. Nothing here is trusted for
 * being fresh: each answer states a fact about a committed log, and the target's log takes it only where it fits.
 *
 *   moveAsk:        id u53 · gid u32 · incarnation u53 · kind u8 · moveId u53 · shard u16 · fields of the kind
 *   moveReply:      id u53 · verdict u8 · fields of the verdict
 *   moveStep:       id u53 · gid u32 · incarnation u53 · step (see `move-entries.ts`)
 *   moveStepReply:  id u53 · fate u8 · fields of the fate
 */

/**
 * Items of a page or delta. What is there: kind u8 · length of the name u16 · length of the stored bytes u32 ·
 * name · stored bytes, item hash included. What is gone: kind u8 · name bytes16 · revision u53 of its removal.
 */
export const ItemKind = { record: 1, row: 2, recordGone: 3, rowGone: 4 } as const;
export type ItemKind = (typeof ItemKind)[keyof typeof ItemKind];

/**
 * Cursors: empty at the start, else kind u8 (1 record, 2 row) · name: the first item of the next page. Byte order
 * of cursors is the order of the copy.
 */
export interface PageHead {
  readonly moveId: number;
  readonly shard: number;
  readonly cursor: Uint8Array;
  /** Revision of the source as the page was read. */
  readonly view: number;
  /** Where the next page begins; empty on the last one. */
  readonly next: Uint8Array;
  readonly isLast: boolean;
}

export interface Page extends PageHead {
  readonly items: Uint8Array;
}

export interface DeltaHead {
  readonly moveId: number;
  readonly shard: number;
  /** The items are all whose present revision lies in (from, to], as they are now. */
  readonly from: number;
  readonly to: number;
}

export interface Delta extends DeltaHead {
  readonly items: Uint8Array;
}

const CHECKSUM_BYTES = 8;

function seal(out: Writer, hasher: Hasher): Uint8Array {
  hasher.hash(out.bytes.subarray(0, out.length));
  const { low, high } = hasher;
  out.u32(low);
  out.u32(high);
  return out.take();
}

/** The sealed bytes without their checksum, or undefined where it does not fit. */
function unseal(bytes: Uint8Array, hasher: Hasher): Uint8Array | undefined {
  if (bytes.length < CHECKSUM_BYTES) return undefined;
  const end = bytes.length - CHECKSUM_BYTES;
  const from = new Reader(bytes, end);
  hasher.hash(bytes.subarray(0, end));
  return hasher.low === from.u32() && hasher.high === from.u32() ? bytes.subarray(0, end) : undefined;
}

/** One item that is there, with its name beside its stored bytes, as they are hashed. */
export function writeItem(
  out: Writer,
  kind: typeof ItemKind.record | typeof ItemKind.row,
  name: Uint8Array,
  stored: Uint8Array,
): void {
  out.u8(kind);
  out.u16(name.length);
  out.u32(stored.length);
  out.raw(name);
  out.raw(stored);
}

/** The name of an item that was removed, and the revision of its removal. */
export function writeGoneItem(
  out: Writer,
  kind: typeof ItemKind.recordGone | typeof ItemKind.rowGone,
  name: Uint8Array,
  revision: number,
): void {
  out.u8(kind);
  out.bytes16(name);
  out.u53(revision);
}

/** One piece of bytes, checksum included, that travels and is logged as it is. */
export function sealPage(page: Page, hasher: Hasher): Uint8Array {
  const write = (items: Writer): Page => {
    items.raw(page.items);
    return page;
  };
  return writePage(page, page.items.length, write, hasher);
}

/** The same without a copy: `write` puts items, about so many bytes, where they belong, and tells what follows. */
export function writePage(
  head: Pick<PageHead, 'moveId' | 'shard' | 'cursor' | 'view'>,
  bytes: number,
  write: (items: Writer) => Pick<PageHead, 'next' | 'isLast'>,
  hasher: Hasher,
): Uint8Array {
  const out = new Writer(bytes + 2 * CURSOR_BYTES_MAX + 64);
  out.u53(head.moveId);
  out.u16(head.shard);
  out.bytes16(head.cursor);
  out.u53(head.view);
  const lengthAt = out.reserve(4);
  const begin = out.length;
  const { next, isLast } = write(out);
  out.patchU32(lengthAt, out.length - begin);
  out.bytes16(next);
  out.bool(isLast);
  return seal(out, hasher);
}

/** Undefined where the checksum does not fit; throws `DecodeError` where it does and the rest does not. Views. */
export function openPage(bytes: Uint8Array, hasher: Hasher): Page | undefined {
  const body = unseal(bytes, hasher);
  if (body === undefined) return undefined;
  const from = new Reader(body);
  const page = {
    moveId: from.u53(),
    shard: from.u16(),
    cursor: from.bytes16(CURSOR_BYTES_MAX),
    view: from.u53(),
    items: from.bytes32(limits.importBytes),
    next: from.bytes16(CURSOR_BYTES_MAX),
    isLast: from.bool(),
  };
  from.expectEnd();
  return page;
}

export function sealDelta(delta: Delta, hasher: Hasher): Uint8Array {
  const out = new Writer(delta.items.length + 64);
  out.u53(delta.moveId);
  out.u16(delta.shard);
  out.u53(delta.from);
  out.u53(delta.to);
  out.bytes32(delta.items);
  return seal(out, hasher);
}

export function openDelta(bytes: Uint8Array, hasher: Hasher): Delta | undefined {
  const body = unseal(bytes, hasher);
  if (body === undefined) return undefined;
  const from = new Reader(body);
  const delta = {
    moveId: from.u53(),
    shard: from.u16(),
    from: from.u53(),
    to: from.u53(),
    items: from.bytes32(limits.importBytes),
  };
  from.expectEnd();
  return delta;
}

// Questions about content

export const AskKind = { page: 1, changes: 2, throttle: 3 } as const;
export type AskKind = (typeof AskKind)[keyof typeof AskKind];

interface OfMove {
  readonly moveId: number;
  readonly shard: number;
}

export type MoveQuestion = OfMove &
  (
    | { readonly kind: typeof AskKind.page; readonly cursor: Uint8Array; readonly minView: number }
    | { readonly kind: typeof AskKind.changes; readonly from: number }
    /** To the source's leader: keep the writers of the shard below this for the next seconds. */
    | { readonly kind: typeof AskKind.throttle; readonly bytesPerSecond: number }
  );

export interface MoveAsk {
  readonly id: number;
  readonly group: GroupName;
  readonly question: MoveQuestion;
}

export const Verdict = {
  page: 1,
  changes: 2,
  noted: 3,
  /** No export of the move here: not yet, or no more. */
  notSource: 4,
  /** This replica has not applied as much as was asked for. */
  behind: 5,
  /** The change index begins later. */
  gone: 6,
  /** Enough moves read here already. */
  busy: 7,
  /** No sound replica of that group here. */
  noReplica: 8,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

export type MoveReply =
  | {
      readonly verdict: typeof Verdict.page;
      readonly openBytes: number;
      /** Bytes of records of the whole shard, for progress. */
      readonly totalBytes: number;
      /** Sealed: an `importChunk` takes it as it is. */
      readonly page: Uint8Array;
    }
  | {
      readonly verdict: typeof Verdict.changes;
      readonly openBytes: number;
      readonly frozen: FrozenFacts | undefined;
      /** Sealed: an `importDelta` takes it as it is; empty when nothing changed. */
      readonly delta: Uint8Array;
    }
  | { readonly verdict: typeof Verdict.behind; readonly revision: number }
  | { readonly verdict: typeof Verdict.gone; readonly r0: number }
  | { readonly verdict: typeof Verdict.busy; readonly retryAfterMs: number }
  | {
      readonly verdict: typeof Verdict.noted | typeof Verdict.notSource | typeof Verdict.noReplica;
    };

function writeGroupName(out: Writer, group: GroupName): void {
  out.u32(group.gid);
  out.u53(group.incarnation);
}

function readGroupName(from: Reader): GroupName {
  return { gid: from.u32(), incarnation: from.u53() };
}

export function encodeMoveAsk(ask: MoveAsk): Uint8Array {
  const { question } = ask;
  const out = new Writer(64);
  out.u53(ask.id);
  writeGroupName(out, ask.group);
  out.u8(question.kind);
  out.u53(question.moveId);
  out.u16(question.shard);
  switch (question.kind) {
    case AskKind.page:
      out.bytes16(question.cursor);
      out.u53(question.minView);
      break;
    case AskKind.changes:
      out.u53(question.from);
      break;
    case AskKind.throttle:
      out.u53(question.bytesPerSecond);
  }
  return out.take();
}

export function decodeMoveAsk(body: Uint8Array): MoveAsk {
  const from = new Reader(body);
  const id = from.u53();
  const group = readGroupName(from);
  const question = readQuestion(from);
  from.expectEnd();
  return { id, group, question };
}

function readQuestion(from: Reader): MoveQuestion {
  const kind = from.u8() as AskKind;
  const moveId = from.u53();
  const shard = from.u16();
  switch (kind) {
    case AskKind.page:
      return { kind, moveId, shard, cursor: from.bytes16(CURSOR_BYTES_MAX).slice(), minView: from.u53() };
    case AskKind.changes:
      return { kind, moveId, shard, from: from.u53() };
    case AskKind.throttle:
      return { kind, moveId, shard, bytesPerSecond: from.u53() };
    default:
      throw new DecodeError(`a question of kind ${kind} about a move`, { kind });
  }
}

export function encodeMoveReply(id: number, reply: MoveReply): Uint8Array {
  const bytes = reply.verdict === Verdict.page ? reply.page.length : 64;
  const out = new Writer(bytes + 64);
  out.u53(id);
  out.u8(reply.verdict);
  switch (reply.verdict) {
    case Verdict.page:
      out.u53(reply.openBytes);
      out.u53(reply.totalBytes);
      out.bytes32(reply.page);
      break;
    case Verdict.changes:
      out.u53(reply.openBytes);
      out.bool(reply.frozen !== undefined);
      if (reply.frozen !== undefined) writeFacts(out, reply.frozen);
      out.bytes32(reply.delta);
      break;
    case Verdict.behind:
      out.u53(reply.revision);
      break;
    case Verdict.gone:
      out.u53(reply.r0);
      break;
    case Verdict.busy:
      out.u16(reply.retryAfterMs);
      break;
    default:
  }
  return out.take();
}

/** Page and delta are views into the body. */
export function decodeMoveReply(body: Uint8Array): { readonly id: number; readonly reply: MoveReply } {
  const from = new Reader(body);
  const id = from.u53();
  const reply = readReply(from);
  from.expectEnd();
  return { id, reply };
}

function readReply(from: Reader): MoveReply {
  const verdict = from.u8() as Verdict;
  switch (verdict) {
    case Verdict.page:
      return {
        verdict,
        openBytes: from.u53(),
        totalBytes: from.u53(),
        page: from.bytes32(limits.importBytes),
      };
    case Verdict.changes:
      return {
        verdict,
        openBytes: from.u53(),
        frozen: from.bool() ? readFacts(from) : undefined,
        delta: from.bytes32(limits.importBytes),
      };
    case Verdict.behind:
      return { verdict, revision: from.u53() };
    case Verdict.gone:
      return { verdict, r0: from.u53() };
    case Verdict.busy:
      return { verdict, retryAfterMs: from.u16() };
    case Verdict.noted:
    case Verdict.notSource:
    case Verdict.noReplica:
      return { verdict };
    default:
      throw new DecodeError(`a verdict ${verdict} about a move`, { verdict });
  }
}

// Steps for another group's log

export interface MoveStepAsk {
  readonly id: number;
  readonly group: GroupName;
  readonly step: MoveEntry;
}

export const StepFate = {
  /** Committed and applied. */
  answered: 1,
  /** Not proposed: somebody else leads. */
  notLeader: 2,
  /** Not proposed: too much waits. */
  overloaded: 3,
  /** Proposed, and leadership ended: it may or may not be applied. */
  unknown: 4,
} as const;
export type StepFate = (typeof StepFate)[keyof typeof StepFate];

export type MoveStepReply =
  | { readonly fate: typeof StepFate.answered; readonly outcome: MoveOutcome }
  /** Store that leads, as far as known; empty if not. */
  | { readonly fate: typeof StepFate.notLeader; readonly leader: string }
  | { readonly fate: typeof StepFate.overloaded; readonly retryAfterMs: number }
  | { readonly fate: typeof StepFate.unknown };

export function encodeMoveStepAsk(ask: MoveStepAsk): Uint8Array {
  const out = new Writer(96);
  out.u53(ask.id);
  writeGroupName(out, ask.group);
  writeMoveEntry(out, ask.step);
  return out.take();
}

export function decodeMoveStepAsk(body: Uint8Array): MoveStepAsk {
  const from = new Reader(body);
  const ask = { id: from.u53(), group: readGroupName(from), step: readMoveEntry(from) };
  from.expectEnd();
  return ask;
}

export function encodeMoveStepReply(id: number, reply: MoveStepReply): Uint8Array {
  const out = new Writer(128);
  out.u53(id);
  out.u8(reply.fate);
  switch (reply.fate) {
    case StepFate.answered:
      writeMoveOutcome(out, reply.outcome);
      break;
    case StepFate.notLeader:
      out.bytes16(utf8Encode(reply.leader));
      break;
    case StepFate.overloaded:
      out.u16(reply.retryAfterMs);
      break;
    case StepFate.unknown:
  }
  return out.take();
}

export function decodeMoveStepReply(body: Uint8Array): {
  readonly id: number;
  readonly reply: MoveStepReply;
} {
  const from = new Reader(body);
  const id = from.u53();
  const reply = readStepReply(from);
  from.expectEnd();
  return { id, reply };
}

function readStepReply(from: Reader): MoveStepReply {
  const fate = from.u8() as StepFate;
  switch (fate) {
    case StepFate.answered:
      return { fate, outcome: readMoveOutcome(from) };
    case StepFate.notLeader:
      return { fate, leader: utf8Decode(from.bytes16(64)) };
    case StepFate.overloaded:
      return { fate, retryAfterMs: from.u16() };
    case StepFate.unknown:
      return { fate };
    default:
      throw new DecodeError(`a step of a move came to ${fate}`, { fate });
  }
}
