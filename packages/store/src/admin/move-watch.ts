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

/** States that a move goes through by itself. */
const running: readonly MoveState[] = ['copying', 'catching-up', 'cutting-over', 'serving', 'cancelling'];

interface Seen {
  readonly state: MoveState;
  readonly bytes: number;
  readonly sinceMs: number;
}

/** Looks at the moves that are driven here now and then, and remembers since when each stands still. */
export class MoveWatch {
  readonly #moves: () => readonly MoveProgress[];
  readonly #now: () => number;
  #seen = new Map<string, Seen>();
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(moves: () => readonly MoveProgress[], now: () => number) {
    this.#moves = moves;
    this.#now = now;
  }

  tick(): void {
    const now = this.#now();
    if (now - this.#lastAt < PERIOD_MS) return;
    this.#lastAt = now;
    const seen = new Map<string, Seen>();
    const moves = this.#moves();
    const anyRuns = moves.some(({ state }) => running.includes(state));
    for (const move of moves) {
      // Who waits may wait for its turn, as long as others have theirs.
      if (!running.includes(move.state) && (move.state !== 'waiting' || anyRuns)) continue;
      const former = this.#seen.get(nameOf(move));
      const isStill = former?.state === move.state && former.bytes === move.bytes;
      const { state, bytes } = move;
      seen.set(nameOf(move), { state, bytes, sinceMs: isStill ? former.sinceMs : now });
    }
    this.#seen = seen;
  }

  stuck(): readonly StuckMove[] {
    const now = this.#now();
    const found: StuckMove[] = [];
    for (const move of this.#moves()) {
      const seen = this.#seen.get(nameOf(move));
      if (seen === undefined || seen.state !== move.state || seen.bytes !== move.bytes) continue;
      const stillMs = Math.round(now - seen.sinceMs);
      if (stillMs < STUCK_MS) continue;
      const { moveId, shard, source, target, state, problem } = move;
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
