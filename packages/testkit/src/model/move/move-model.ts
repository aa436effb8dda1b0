import { assert, must } from '@flotilla/base';
import { ShardState, timeEntry } from '@flotilla/kv';
import { dutyOf } from '@flotilla/store/testing';
import { type ClusterConfig, MoveAnswer, type MoveEntry, MovePhase, MoveStep } from '@flotilla/wire';
import { PairTable } from '../pair-table.ts';
import type { Fault } from '../search.ts';
import type { Bounds } from './bounds.ts';
import { ControllerMachine } from './controller-machine.ts';
import { Entries, type PlainStep, type ReportKind } from './entries.ts';
import { type GroupFacts, SHARD } from './group-facts.ts';
import { GroupMachine, STAMP } from './group-machine.ts';
import { Layout } from './layout.ts';
import { Ledger } from './ledger.ts';
import { Flag, flagsOf, type Move, MoveList, numberOf, openMove, withBase, withFlag } from './moves.ts';
import { cursorsOf, type SentWrite, sentWrites } from './writes.ts';

/** What the answer to a step lets others know: a flag, pieces as a pool, an entry that activates (one higher). */
interface Heard {
  readonly flag: number;
  readonly pool: number;
  readonly activate: number;
}

const nothing: Heard = { flag: 0, pool: 0, activate: 0 };

/**
 * One shard, a few groups, the controller and some clients: what a state is, and what one event makes of it. An
 * event is one entry applied to one log, or one client that goes on. Every method that takes `row` changes it,
 * and returns what was wrong about the event.
 */
export class MoveModel {
  readonly bounds: Bounds;
  readonly layout: Layout;
  readonly groups: GroupMachine;
  readonly controller: ControllerMachine = new ControllerMachine();
  readonly moves: MoveList = new MoveList();
  readonly ledger: Ledger;
  readonly writes: readonly SentWrite[];
  readonly entries: Entries;
  /** By answer and move. */
  readonly #heard = new PairTable();
  readonly #answers: Heard[] = [];
  /** State of a group that is not there, and of one that was just founded. */
  gone = 0;
  #start = 0;
  /** Config of the cluster as it was founded. */
  #oldest = 0;
  /** By state and config. */
  readonly #duties = new PairTable();
  readonly #dutyList: (MoveEntry | undefined)[] = [];

  constructor(bounds: Bounds) {
    this.bounds = bounds;
    // A first assignment that is cancelled is planned anew.
    const again = bounds.isUnassigned ? bounds.cancels : 0;
    this.layout = new Layout(bounds.groups, 1 + bounds.moves + bounds.leaves + again);
    this.writes = sentWrites(bounds.programs);
    this.groups = new GroupMachine({
      cursors: cursorsOf(this.writes),
      removesLate: bounds.removesLate,
      pieceBytes: bounds.pieceBytes,
      expectsDamage: bounds.damages > 0,
    });
    this.ledger = new Ledger(this.writes);
    this.entries = new Entries(this.groups, this.controller, this.moves, bounds.unitMs);
  }

  /** Fills the row with the state in which the search begins. */
  begin(row: Uint32Array): void {
    const { layout, controller } = this;
    row.fill(0);
    row[layout.account] = this.ledger.blank();
    // All logs begin at the same time, so that the first entry of each changes nothing else.
    this.gone = this.groups.blank();
    this.#start = this.groups.apply(this.gone, this.groups.entry(timeEntry([], STAMP)));
    for (let place = 0; place < layout.groups; place++) row[layout.group(place)] = this.#start;
    this.#oldest = controller.founded(layout.groups);
    row[layout.config] = this.#oldest;
    for (let place = 0; place < layout.groups; place++) {
      this.command(row, this.entries.join(gidOf(place)));
    }
    if (this.bounds.isUnassigned) return;
    this.step(row, this.move(row, 0).target, this.entry(row, 0, MoveStep.activateEmpty));
    this.command(row, this.report(row, 0, 'done'));
  }

  /** The entry with a step of a move; see `Entries.step`. */
  entry(row: Uint32Array, at: number, step: PlainStep, value = 0, time = -1): number {
    return this.entries.step(numberOf(row[this.layout.move(at)] as number), step, value, time);
  }

  /** The command with which stores tell how a move ended. */
  report(row: Uint32Array, at: number, kind: ReportKind): number {
    return this.entries.report(numberOf(row[this.layout.move(at)] as number), kind);
  }

  config(row: Uint32Array): ClusterConfig {
    return this.controller.config(row[this.layout.config] as number);
  }

  facts(row: Uint32Array, place: number): GroupFacts {
    return this.groups.facts(row[this.layout.group(place)] as number);
  }

  move(row: Uint32Array, at: number): Move {
    return this.moves.move(numberOf(row[this.layout.move(at)] as number));
  }

  /** How many moves there were so far. */
  moveCount(row: Uint32Array): number {
    const { layout } = this;
    let count = 0;
    while (count < layout.moves && row[layout.move(count)] !== 0) count++;
    return count;
  }

  hasFlag(row: Uint32Array, at: number, flag: number): boolean {
    return (flagsOf(row[this.layout.move(at)] as number) & flag) !== 0;
  }

  #flag(row: Uint32Array, at: number, flag: number): void {
    const word = this.layout.move(at);
    row[word] = withFlag(row[word] as number, flag);
  }

  /** The controller's log applies a command. */
  command(row: Uint32Array, command: number): void {
    const { layout, controller } = this;
    const before = row[layout.config] as number;
    const after = controller.apply(before, command);
    if (after === before) return;
    row[layout.config] = after;
    const config = controller.config(after);
    this.#foundAnew(row, controller.config(before), config);
    const open = openMove(config, placeOf);
    const count = this.moveCount(row);
    let isKnown = open === undefined;
    for (let at = 0; at < count; at++) {
      const isOpen = this.move(row, at).moveId === open?.moveId;
      isKnown ||= isOpen;
      if (!isOpen) this.#flag(row, at, Flag.removed);
      else if (config.shards[SHARD]?.intent?.phase === MovePhase.cancelling) {
        this.#flag(row, at, Flag.cancelAsked);
      }
    }
    if (!isKnown) {
      assert(count < layout.moves, 'the row has room for every move that the bounds allow');
      row[layout.move(count)] = this.moves.number(must(open, 'a new move is open'));
    }
    for (let place = 0; place < layout.groups; place++) this.#findDue(row, place);
  }

  /**
   * What the driver of a group finds due by the state of the group. It may go by any config that there ever was: by
   * the newest, or by one that is older than all moves that people ordered.
   */
  #findDue(row: Uint32Array, place: number): void {
    const state = row[this.layout.group(place)] as number;
    if (this.groups.facts(state).status === undefined) return;
    for (const config of [this.#oldest, row[this.layout.config] as number]) {
      const duty = this.duty(state, config);
      if (duty === undefined) continue;
      const at = this.concerned(row, place, duty);
      if (at !== undefined)
        this.#flag(row, at, duty.step === MoveStep.forget ? Flag.forgetDue : Flag.abortDue);
    }
  }

  /** What a driver owes a group in this state by a config: `dutyOf` of the store itself. */
  duty(state: number, config: number): MoveEntry | undefined {
    const known = this.#duties.get(state, config);
    if (known !== undefined) return this.#dutyList[known];
    const { status } = this.groups.facts(state);
    const duty =
      status === undefined
        ? undefined
        : dutyOf(status, this.controller.config(config), Number.POSITIVE_INFINITY);
    this.#duties.set(state, config, this.#dutyList.length);
    this.#dutyList.push(duty);
    return duty;
  }

  /** The move that a step in a group is about, unless the group is another one than the move knows. */
  concerned(row: Uint32Array, place: number, { step, moveId }: MoveEntry): number | undefined {
    for (let at = this.moveCount(row) - 1; at >= 0; at--) {
      const move = this.move(row, at);
      if (move.moveId !== moveId) continue;
      const isSource = step === MoveStep.forget;
      if (place !== (isSource ? move.source : move.target)) continue;
      if (!this.hasFlag(row, at, isSource ? Flag.sourceGone : Flag.targetGone)) return at;
    }
    return undefined;
  }

  /** A group that was not there before is another one than the one that had its place. */
  #foundAnew(row: Uint32Array, before: ClusterConfig, after: ClusterConfig): void {
    for (const { gid } of after.groups) {
      if (before.groups.some((group) => group.gid === gid)) continue;
      const place = placeOf(gid);
      row[this.layout.group(place)] = this.#start;
      for (let at = this.moveCount(row) - 1; at >= 0; at--) {
        const { source, target } = this.move(row, at);
        if (source === place) this.#flag(row, at, Flag.sourceGone);
        if (target === place) this.#flag(row, at, Flag.targetGone);
      }
    }
  }

  /** The config names the group of a place no more, and its stores have not dropped it yet. */
  isLeftOver(row: Uint32Array, place: number): boolean {
    if (row[this.layout.group(place)] === this.gone) return false;
    return !this.config(row).groups.some(({ gid }) => placeOf(gid) === place);
  }

  /** A group's log applies a step of a move. */
  step(row: Uint32Array, place: number, entry: number): Fault | undefined {
    const { layout, groups } = this;
    const before = row[layout.group(place)] as number;
    const after = groups.apply(before, entry);
    const { fault } = groups;
    row[layout.group(place)] = after;
    if (after !== before) this.learn(row, place);
    return asFault(fault);
  }

  /** The same for a step of the kinds whose answers others wait for. */
  ask(row: Uint32Array, place: number, at: number, entry: number): Fault | undefined {
    const fault = this.step(row, place, entry);
    if (this.groups.isFailed) return fault;
    const number = numberOf(row[this.layout.move(at)] as number);
    const { flag, pool, activate } = this.#hear(this.groups.answer, number);
    if (flag !== 0) this.#flag(row, at, flag);
    if (pool !== 0)
      row[this.layout.pool(at)] = this.groups.pools.union(row[this.layout.pool(at)] as number, pool);
    if (activate === 0) return fault;
    const word = this.layout.activate(at);
    if (row[word] === 0) row[word] = activate;
    return fault ?? (row[word] === activate ? undefined : asFault('a freeze is answered with other facts'));
  }

  #hear(answer: number, number: number): Heard {
    const known = this.#heard.get(answer, number);
    if (known !== undefined) return this.#answers[known] as Heard;
    const heard = this.#understand(answer, number);
    this.#heard.set(answer, number, this.#answers.length);
    this.#answers.push(heard);
    return heard;
  }

  #understand(answer: number, number: number): Heard {
    const outcome = this.groups.outcome(answer);
    const { moveId } = this.moves.move(number);
    const of = { moveId, shard: SHARD };
    switch (outcome.answer) {
      case MoveAnswer.cancelled:
      case MoveAnswer.aborted:
        return { ...nothing, flag: Flag.saidCancelled };
      case MoveAnswer.tooLate:
      case MoveAnswer.active:
        return { ...nothing, flag: Flag.saidTooLate };
      case MoveAnswer.frozen: {
        const { delta, facts } = outcome;
        const last = { step: MoveStep.importDelta, ...of, delta } as const;
        const pool = delta.length === 0 ? 0 : this.groups.pools.of([this.groups.step(last)]);
        return {
          flag: 0,
          pool,
          activate: this.groups.step({ step: MoveStep.activate, ...of, ...facts }) + 1,
        };
      }
      default:
        return nothing;
    }
  }

  /** What the new state of a group lets others know, from now on and for ever. */
  learn(row: Uint32Array, place: number): void {
    const { layout, groups } = this;
    const state = row[layout.group(place)] as number;
    const { status } = groups.facts(state);
    this.#findDue(row, place);
    const count = this.moveCount(row);
    for (let at = 0; at < count; at++) {
      const { moveId, source, target } = this.move(row, at);
      if (target === place && status?.moveId === moveId && status.state === ShardState.serving) {
        this.#flag(row, at, Flag.served);
      }
      if (source !== place) continue;
      const facts = groups.source(state, moveId);
      if (facts === undefined) continue;
      const word = layout.move(at);
      row[word] = withBase(row[word] as number, facts.r0);
      if (facts.frozen !== undefined) row[word] = withBase(row[word] as number, facts.frozen.revision);
      if (facts.activate !== undefined) row[layout.activate(at)] = facts.activate + 1;
      row[layout.pool(at)] = groups.pools.union(row[layout.pool(at)] as number, facts.pieces);
    }
  }
}

/** Of what shows only that something is not as it was meant. */
export function asFault(what: string | undefined): Fault | undefined {
  return what === undefined ? undefined : { what, harm: undefined };
}

export function gidOf(place: number): number {
  return place + 1;
}

export function placeOf(gid: number): number {
  return gid - 1;
}
