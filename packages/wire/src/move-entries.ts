import { DecodeError, type Reader, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * Steps of a move as entries of a data group (body kind `EntryBody.move`, one step per entry), and what the
 * group answers to them. A step is checked as it is applied, on the applied state, and never refused for being
 * late, only for not fitting: then it changes nothing.
 */

export const MoveStep = {
  /** First assignment of a shard that nobody serves. */
  activateEmpty: 1,

  // In the source
  beginExport: 2,
  trimExport: 3,
  freeze: 4,
  cancel: 5,
  forget: 6,

  // In the target
  beginImport: 7,
  importChunk: 8,
  importDelta: 9,
  activate: 10,
  abort: 11,
} as const;
export type MoveStep = (typeof MoveStep)[keyof typeof MoveStep];

/** A 64-bit sum as two unsigned halves. */
export interface Digest {
  readonly hi: number;
  readonly lo: number;
}

export interface ShardDigests {
  readonly records: Digest;
  readonly rows: Digest;
}

/** Every step names its move and its shard. */
interface OfMove {
  readonly moveId: number;
  readonly shard: number;
}

export interface ActivateEmpty extends OfMove {
  readonly step: typeof MoveStep.activateEmpty;
  readonly epoch: number;
}

export interface BeginExport extends OfMove {
  readonly step: typeof MoveStep.beginExport;
  /** The epoch that the move leads to: one above the source's own. */
  readonly epoch: number;
}

export interface TrimExport extends OfMove {
  readonly step: typeof MoveStep.trimExport;
  /** Revision up to which the change index may go. */
  readonly to: number;
}

export interface Freeze extends OfMove {
  readonly step: typeof MoveStep.freeze;
  readonly epoch: number;
  /** How far the target has come. */
  readonly pos: number;
  /** gid of the target, for redirects. */
  readonly target: number;
}

export interface Cancel extends OfMove {
  readonly step: typeof MoveStep.cancel;
}

export interface Forget extends OfMove {
  readonly step: typeof MoveStep.forget;
}

export interface BeginImport extends OfMove {
  readonly step: typeof MoveStep.beginImport;
  readonly epoch: number;
  readonly sourceGid: number;
  readonly sourceIncarnation: number;
  /** Every page must show the source at this revision or later. */
  readonly base: number;
}

/** A page as its source made it, bytes and all: see `move-messages.ts`. */
export interface ImportChunk extends OfMove {
  readonly step: typeof MoveStep.importChunk;
  readonly page: Uint8Array;
}

/** Changes as their source made them, bytes and all. */
export interface ImportDelta extends OfMove {
  readonly step: typeof MoveStep.importDelta;
  readonly delta: Uint8Array;
}

export interface Activate extends OfMove {
  readonly step: typeof MoveStep.activate;
  /** Final revision of the frozen source, its digests and its time. */
  readonly revision: number;
  readonly digests: ShardDigests;
  readonly time: number;
}

export interface Abort extends OfMove {
  readonly step: typeof MoveStep.abort;
}

export type MoveEntry =
  | ActivateEmpty
  | BeginExport
  | TrimExport
  | Freeze
  | Cancel
  | Forget
  | BeginImport
  | ImportChunk
  | ImportDelta
  | Activate
  | Abort;

export function writeDigests(out: Writer, digests: ShardDigests): void {
  for (const sum of [digests.records, digests.rows]) {
    out.u32(sum.hi);
    out.u32(sum.lo);
  }
}

export function readDigests(from: Reader): ShardDigests {
  return { records: { hi: from.u32(), lo: from.u32() }, rows: { hi: from.u32(), lo: from.u32() } };
}

/** step u8 · moveId u53 · shard u16 · fields of the step. */
export function writeMoveEntry(out: Writer, entry: MoveEntry): void {
  out.u8(entry.step);
  out.u53(entry.moveId);
  out.u16(entry.shard);
  switch (entry.step) {
    case MoveStep.activateEmpty:
    case MoveStep.beginExport:
      out.u32(entry.epoch);
      return;
    case MoveStep.trimExport:
      out.u53(entry.to);
      return;
    case MoveStep.freeze:
      out.u32(entry.epoch);
      out.u53(entry.pos);
      out.u32(entry.target);
      return;
    case MoveStep.beginImport:
      out.u32(entry.epoch);
      out.u32(entry.sourceGid);
      out.u53(entry.sourceIncarnation);
      out.u53(entry.base);
      return;
    case MoveStep.importChunk:
      out.bytes32(entry.page);
      return;
    case MoveStep.importDelta:
      out.bytes32(entry.delta);
      return;
    case MoveStep.activate:
      out.u53(entry.revision);
      writeDigests(out, entry.digests);
      out.u53(entry.time);
      return;
    case MoveStep.cancel:
    case MoveStep.forget:
    case MoveStep.abort:
  }
}

/** Bytes are views into the reader's. Throws `DecodeError` for a step that is not known here. */
export function readMoveEntry(from: Reader): MoveEntry {
  const step = from.u8() as MoveStep;
  const moveId = from.u53();
  const shard = from.u16();
  switch (step) {
    case MoveStep.activateEmpty:
    case MoveStep.beginExport:
      return { step, moveId, shard, epoch: from.u32() };
    case MoveStep.trimExport:
      return { step, moveId, shard, to: from.u53() };
    case MoveStep.freeze:
      return { step, moveId, shard, epoch: from.u32(), pos: from.u53(), target: from.u32() };
    case MoveStep.beginImport:
      return {
        step,
        moveId,
        shard,
        epoch: from.u32(),
        sourceGid: from.u32(),
        sourceIncarnation: from.u53(),
        base: from.u53(),
      };
    case MoveStep.importChunk:
      return { step, moveId, shard, page: from.bytes32(limits.importBytes) };
    case MoveStep.importDelta:
      return { step, moveId, shard, delta: from.bytes32(limits.importBytes) };
    case MoveStep.activate:
      return { step, moveId, shard, revision: from.u53(), digests: readDigests(from), time: from.u53() };
    case MoveStep.cancel:
    case MoveStep.forget:
    case MoveStep.abort:
      return { step, moveId, shard };
    default:
      throw new DecodeError(`move step ${step} is not known here`, { step });
  }
}

export const MoveAnswer = {
  active: 1,
  stale: 2,
  /** The export is open: r0. */
  opened: 3,
  frozen: 4,
  closed: 5,
  refused: 6,
  notYet: 7,
  trimmed: 8,
  cancelled: 9,
  tooLate: 10,
  done: 11,
  /** Where the import stands. */
  staged: 12,
  digest: 13,
  gap: 14,
  aborted: 15,
} as const;
export type MoveAnswer = (typeof MoveAnswer)[keyof typeof MoveAnswer];

/** Final state of a frozen source. */
export interface FrozenFacts {
  readonly revision: number;
  readonly time: number;
  readonly digests: ShardDigests;
}

/** What a group answers to a step, in the place of command results. */
export type MoveOutcome =
  | { readonly answer: typeof MoveAnswer.opened | typeof MoveAnswer.trimmed; readonly r0: number }
  | {
      readonly answer: typeof MoveAnswer.frozen;
      readonly r0: number;
      readonly facts: FrozenFacts;
      /** What an `importDelta` takes: the changes after the `pos` that was asked with; empty if it fits none. */
      readonly delta: Uint8Array;
    }
  | { readonly answer: typeof MoveAnswer.notYet; readonly openBytes: number; readonly r0: number }
  | {
      readonly answer: typeof MoveAnswer.staged | typeof MoveAnswer.gap;
      readonly cursor: Uint8Array;
      readonly isComplete: boolean;
      readonly pos: number;
    }
  | {
      readonly answer:
        | typeof MoveAnswer.active
        | typeof MoveAnswer.stale
        | typeof MoveAnswer.closed
        | typeof MoveAnswer.refused
        | typeof MoveAnswer.cancelled
        | typeof MoveAnswer.tooLate
        | typeof MoveAnswer.done
        | typeof MoveAnswer.digest
        | typeof MoveAnswer.aborted;
    };

export const CURSOR_BYTES_MAX: number = 1 + limits.keyBytes;

export function writeFacts(out: Writer, facts: FrozenFacts): void {
  out.u53(facts.revision);
  out.u53(facts.time);
  writeDigests(out, facts.digests);
}

export function readFacts(from: Reader): FrozenFacts {
  return { revision: from.u53(), time: from.u53(), digests: readDigests(from) };
}

export function writeMoveOutcome(out: Writer, outcome: MoveOutcome): void {
  out.u8(outcome.answer);
  switch (outcome.answer) {
    case MoveAnswer.opened:
    case MoveAnswer.trimmed:
      out.u53(outcome.r0);
      return;
    case MoveAnswer.frozen:
      out.u53(outcome.r0);
      writeFacts(out, outcome.facts);
      out.bytes32(outcome.delta);
      return;
    case MoveAnswer.notYet:
      out.u53(outcome.openBytes);
      out.u53(outcome.r0);
      return;
    case MoveAnswer.staged:
    case MoveAnswer.gap:
      out.bytes16(outcome.cursor);
      out.bool(outcome.isComplete);
      out.u53(outcome.pos);
      return;
    default:
  }
}

/** Bytes are views into the reader's. */
export function readMoveOutcome(from: Reader): MoveOutcome {
  const answer = from.u8() as MoveAnswer;
  switch (answer) {
    case MoveAnswer.opened:
    case MoveAnswer.trimmed:
      return { answer, r0: from.u53() };
    case MoveAnswer.frozen:
      return { answer, r0: from.u53(), facts: readFacts(from), delta: from.bytes32(limits.importBytes) };
    case MoveAnswer.notYet:
      return { answer, openBytes: from.u53(), r0: from.u53() };
    case MoveAnswer.staged:
    case MoveAnswer.gap:
      return { answer, cursor: from.bytes16(CURSOR_BYTES_MAX), isComplete: from.bool(), pos: from.u53() };
    case MoveAnswer.active:
    case MoveAnswer.stale:
    case MoveAnswer.closed:
    case MoveAnswer.refused:
    case MoveAnswer.cancelled:
    case MoveAnswer.tooLate:
    case MoveAnswer.done:
    case MoveAnswer.digest:
    case MoveAnswer.aborted:
      return { answer };
    default:
      throw new DecodeError(`move answer ${answer} is not known here`, { answer });
  }
}
