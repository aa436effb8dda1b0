import { Flag } from './moves.ts';

/**
 * When stores may say something about a move that does not follow from the state of one group alone. Whatever was
 * legal once stays possible: entries are late by any time, and a deposed driver goes on by the newest config that
 * it has seen. The protocol allows more than the drivers of now do, so both are here.
 */
export const legal = {
  /** Source's leader: a config shows that the move has ended, or a driver found the frozen copy due. */
  forget: (flags: number): boolean => (flags & (Flag.removed | Flag.forgetDue)) !== 0,
  /** Target's leader: the same of a staged copy. */
  abort: (flags: number): boolean => (flags & (Flag.removed | Flag.abortDue)) !== 0,
  /** Controller's leader: the move is being cancelled; of a first assignment the target decides. */
  cancel: (flags: number): boolean => (flags & Flag.cancelAsked) !== 0,
  done: (flags: number): boolean => (flags & Flag.served) !== 0,
  cancelled: (flags: number): boolean => (flags & Flag.saidCancelled) !== 0,
  tooLate: (flags: number): boolean => (flags & Flag.saidTooLate) !== 0,
} as const;
