import { ShardState } from '@flotilla/kv';
import { nextStep } from '@flotilla/store/testing';
import { MovePhase, MoveStep } from '@flotilla/wire';
import type { Fault } from '../search.ts';
import { EventKind } from './events.ts';
import { SHARD } from './group-facts.ts';
import { asFault, gidOf, type MoveModel } from './move-model.ts';
import { Flag, type Move } from './moves.ts';

export type Progress =
  /** Nothing is open and nothing is left over. */
  | 'home'
  /** The row is what the next step made of it. */
  | 'went'
  /** No driver has anything to do, and not everything is in order. */
  | 'stuck';

const said = [
  [Flag.saidCancelled, 'cancelled'],
  [Flag.saidTooLate, 'tooLate'],
] as const;

/**
 * What live drivers do when nothing fails any more, one step after the other, each by what it can see now: the
 * duties of a real driver, in a fixed order. From every state of a model this must lead to rest.
 */
export class Schedule {
  readonly #model: MoveModel;
  readonly #next: Uint32Array;
  #row: Uint32Array = new Uint32Array(0);
  /** The last step, as an event. */
  kind: EventKind = EventKind.entry;
  left = 0;
  right = 0;
  /** What was wrong about it. */
  fault: Fault | undefined;

  constructor(model: MoveModel) {
    this.#model = model;
    this.#next = new Uint32Array(model.layout.width);
  }

  /** Changes the row to the state after the next step. */
  advance(row: Uint32Array): Progress {
    this.#row = row;
    this.fault = undefined;
    if (this.#openMove() || this.#cleanUp() || this.#remove() || this.#drop()) {
      row.set(this.#next);
      return 'went';
    }
    return this.#isHome() ? 'home' : 'stuck';
  }

  #isHome(): boolean {
    const model = this.#model;
    const record = model.config(this.#row).shards[SHARD];
    if (record === undefined || record.intent !== undefined) return false;
    for (let place = 0; place < model.layout.groups; place++) {
      const { state, status, isSwept } = model.facts(this.#row, place);
      const wanted = gidOf(place) === record.owner ? ShardState.serving : ShardState.absent;
      if (state !== wanted || status?.openExport !== undefined || !isSwept) return false;
    }
    return true;
  }

  #went(kind: EventKind, left: number, right: number): boolean {
    this.kind = kind;
    this.left = left;
    this.right = right;
    for (let at = 0; at < this.#next.length; at++) if (this.#next[at] !== this.#row[at]) return true;
    return false;
  }

  #step(place: number, entry: number): boolean {
    this.#next.set(this.#row);
    this.fault = this.#model.step(this.#next, place, entry);
    return this.#went(EventKind.entry, place, entry);
  }

  #ask(place: number, at: number, entry: number): boolean {
    this.#next.set(this.#row);
    this.fault = this.#model.ask(this.#next, place, at, entry);
    return this.#went(EventKind.entry, place, entry);
  }

  #command(command: number): boolean {
    this.#next.set(this.#row);
    this.#model.command(this.#next, command);
    return this.#went(EventKind.command, command, 0);
  }

  /** The move that the config shows, if there is one. */
  #openMove(): boolean {
    const model = this.#model;
    const intent = model.config(this.#row).shards[SHARD]?.intent;
    if (intent === undefined) return false;
    const at = model.moveCount(this.#row) - 1;
    const move = model.move(this.#row, at);
    const { status } = model.facts(this.#row, move.target);
    if (status?.state === ShardState.serving && status.moveId === move.moveId) {
      return this.#command(model.report(this.#row, at, 'done'));
    }
    if (intent.phase === MovePhase.cancelling) return this.#cancel(at, move);
    if (move.source !== undefined) return this.#copy(at, move, move.source);
    return this.#step(move.target, model.entry(this.#row, at, MoveStep.activateEmpty));
  }

  #cancel(at: number, move: Move): boolean {
    const model = this.#model;
    for (const [flag, kind] of said) {
      if (model.hasFlag(this.#row, at, flag)) return this.#command(model.report(this.#row, at, kind));
    }
    const step = move.source === undefined ? MoveStep.abort : MoveStep.cancel;
    return this.#ask(move.source ?? move.target, at, model.entry(this.#row, at, step));
  }

  /** One step of the copy, as `nextStep` of the store itself has it for a leader to whom everything was just said. */
  #copy(at: number, move: Move, source: number): boolean {
    const model = this.#model;
    const { groups, layout } = model;
    const { target } = move;
    const said = groups.source(this.#row[layout.group(source)] as number, move.moveId);
    const { status: from } = model.facts(this.#row, source);
    const { status: to } = model.facts(this.#row, target);
    const step = nextStep({
      moveId: move.moveId,
      shard: to,
      isHeldBack: false,
      r0: said?.r0,
      frozen: said?.frozen,
      freezeSent: false,
      isSourceUnsure: false,
      openBytes: said !== undefined && from?.revision === to?.staging?.pos ? 0 : undefined,
      isCatchingUp: false,
      isImporting: false,
      holdsLease: true,
      hasCommitted: true,
    });
    const row = this.#row;
    switch (step.do) {
      case 'begin-export':
        return this.#step(source, model.entry(row, at, MoveStep.beginExport));
      case 'begin-import':
        return this.#step(target, model.entry(row, at, MoveStep.beginImport, step.base));
      case 'page':
        return this.#piece(target, said?.pieces, MoveStep.importChunk);
      case 'changes':
        return this.#piece(target, said?.pieces, MoveStep.importDelta);
      case 'freeze':
        return this.#ask(source, at, model.entry(row, at, MoveStep.freeze, step.pos, 0));
      case 'activate':
        return said?.activate !== undefined && this.#step(target, said.activate);
      default:
        return false;
    }
  }

  /** The first page, or changes, that the source has for the copy as it stands. */
  #piece(target: number, pool: number | undefined, kind: MoveStep): boolean {
    const { groups } = this.#model;
    if (pool === undefined) return false;
    for (const entry of groups.pools.entries(pool)) {
      if (groups.stepOf(entry)?.step === kind && this.#step(target, entry)) return true;
    }
    return false;
  }

  /** What groups owe by their state. */
  #cleanUp(): boolean {
    const model = this.#model;
    const { layout } = model;
    for (let place = 0; place < layout.groups; place++) {
      const state = this.#row[layout.group(place)] as number;
      const duty = model.duty(state, this.#row[layout.config] as number);
      if (duty === undefined) continue;
      const at = model.concerned(this.#row, place, duty);
      if (at === undefined) continue;
      const step = duty.step === MoveStep.forget ? MoveStep.forget : MoveStep.abort;
      return this.#step(place, model.entry(this.#row, at, step));
    }
    return false;
  }

  #drop(): boolean {
    const { layout, gone } = this.#model;
    for (let place = 0; place < layout.groups; place++) {
      if (!this.#model.isLeftOver(this.#row, place)) continue;
      this.#next.set(this.#row);
      this.#next[layout.group(place)] = gone;
      return this.#went(EventKind.drop, place, 0);
    }
    return false;
  }

  #remove(): boolean {
    const { groups, layout } = this.#model;
    for (let place = 0; place < layout.groups; place++) {
      const state = this.#row[layout.group(place)] as number;
      if (groups.facts(state).releasedCount === 0) continue;
      this.#next.set(this.#row);
      this.#next[layout.group(place)] = groups.remove(state, 0);
      this.fault = asFault(groups.fault);
      return this.#went(EventKind.remove, place, 0);
    }
    return false;
  }
}
