import type { MoveProgress, MoveState } from '@flotilla/wire';
import type { MoveLog } from './move-log.ts';
import type { MoveEnd } from './move-metrics.ts';
import type { MoveOrder } from './move-order.ts';

/** Ended moves that are kept to be looked at. */
const ENDED_MAX = 200;

/** How far the driver has come with a move. */
export type Stage = 'waiting' | 'copying' | 'catching-up' | 'cutting-over' | 'serving';

export function stateOf(order: MoveOrder, stage: Stage): MoveState {
  // Past these nothing holds a move back.
  if (stage === 'cutting-over' || stage === 'serving') return stage;
  if (order.isCancelling) return 'cancelling';
  return order.isPaused ? 'paused' : stage;
}

/** `bytes`: of the shard's records, in the target. */
export function progressOf(
  order: MoveOrder,
  state: MoveState,
  log: MoveLog,
  bytes: number,
  nowMs: number,
): MoveProgress {
  const isCopying = state === 'copying' || state === 'catching-up';
  const rate = isCopying ? log.rate(nowMs) : 0;
  const totalBytes = Math.max(log.totalBytes, bytes);
  const etaMs = rate > 0 ? Math.round(((totalBytes - bytes) * 1_000) / rate) : undefined;
  return {
    moveId: order.moveId,
    shard: order.shard,
    source: order.source,
    target: order.target,
    state,
    bytes,
    totalBytes,
    bytesPerSecond: Math.round(rate),
    etaMs,
    pauseMs: log.pauseMs,
    ageMs: Math.round(nowMs - log.beganAtMs),
    problem: log.problem,
  };
}

/** The last moves that ended while this store led their target, oldest first. */
export class EndedMoves {
  readonly #moves: MoveProgress[] = [];

  all(): readonly MoveProgress[] {
    return this.#moves;
  }

  add(order: MoveOrder, result: MoveEnd, log: MoveLog, bytes: number, nowMs: number): void {
    if (this.#moves.length >= ENDED_MAX) this.#moves.shift();
    this.#moves.push(progressOf(order, result, log, bytes, nowMs));
  }
}
