import type { MoveProgress, MoveState } from '@flotilla/wire';

const PERIOD_MS = 5_000;
/** Without progress for so long a move is worth a person's look. */
const STUCK_MS = 60_000;
/** More of them say no more. */
const STUCK_MAX = 50;

/** An open move that has not gone on for a while, though nobody holds it back. */
export interface StuckMove {
  readonly moveId: number;
  readonly shard: number;
  readonly source: number;
  readonly target: number;
  readonly isPastFreeze: boolean;
  readonly stillMs: number;
  /** Why, as far as its driver knows; may be empty. */
  readonly problem: string;
}

/** States in the order in which a move goes through them by itself. */
const stages: readonly MoveState[] = ['waiting', 'copying', 'catching-up', 'cutting-over', 'serving'];

interface Seen {
  readonly stage: number;
  readonly bytes: number;
  readonly sinceMs: number;
}

/**
 * Looks at the moves that are driven here now and then, and remembers since when each stands still. A move that
 * loses its turn and gets it back is no further than before.
 */
export class MoveWatch {
  readonly #moves: () => readonly MoveProgress[];
  readonly #now: () => number;
  #seen = new Map<string, Seen>();
  #lastAt: number = Number.NEGATIVE_INFINITY;

  constructor(moves: () => readonly MoveProgress[], now: () => number) {
    this.#moves = moves;
    this.#now = now;
  }

  tick(): void {
    const now = this.#now();
    if (now - this.#lastAt < PERIOD_MS) return;
    this.#lastAt = now;
    const seen = new Map<string, Seen>();
    for (const move of this.#moves()) {
      if (isHeldOrOver(move)) continue;
      const former = this.#seen.get(nameOf(move));
      const stage = Math.max(stages.indexOf(move.state), former?.stage ?? -1);
      const isStill = former?.stage === stage && former.bytes === move.bytes;
      seen.set(nameOf(move), { stage, bytes: move.bytes, sinceMs: isStill ? former.sinceMs : now });
    }
    this.#seen = seen;
  }

  stuck(): readonly StuckMove[] {
    const now = this.#now();
    const moves = this.#moves().filter((move) => !isHeldOrOver(move));
    const anyRuns = moves.some(({ state }) => state !== 'waiting');
    const found: StuckMove[] = [];
    for (const move of moves) {
      const { moveId, shard, source, target, state, bytes, problem } = move;
      const seen = this.#seen.get(nameOf(move));
      // Who waits may wait for its turn, as long as others have theirs.
      if (seen === undefined || seen.bytes !== bytes || (state === 'waiting' && anyRuns)) continue;
      const stillMs = Math.round(now - seen.sinceMs);
      if (stillMs < STUCK_MS) continue;
      const isPastFreeze = state === 'cutting-over' || state === 'serving';
      found.push({ moveId, shard, source, target, isPastFreeze, stillMs, problem });
      if (found.length === STUCK_MAX) break;
    }
    return found;
  }
}

function nameOf({ moveId, shard }: MoveProgress): string {
  return `${moveId}.${shard}`;
}

function isHeldOrOver({ state }: MoveProgress): boolean {
  return state === 'paused' || state === 'done' || state === 'cancelled';
}
