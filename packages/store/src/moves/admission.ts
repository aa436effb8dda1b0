import type { MoveOrder } from './move-order.ts';

/** One open move into a group that this store leads, as far as its turn depends on it. */
export interface Candidate {
  readonly order: MoveOrder;
  readonly isRunning: boolean;
  /** Its source may be frozen: then nobody serves the shard. */
  readonly isUrgent: boolean;
  /** It runs, and has not come on for a while: its source cannot be reached. */
  readonly isStalled: boolean;
}

export type Turn = 'runs' | 'held-back' | 'full' | 'source-stalled';

/**
 * Whose turn it is, given all candidates by (move, shard): so many at a time, those that run before those that
 * wait. One whose source does not answer goes on asking, but takes no place from others, and nobody else waits
 * for the same source meanwhile. One that may be past its freeze always runs.
 */
export function turnsOf(candidates: readonly Candidate[], movesMax: number): readonly Turn[] {
  const turns: Turn[] = candidates.map(() => 'full');
  const stalledSources = new Set<number>();
  let running = 0;
  for (const [at, { order, isRunning, isUrgent, isStalled }] of candidates.entries()) {
    const isHeldBack = order.isPaused || order.isCancelling;
    if (isStalled && !isHeldBack) stalledSources.add(order.source);
    if (isHeldBack) turns[at] = isUrgent ? 'runs' : 'held-back';
    else if (isUrgent || (isRunning && (isStalled || running < movesMax))) {
      turns[at] = 'runs';
      if (!isStalled) running++;
    }
  }
  for (const [at, { order }] of candidates.entries()) {
    if (turns[at] !== 'full' || candidates[at]?.isRunning === true) continue;
    if (stalledSources.has(order.source)) {
      turns[at] = 'source-stalled';
    } else if (running < movesMax) {
      turns[at] = 'runs';
      running++;
    }
  }
  return turns;
}
