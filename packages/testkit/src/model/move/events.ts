import { ShardState, timeEntry } from '@flotilla/kv';
import { MoveStep, sessionLimits } from '@flotilla/wire';
import { PairTable } from '../pair-table.ts';
import type { Fault } from '../search.ts';
import { SHARD } from './group-facts.ts';
import { STAMP } from './group-machine.ts';
import type { Harm } from './harm.ts';
import { Counter } from './layout.ts';
import { resultText } from './ledger.ts';
import { legal } from './legal.ts';
import { asFault, type MoveModel } from './move-model.ts';
import { Flag, flagsOf, hasBase, numberOf, REVISIONS } from './moves.ts';
import type { SentWrite } from './writes.ts';

/** One event of a search, in numbers; `words.ts` has it in words. */
export const EventKind = {
  /** A group applies an entry: place, entry. */
  entry: 0,
  /** A client's attempt, applied: place, entry. */
  attempt: 1,
  /** The controller applies a command: its number. */
  command: 2,
  /** A client hears an answer: client. */
  hear: 3,
  /** A client gives up: client. */
  giveUp: 4,
  /** A released range is removed: place, which. */
  remove: 5,
  /** A damaged page is applied: place, entry. */
  damage: 6,
  /** The stores of a group that the config names no more drop it: place. */
  drop: 7,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

export interface Sink {
  /** The row may not be kept. It may equal the one before only where something is broken. */
  next(row: Uint32Array, kind: EventKind, left: number, right: number, fault: Fault | undefined): void;
}

function harmful(harm: Harm, what: string): Fault {
  return { harm, what };
}

/**
 * Everything that may happen next. An entry may be applied if some driver could ever have proposed it: the sum of
 * what was known at any time is kept in the row, so a message that is lost, doubled or late by any number of
 * moves needs no queue of its own.
 */
export class Events {
  readonly #model: MoveModel;
  readonly #next: Uint32Array;
  /** By state and pool: entries that do something. */
  readonly #effective = new PairTable();
  readonly #lists: (readonly number[])[] = [];
  readonly #texts: string[] = [];
  #row: Uint32Array = new Uint32Array(0);
  #sink: Sink | undefined;

  constructor(model: MoveModel) {
    this.#model = model;
    this.#next = new Uint32Array(model.layout.width);
  }

  each(row: Uint32Array, sink: Sink): void {
    this.#row = row;
    this.#sink = sink;
    const model = this.#model;
    const count = model.moveCount(row);
    for (let at = 0; at < count; at++) this.#ofMove(at);
    this.#orders(count);
    this.#clients();
    for (let place = 0; place < model.layout.groups; place++) {
      if (row[model.layout.group(place)] === model.gone) continue;
      this.#time(place);
      this.#removals(place);
      if (model.isLeftOver(row, place)) this.#drop(place);
    }
  }

  #tell(kind: EventKind, left: number, right: number, fault: Fault | undefined): void {
    this.#sink?.next(this.#next, kind, left, right, fault ?? this.#turnClock());
  }

  /** The time of the shard never goes back, whoever serves it. */
  #turnClock(): Fault | undefined {
    const { bounds, layout } = this.#model;
    if (bounds.timeMax === 0) return undefined;
    for (let place = 0; place < layout.groups; place++) {
      if (this.#model.facts(this.#next, place).state !== ShardState.serving) continue;
      const now = this.now(this.#next, place);
      const clock = layout.count(this.#next, Counter.clock);
      if (now < clock)
        return harmful('time goes back', `the time of the shard goes back from ${clock} to ${now}`);
      layout.setCount(this.#next, Counter.clock, now);
    }
    return undefined;
  }

  /** The shard's time in a group, in units. */
  now(row: Uint32Array, place: number): number {
    const { status, lastStamp } = this.#model.facts(row, place);
    return (Math.max(status?.timeFloor ?? 0, lastStamp) - STAMP) / this.#model.bounds.unitMs;
  }

  /** An entry whose answer nobody waits for. */
  #step(place: number, entry: number): void {
    const { groups, layout } = this.#model;
    const before = this.#row[layout.group(place)] as number;
    if (groups.apply(before, entry) === before && groups.fault === undefined) return;
    this.#next.set(this.#row);
    const fault = this.#model.step(this.#next, place, entry);
    this.#tell(EventKind.entry, place, entry, fault);
  }

  /** An entry whose answer lets others go on. */
  #ask(place: number, at: number, entry: number): void {
    this.#next.set(this.#row);
    const fault = this.#model.ask(this.#next, place, at, entry);
    if (fault !== undefined || this.#differs()) this.#tell(EventKind.entry, place, entry, fault);
  }

  #differs(): boolean {
    for (let at = 0; at < this.#next.length; at++) if (this.#next[at] !== this.#row[at]) return true;
    return false;
  }

  #ofMove(at: number): void {
    const model = this.#model;
    const { layout } = model;
    const word = this.#row[layout.move(at)] as number;
    const { source } = model.moves.move(numberOf(word));
    if (source === undefined) this.#ofFirst(at, word);
    else {
      this.#inSource(at, word, source);
      this.#inTarget(at, word);
    }
    const flags = flagsOf(word);
    if (legal.done(flags)) this.#command(model.report(this.#row, at, 'done'));
    if (legal.cancelled(flags)) this.#command(model.report(this.#row, at, 'cancelled'));
    if (legal.tooLate(flags)) this.#command(model.report(this.#row, at, 'tooLate'));
  }

  /** A group that was dropped, or is another one by now, hears nothing of a move. */
  #reaches(word: number, place: number, gone: number): boolean {
    const { layout } = this.#model;
    return (flagsOf(word) & gone) === 0 && this.#row[layout.group(place)] !== this.#model.gone;
  }

  #ofFirst(at: number, word: number): void {
    const { target } = this.#model.moves.move(numberOf(word));
    if (!this.#reaches(word, target, Flag.targetGone)) return;
    this.#step(target, this.#model.entry(this.#row, at, MoveStep.activateEmpty));
    if (legal.cancel(flagsOf(word))) this.#ask(target, at, this.#model.entry(this.#row, at, MoveStep.abort));
  }

  #inSource(at: number, word: number, place: number): void {
    const model = this.#model;
    const { moveId } = model.moves.move(numberOf(word));
    if (!this.#reaches(word, place, Flag.sourceGone)) return;
    const flags = flagsOf(word);
    const { status } = model.facts(this.#row, place);
    const open = status?.openExport?.moveId === moveId ? status.openExport : undefined;
    this.#step(place, model.entry(this.#row, at, MoveStep.beginExport));
    for (let time = 0; time <= model.bounds.timeMax; time++) {
      this.#ask(place, at, model.entry(this.#row, at, MoveStep.freeze, open?.r0 ?? 0, time));
    }
    if (legal.cancel(flags)) this.#ask(place, at, model.entry(this.#row, at, MoveStep.cancel));
    if (legal.forget(flags)) this.#step(place, model.entry(this.#row, at, MoveStep.forget));
    if (open !== undefined) this.#trims(place, at, open.r0, status?.revision ?? 0);
  }

  #trims(place: number, at: number, r0: number, revision: number): void {
    const { bounds, groups, layout } = this.#model;
    const used = layout.count(this.#row, Counter.trims);
    if (used >= bounds.trims) return;
    const before = this.#row[layout.group(place)] as number;
    for (let to = r0 + 1; to <= revision; to++) {
      const entry = this.#model.entry(this.#row, at, MoveStep.trimExport, to);
      if (groups.apply(before, entry) === before && groups.fault === undefined) continue;
      this.#next.set(this.#row);
      const fault = this.#model.step(this.#next, place, entry);
      layout.setCount(this.#next, Counter.trims, used + 1);
      this.#tell(EventKind.entry, place, entry, fault);
    }
  }

  #inTarget(at: number, word: number): void {
    const { layout, moves } = this.#model;
    const { target: place } = moves.move(numberOf(word));
    if (!this.#reaches(word, place, Flag.targetGone)) return;
    for (let base = 0; base < REVISIONS; base++) {
      if (!hasBase(word, base)) continue;
      this.#step(place, this.#model.entry(this.#row, at, MoveStep.beginImport, base));
    }
    const state = this.#row[layout.group(place)] as number;
    for (const entry of this.#fitting(state, this.#row[layout.pool(at)] as number)) {
      this.#step(place, entry);
    }
    const activate = this.#row[layout.activate(at)] as number;
    if (activate > 0) this.#step(place, activate - 1);
    if (legal.abort(flagsOf(word))) this.#step(place, this.#model.entry(this.#row, at, MoveStep.abort));
    this.#damages(place, this.#row[layout.pool(at)] as number);
  }

  /** Of all pages and changes that were ever readable, those that do something in this state. */
  #fitting(state: number, pool: number): readonly number[] {
    const known = this.#effective.get(state, pool);
    if (known !== undefined) return this.#lists[known] as readonly number[];
    const { bounds, groups } = this.#model;
    const isWhole = groups.facts(state).status?.staging?.isComplete === true;
    const fitting = groups.pools.entries(pool).filter((entry) => {
      if (!bounds.changesEarly && !isWhole && groups.stepOf(entry)?.step === MoveStep.importDelta)
        return false;
      return groups.apply(state, entry) !== state || groups.fault !== undefined;
    });
    this.#effective.set(state, pool, this.#lists.length);
    this.#lists.push(fitting);
    return fitting;
  }

  #damages(place: number, pool: number): void {
    const { bounds, groups, layout } = this.#model;
    const used = layout.count(this.#row, Counter.damages);
    if (used >= bounds.damages) return;
    const before = this.#row[layout.group(place)] as number;
    for (const whole of groups.pools.entries(pool)) {
      const entry = groups.damaged(whole);
      if (entry === undefined) continue;
      if (groups.apply(before, entry) === before && groups.fault === undefined) continue;
      this.#next.set(this.#row);
      const fault = this.#model.step(this.#next, place, entry);
      layout.setCount(this.#next, Counter.damages, used + 1);
      this.#tell(EventKind.damage, place, entry, fault);
    }
  }

  #command(command: number, counter?: Counter): void {
    const { layout } = this.#model;
    this.#next.set(this.#row);
    this.#model.command(this.#next, command);
    if (this.#next[layout.config] === this.#row[layout.config]) return;
    if (counter !== undefined) {
      layout.setCount(this.#next, counter, layout.count(this.#row, counter) + 1);
    }
    this.#tell(EventKind.command, command, 0, undefined);
  }

  #drop(place: number): void {
    this.#next.set(this.#row);
    this.#next[this.#model.layout.group(place)] = this.#model.gone;
    this.#tell(EventKind.drop, place, 0, undefined);
  }

  /** What people order. */
  #orders(count: number): void {
    const model = this.#model;
    const { bounds, layout } = model;
    const config = model.config(this.#row);
    const intent = config.shards[SHARD]?.intent;
    const mayMove = layout.count(this.#row, Counter.moves) < bounds.moves && count < layout.moves;
    if (mayMove && (intent === undefined || bounds.redirects)) {
      for (const { gid } of config.groups) this.#command(model.entries.move(gid), Counter.moves);
    }
    if (layout.count(this.#row, Counter.leaves) < bounds.leaves) {
      for (let gid = 1; gid <= layout.groups; gid++) {
        this.#command(model.entries.leave(gid), Counter.leaves);
        this.#command(model.entries.join(gid), Counter.leaves);
      }
    }
    if (intent === undefined || layout.count(this.#row, Counter.cancels) >= bounds.cancels) return;
    this.#command(model.entries.cancel(intent.moveId), Counter.cancels);
  }

  #clients(): void {
    const model = this.#model;
    const { layout, ledger, bounds } = model;
    const number = this.#row[layout.account] as number;
    const { places, results } = ledger.account(number);
    for (const sent of model.writes) {
      const open = places[sent.client] as number;
      if (sent.place > open) continue;
      for (let place = 0; place < layout.groups; place++) this.#attempt(place, sent, sent.place === open);
      if (sent.place !== open) continue;
      if (results[sent.number] !== undefined) this.#goOn(EventKind.hear, sent.client);
      else if (layout.count(this.#row, Counter.giveUps) < bounds.giveUps)
        this.#goOn(EventKind.giveUp, sent.client);
    }
  }

  #goOn(kind: EventKind, client: number): void {
    const { layout, ledger } = this.#model;
    this.#next.set(this.#row);
    this.#next[layout.account] = ledger.goOn(this.#row[layout.account] as number, client);
    if (kind === EventKind.giveUp) {
      layout.setCount(this.#next, Counter.giveUps, layout.count(this.#row, Counter.giveUps) + 1);
    }
    this.#tell(kind, client, 0, undefined);
  }

  /** A write reaches a group, for the first time or again, with an epoch that cannot be the reason to refuse it. */
  #attempt(place: number, sent: SentWrite, isAwaited: boolean): void {
    const { bounds, groups, layout } = this.#model;
    const before = this.#row[layout.group(place)] as number;
    if (before === this.#model.gone) return;
    const epoch = groups.facts(before).status?.epoch ?? 1;
    for (let time = 0; time <= bounds.timeMax; time++) {
      const entry = this.#model.entries.attempt(sent, epoch, time);
      const after = groups.apply(before, entry);
      const { fault, answer, isFailed } = groups;
      this.#next.set(this.#row);
      this.#next[layout.group(place)] = after;
      const judged = isFailed ? undefined : this.#judge(place, before, after, sent, isAwaited, answer);
      const wrong = judged ?? asFault(fault);
      if (wrong === undefined && after === before) continue;
      this.#model.learn(this.#next, place);
      this.#tell(EventKind.attempt, place, entry, wrong);
    }
  }

  /** Compares what a group did with a write with what must become of it; notes an execution in the account. */
  #judge(
    place: number,
    before: number,
    after: number,
    sent: SentWrite,
    isAwaited: boolean,
    answer: number,
  ): Fault | undefined {
    const { groups, layout, ledger, bounds } = this.#model;
    const account = this.#row[layout.account] as number;
    const first = ledger.account(account).results[sent.number];
    const said = this.#said(answer);
    const { state } = groups.facts(before);
    const wrong = (is: string): Fault => harmful('wrong content', `${sent.name} ${is}`);
    if (groups.content(after) !== groups.content(before)) {
      if (first !== undefined) return harmful('executed twice', `${sent.name} is executed a second time`);
      const now = this.now(this.#next, place);
      const next = ledger.execute(account, sent.number, now);
      this.#next[layout.account] = next;
      const wanted = ledger.account(next).results[sent.number];
      return said === wanted ? undefined : wrong(`is answered "${said}" and not "${wanted}"`);
    }
    if (state !== ShardState.serving) return undefined;
    if (said === 'sessionExpired') {
      const isOver = this.now(this.#next, place) * bounds.unitMs >= sessionLimits.life;
      return isAwaited && !isOver ? wrong('meets a session that has expired before its time') : undefined;
    }
    if (said === 'belowFloor')
      return isAwaited ? wrong('is below the floor, and its client waits for it') : undefined;
    return said === first
      ? undefined
      : wrong(`is answered "${said}" and at first was "${first ?? 'nothing'}"`);
  }

  #said(answer: number): string {
    const known = this.#texts[answer];
    if (known !== undefined) return known;
    const text = resultText(this.#model.groups.result(answer));
    this.#texts[answer] = text;
    return text;
  }

  /** A time entry takes away what is due by the time of its stamp. */
  #time(place: number): void {
    const { bounds, groups, layout, ledger } = this.#model;
    if (bounds.timeMax === 0) return;
    const before = this.#row[layout.group(place)] as number;
    for (let time = 0; time <= bounds.timeMax; time++) {
      const stamp = STAMP + time * bounds.unitMs;
      const entry = groups.entry(timeEntry([{ shard: SHARD, items: 1000 }], stamp));
      const after = groups.apply(before, entry);
      if (after === before && groups.fault === undefined) continue;
      const { fault } = groups;
      this.#next.set(this.#row);
      this.#next[layout.group(place)] = after;
      if (groups.facts(after).status?.revision !== groups.facts(before).status?.revision) {
        const account = this.#row[layout.account] as number;
        this.#next[layout.account] = ledger.remove(account, this.now(this.#next, place));
      }
      this.#model.learn(this.#next, place);
      this.#tell(EventKind.entry, place, entry, asFault(fault));
    }
  }

  #removals(place: number): void {
    const { bounds, groups, layout } = this.#model;
    if (!bounds.removesLate) return;
    const before = this.#row[layout.group(place)] as number;
    for (let at = 0; at < groups.facts(before).releasedCount; at++) {
      this.#next.set(this.#row);
      this.#next[layout.group(place)] = groups.remove(before, at);
      this.#tell(EventKind.remove, place, at, asFault(groups.fault));
    }
  }
}
