import { hasEnded, type MoveInput, moveName } from '../text/moves.ts';

/**
 * The moves that somebody watches: those that were open when the watch began, and all that came since. Each
 * poll brings the open ones and those that ended lately. A move that is in neither list any more has ended
 * while nobody who knew how was left to tell.
 */
export class MoveTracker {
  readonly #moves = new Map<string, MoveInput>();
  /** Ended before the watch began. */
  readonly #old = new Set<string>();
  #skipsEnded: boolean;

  /** `all`: also what had ended before the watch began. */
  constructor(all: boolean) {
    this.#skipsEnded = !all;
  }

  /** In the order of the cluster: by config, then by shard. */
  get moves(): readonly MoveInput[] {
    return [...this.#moves.values()].sort(
      (left, right) => left.moveId - right.moveId || left.shard - right.shard,
    );
  }

  get isOver(): boolean {
    return this.moves.every(hasEnded);
  }

  /** Takes what a poll brought; gives the moves that changed, as they are now. */
  take(polled: readonly MoveInput[]): MoveInput[] {
    const gone = new Set(this.#moves.keys());
    const changed: MoveInput[] = [];
    const note = (move: MoveInput): void => {
      const name = moveName(move);
      const before = this.#moves.get(name);
      this.#moves.set(name, move);
      if (before === undefined || !isAlike(before, move)) changed.push(move);
    };
    for (const move of polled) {
      const name = moveName(move);
      gone.delete(name);
      if (this.#skipsEnded && hasEnded(move)) this.#old.add(name);
      else if (!this.#old.has(name)) note(move);
    }
    this.#skipsEnded = false;
    for (const name of gone) {
      const move = this.#moves.get(name);
      if (move === undefined || hasEnded(move)) continue;
      note({ ...move, state: 'ended', bytesPerSecond: 0, etaMs: undefined, problem: '' });
    }
    return changed;
  }
}

/** Age, rate and time left change always, and alone they are no news. */
function isAlike(left: MoveInput, right: MoveInput): boolean {
  return (
    left.state === right.state &&
    left.bytes === right.bytes &&
    left.totalBytes === right.totalBytes &&
    left.pauseMs === right.pauseMs &&
    left.problem === right.problem
  );
}
