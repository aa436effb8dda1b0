import { DecodeError, type Reader, type Writer } from '@flotilla/base';

/** Steps of a move as entries of a data group (body kind `EntryBody.move`, one step per entry). */

export const MoveStep = {
  /** moveId u53 · shard u16 · epoch u32: first assignment of a shard that nobody serves. */
  activateEmpty: 1,
} as const;
export type MoveStep = (typeof MoveStep)[keyof typeof MoveStep];

export interface ActivateEmpty {
  readonly step: typeof MoveStep.activateEmpty;
  readonly moveId: number;
  readonly shard: number;
  readonly epoch: number;
}

export type MoveEntry = ActivateEmpty;

export function writeMoveEntry(out: Writer, entry: MoveEntry): void {
  out.u8(entry.step);
  out.u53(entry.moveId);
  out.u16(entry.shard);
  out.u32(entry.epoch);
}

export function readMoveEntry(from: Reader): MoveEntry {
  const step = from.u8();
  if (step !== MoveStep.activateEmpty) throw new DecodeError(`move step ${step} is not known here`, { step });
  return { step, moveId: from.u53(), shard: from.u16(), epoch: from.u32() };
}

/** What a group answers to a step, in the place of command results. */
export const MoveAnswer = { active: 1, stale: 2 } as const;
export type MoveAnswer = (typeof MoveAnswer)[keyof typeof MoveAnswer];
