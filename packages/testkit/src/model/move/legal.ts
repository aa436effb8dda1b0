import { Flag } from './moves.ts';

/**
 * When the drivers of stores may propose what, as far as that rests on what they know and not on what the group
 * checks as it applies. Whatever was legal once stays possible: entries are late by any time, and a deposed
 * driver goes on by the newest config that it has seen.
 */
export const legal = {
  /** Source's leader: the config shows that the move has ended. */
  forget: (flags: number): boolean => (flags & Flag.removed) !== 0,
  /** Target's leader: the same. */
  abort: (flags: number): boolean => (flags & Flag.removed) !== 0,
  /** Controller's leader: the move is being cancelled; of a first assignment the target decides. */
  cancel: (flags: number): boolean => (flags & Flag.cancelAsked) !== 0,
  done: (flags: number): boolean => (flags & Flag.served) !== 0,
  cancelled: (flags: number): boolean => (flags & Flag.saidCancelled) !== 0,
  tooLate: (flags: number): boolean => (flags & Flag.saidTooLate) !== 0,
} as const;
