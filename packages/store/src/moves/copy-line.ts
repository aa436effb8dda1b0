import { assert } from '@flotilla/base';
import { neverRare, type RareBranches } from '@flotilla/ports';
import { MoveAnswer, type MoveStepReply, StepFate } from '@flotilla/wire';
import { type Piece, type Place, samePlace } from './pieces.ts';

/** Pieces proposed and not applied. */
const PIECES_MAX = 4;
const BYTES_MAX = 1_048_576;

/**
 * What is on its way into the target's log: pages and deltas in the order in which they will be applied, and
 * one that waits for room. The next question starts where the last of them ends, so that reading, committing
 * and applying go on side by side. Wherever one of them did not do what it was meant to, the rest is let run
 * out, and the copy goes on from what is applied.
 */
export class CopyLine {
  readonly #rare: RareBranches;
  readonly #flights: Piece[] = [];
  #bytes = 0;
  #held: Piece | undefined;
  /** Pieces behind one that failed fit no more. */
  #isBroken = false;

  constructor(rare: RareBranches = neverRare) {
    this.#rare = rare;
  }

  get isIdle(): boolean {
    return this.#flights.length === 0 && this.#held === undefined;
  }

  /** Where the next question starts; undefined while that is not known. */
  end(applied: Place): Place | undefined {
    if (this.#isBroken) return undefined;
    return this.#held?.after ?? this.#flights.at(-1)?.after ?? applied;
  }

  /** True if one more question may be asked. */
  get hasRoom(): boolean {
    // One is read ahead while the line is full, so that reading never waits for committing.
    return !this.#isBroken && this.#held === undefined;
  }

  /** A piece arrived that starts at the end of the line. */
  hold(piece: Piece): void {
    assert(this.#held === undefined, 'one question at a time');
    if (!this.#isBroken) this.#held = piece;
  }

  /** The piece to propose now, if one waits and there is room for it. */
  takeHeld(): Piece | undefined {
    const piece = this.#held;
    if (piece === undefined || (this.#flights.length > 0 && !this.#fits(piece.bytes))) return undefined;
    this.#held = undefined;
    this.#flights.push(piece);
    this.#bytes += piece.bytes;
    return piece;
  }

  /** What became of a piece. Returns true if it was applied and the copy stands where it should. */
  settled(piece: Piece, reply: MoveStepReply): boolean {
    const at = this.#flights.indexOf(piece);
    assert(at >= 0, 'a piece is settled once');
    this.#flights.splice(at, 1);
    this.#bytes -= piece.bytes;
    const isDone = reply.fate === StepFate.answered && hasArrived(reply.outcome, piece.after);
    if (!isDone) this.#isBroken = true;
    if (this.#isBroken) this.#held = undefined;
    if (this.#flights.length === 0) this.#isBroken = false;
    return isDone;
  }

  /** The copy begins again: nothing that was asked for before fits any more. */
  reset(): void {
    this.#held = undefined;
    this.#isBroken = this.#flights.length > 0;
  }

  #fits(bytes: number): boolean {
    if (this.#rare.take('copy-line-of-one')) return false;
    return this.#flights.length < PIECES_MAX && this.#bytes + bytes <= BYTES_MAX;
  }
}

function hasArrived(
  outcome: Extract<MoveStepReply, { fate: typeof StepFate.answered }>['outcome'],
  place: Place,
): boolean {
  return outcome.answer === MoveAnswer.staged && samePlace(outcome, place);
}
