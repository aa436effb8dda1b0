import type { InternalCommand } from '../admin/changes.ts';
import { moveKey } from './move-order.ts';
import type { MoveWorld } from './move-world.ts';
import type { MoveName } from './pieces.ts';

/** Moves in one command. */
const MOVES_MAX = 500;
/** The config that follows a report reaches this store later than its answer, but not by more. */
const SETTLE_MS = 500;

export type ReportKind = 'done' | 'cancelled' | 'tooLate';

/** Tells the controller how moves ended, until a config shows it: many in one command, one command at a time. */
export class MoveReports {
  readonly #world: MoveWorld;
  readonly #kind: ReportKind;
  /** What was told and taken, until when it need not be told again. */
  readonly #told = new Map<string, number>();
  #isOpen = false;

  constructor(world: MoveWorld, kind: ReportKind) {
    this.#world = world;
    this.#kind = kind;
  }

  /** Called with all that the newest config does not show yet. */
  tell(moves: readonly MoveName[]): void {
    const nowMs = this.#world.now();
    for (const [key, untilMs] of [...this.#told]) if (nowMs >= untilMs) this.#told.delete(key);
    if (this.#isOpen) return;
    const due = moves.filter((move) => !this.#told.has(moveKey(move))).slice(0, MOVES_MAX);
    if (due.length === 0) return;
    this.#isOpen = true;
    this.#world.command(this.#command(due), (reply) => {
      this.#isOpen = false;
      if (reply.ok) for (const move of due) this.#told.set(moveKey(move), this.#world.now() + SETTLE_MS);
    });
  }

  #command(moves: readonly MoveName[]): InternalCommand {
    return { kind: this.#kind, moves: moves.map(({ shard, moveId }) => ({ shard, moveId })) };
  }
}
