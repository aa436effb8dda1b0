import { assert } from '@flotilla/base';
import type { ControllerCommand } from '@flotilla/controller';
import { type MoveEntry, MoveStep, readEntryHead } from '@flotilla/wire';
import { type ControllerMachine, storeOf } from './controller-machine.ts';
import { SHARD } from './group-facts.ts';
import { type GroupMachine, STAMP } from './group-machine.ts';
import type { Move, MoveList } from './moves.ts';
import { attemptEntry, type SentWrite } from './writes.ts';

export type ReportKind = 'done' | 'cancelled' | 'tooLate';

/** Steps that follow from the move alone. Pages, changes and facts of a freeze come from its source. */
export type PlainStep = Exclude<
  MoveStep,
  typeof MoveStep.importChunk | typeof MoveStep.importDelta | typeof MoveStep.activate
>;

const SMALL = 16;

/** Everything that can be written into a log, each made once and then a number. */
export class Entries {
  readonly #groups: GroupMachine;
  readonly #controller: ControllerMachine;
  readonly #moves: MoveList;
  readonly #unitMs: number;
  readonly #steps = new Map<number, number>();
  readonly #attempts = new Map<number, number>();
  readonly #sent = new Map<number, SentWrite>();
  readonly #commands = new Map<string, number[]>();

  constructor(groups: GroupMachine, controller: ControllerMachine, moves: MoveList, unitMs: number) {
    this.#groups = groups;
    this.#controller = controller;
    this.#moves = moves;
    this.#unitMs = unitMs;
  }

  /**
   * The entry with a step of a move, at a log time (below 0: at none). `value` is what the kind of step has besides:
   * the base of an import, the place of a freeze, the end of a trim.
   */
  step(move: number, step: PlainStep, value: number, time: number): number {
    assert(value < SMALL && time + 1 < SMALL, 'revisions and times of a model are small');
    const key = ((move * SMALL + step) * SMALL + value) * SMALL + time + 1;
    const known = this.#steps.get(key);
    if (known !== undefined) return known;
    const stamp = time < 0 ? 0 : STAMP + time * this.#unitMs;
    const entry = this.#groups.step(stepOf(this.#moves.move(move), step, value), stamp);
    this.#steps.set(key, entry);
    return entry;
  }

  /** The entry of a write, with an epoch that is no reason to refuse it. */
  attempt(sent: SentWrite, epoch: number, time: number): number {
    const key = (epoch * SMALL + sent.number) * SMALL + time;
    const known = this.#attempts.get(key);
    if (known !== undefined) return known;
    const entry = this.#groups.entry(attemptEntry(sent, epoch, time, this.#unitMs));
    this.#attempts.set(key, entry);
    this.#sent.set(entry, sent);
    return entry;
  }

  /** The write in the entry of an attempt. */
  sentIn(entry: number): SentWrite | undefined {
    return this.#sent.get(entry);
  }

  /** Log time of an entry in units; below 0 if it names none. */
  timeOf(entry: number): number {
    const { stamp } = readEntryHead(this.#groups.entryBytes(entry));
    return (stamp - STAMP) / this.#unitMs;
  }

  /** What stores tell the controller about a move. */
  report(move: number, kind: ReportKind): number {
    return this.#command(kind, move, () => {
      return { kind, moves: [{ shard: SHARD, moveId: this.#moves.move(move).moveId }] };
    });
  }

  // What people order

  move(gid: number): number {
    return this.#command('move', gid, () => ({ kind: 'move', shard: SHARD, gid }));
  }

  cancel(moveId: number): number {
    return this.#command('cancel', moveId, () => ({ kind: 'cancel', moveId, shard: undefined }));
  }

  join(gid: number): number {
    return this.#command('join', gid, () => ({ kind: 'join', groups: [{ gid, stores: [storeOf(gid)] }] }));
  }

  leave(gid: number): number {
    return this.#command('leave', gid, () => ({ kind: 'leave', gids: [gid] }));
  }

  #command(kind: string, about: number, make: () => ControllerCommand): number {
    let known = this.#commands.get(kind);
    if (known === undefined) {
      known = [];
      this.#commands.set(kind, known);
    }
    known[about] ??= this.#controller.command(make());
    return known[about];
  }
}

function stepOf(move: Move, step: PlainStep, value: number): MoveEntry {
  const { moveId, epoch, sourceGid, sourceIncarnation } = move;
  const of = { moveId, shard: SHARD };
  switch (step) {
    case MoveStep.activateEmpty:
    case MoveStep.beginExport:
      return { step, ...of, epoch };
    case MoveStep.trimExport:
      return { step, ...of, to: value };
    case MoveStep.freeze:
      return { step, ...of, epoch, pos: value, target: move.targetGid };
    case MoveStep.beginImport:
      return { step, ...of, epoch, sourceGid, sourceIncarnation, base: value };
    default:
      return { step, ...of };
  }
}
