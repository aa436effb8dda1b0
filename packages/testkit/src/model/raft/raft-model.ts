import { assert } from '@flotilla/base';
import { PairTable } from '../pair-table.ts';
import type { Event, Fault } from '../search.ts';
import { type Bounds, foundedConf } from './bounds.ts';
import { Checks } from './checks.ts';
import { IDENTITY, type Renaming } from './codec.ts';
import { beginning, Histories } from './history.ts';
import { InputKind } from './input.ts';
import { NodeMachine, type Outcome } from './node-machine.ts';

export const NODES: number = 3;
/** A row: three cells, the history, three sets of messages, and what of the bounds is used up. */
export const HISTORY: number = NODES;
export const KEY_WORDS: number = HISTORY + 1;
export const INBOX: number = KEY_WORDS;
export const BUDGET: number = INBOX + NODES;
export const WIDTH: number = BUDGET + 1;

/** Every way to give the three nodes other ids. */
export const RENAMINGS: readonly Renaming[] = [
  IDENTITY,
  [1, 3, 2],
  [2, 1, 3],
  [2, 3, 1],
  [3, 1, 2],
  [3, 2, 1],
];

/** Counters in the last word, each of so many bits. */
const COUNTER_BITS = 4;
const COUNTER_MASK = (1 << COUNTER_BITS) - 1;
/** Above the counters: whose turn it is, 0 for anybody's. */
const TURN_SHIFT = 20;
const COUNTERS = (1 << TURN_SHIFT) - 1;
const Counter = { proposals: 0, changes: 1, crashes: 2, beats: 3, campaigns: 4 } as const;
type Counter = (typeof Counter)[keyof typeof Counter];

interface Step {
  readonly input: number;
  readonly outcome: Outcome;
}

export class RaftModel {
  readonly bounds: Bounds;
  readonly machine: NodeMachine;
  readonly histories: Histories = new Histories();
  readonly checks: Checks;
  readonly #limits: readonly number[];
  /** Inputs that need no message. */
  readonly #inputs: readonly number[];
  readonly #stepsFound = new PairTable();
  readonly #steps: (readonly Step[])[] = [];
  readonly #kept = new PairTable();
  readonly #keptBeforeCrash = new PairTable();
  readonly #renamedCells: Numbering;
  readonly #renamedSets: Numbering;
  readonly #renamedHistories: Numbering;
  readonly #next = new Uint32Array(WIDTH);
  readonly #least = new Uint32Array(WIDTH);
  readonly #canonical = { renaming: 0, orbit: 1 };
  readonly #event: Event = { kind: 0, left: 0, right: 0, fault: undefined };

  constructor(bounds: Bounds) {
    assert(!bounds.dropsOld || !bounds.preVote, 'with pre-votes the core answers messages of older terms');
    this.bounds = bounds;
    this.machine = new NodeMachine(bounds);
    this.checks = new Checks(this.machine, this.histories);
    this.#limits = [bounds.proposals, bounds.changes, bounds.crashes, bounds.beats, bounds.campaigns];
    this.#inputs = inputsOf(bounds);
    const { machine, histories } = this;
    this.#renamedCells = new Numbering((cell, by) => machine.rename(cell, RENAMINGS[by] as Renaming));
    this.#renamedSets = new Numbering((set, by) => machine.sets.rename(set, RENAMINGS[by] as Renaming));
    this.#renamedHistories = new Numbering((number, by) =>
      histories.number(histories.get(number), RENAMINGS[by] as Renaming),
    );
  }

  begin(row: Uint32Array): void {
    row.fill(0);
    for (let at = 0; at < NODES; at++) row[at] = this.machine.begin(at + 1);
    row[HISTORY] = this.histories.number(beginning(foundedConf(this.bounds)));
    this.canonical(row);
  }

  each(row: Uint32Array, tell: (next: Uint32Array, event: Event) => void): void {
    const turn = turnOf(row[BUDGET] as number);
    for (let at = 0; at < NODES; at++) {
      if (turn !== 0 && turn !== at + 1) continue;
      const steps = this.#stepsOf(row[at] as number, row[INBOX + at] as number);
      for (const { input, outcome } of steps) this.#give(row, at, input, outcome, tell);
    }
  }

  /** What can happen to a node that was sent these messages, and changes anything. */
  #stepsOf(cell: number, inbox: number): readonly Step[] {
    const known = this.#stepsFound.get(cell, inbox);
    if (known !== undefined) return this.#steps[known] as readonly Step[];
    const messages = [...this.machine.sets.members(inbox)].map((message) => InputKind.message + message);
    const steps: Step[] = [];
    for (const input of [...this.#inputs, ...messages]) {
      const outcome = this.machine.outcome(cell, input);
      if (outcome.cell !== cell || outcome.sent.length > 0 || outcome.fault !== undefined)
        steps.push({ input, outcome });
    }
    this.#stepsFound.set(cell, inbox, this.#steps.length);
    this.#steps.push(steps);
    return steps;
  }

  /** One input of one node, if it changes anything. */
  #give(
    row: Uint32Array,
    at: number,
    input: number,
    outcome: Outcome,
    tell: (next: Uint32Array, event: Event) => void,
  ): void {
    const next = this.#next;
    next.set(row);
    const budget = (row[BUDGET] as number) & COUNTERS;
    next[BUDGET] = budget;
    const counter = counterOf(input);
    if (counter !== undefined) {
      const used = usedOf(budget, counter);
      const limit = this.#limits[counter] as number;
      if (used >= limit || this.#comesTooEarly(counter, budget)) return;
      if (limit < COUNTER_MASK) next[BUDGET] = budget + (1 << (counter * COUNTER_BITS));
    }
    next[at] = outcome.cell;
    const isTold = this.#deliver(row, next, at, outcome);
    if (!isTold && outcome.cell === row[at] && outcome.fault === undefined) return;
    const event = this.#event;
    event.kind = input;
    event.left = at;
    event.fault = this.checks.step(row, next, at, HISTORY) ?? outcome.fault;
    if (!this.bounds.allOrders && !isTold && next[HISTORY] === row[HISTORY] && !outcome.cutsDisk)
      next[BUDGET] = (next[BUDGET] as number) | ((at + 1) << TURN_SHIFT);
    event.right = this.canonical(next).renaming;
    tell(next, event);
  }

  fault(row: Uint32Array): Fault | undefined {
    return this.checks.state(row);
  }

  #comesTooEarly(counter: Counter, budget: number): boolean {
    const { changesFirst, changes } = this.bounds;
    if (!changesFirst || counter !== Counter.campaigns) return false;
    return usedOf(budget, Counter.campaigns) > 0 && usedOf(budget, Counter.changes) < changes;
  }

  /** Adds what was sent; true if somebody can be told something new by it. */
  #deliver(row: Uint32Array, next: Uint32Array, at: number, { sent }: Outcome): boolean {
    let isNews = false;
    const { crashes, dropsOld } = this.bounds;
    const mayCrash = usedCrashes(next[BUDGET] as number) < crashes;
    for (let to = 0; to < NODES; to++) {
      const before = row[INBOX + to] as number;
      const inbox = sent.length > 0 ? this.machine.sets.union(before, sent[to] as number) : before;
      const mayBeOver = dropsOld && (inbox !== before || to === at || crashes > 0);
      const kept = mayBeOver ? this.#keep(next[to] as number, inbox, mayCrash) : inbox;
      next[INBOX + to] = kept;
      if (inbox === before || kept === before) continue;
      isNews ||= kept !== (mayBeOver ? this.#keep(next[to] as number, before, mayCrash) : before);
    }
    return isNews;
  }

  /** The messages that the node can still be told something by. */
  #keep(cell: number, inbox: number, mayCrash: boolean): number {
    const table = mayCrash ? this.#keptBeforeCrash : this.#kept;
    const known = table.get(cell, inbox);
    if (known !== undefined) return known;
    const { sets } = this.machine;
    const facts = this.machine.facts(cell);
    const left: number[] = [];
    for (const number of sets.members(inbox)) {
      const message = sets.message(number);
      if (this.checks.isOver(facts, message, mayCrash)) continue;
      const isSettled = this.checks.isSettled(facts, message, mayCrash);
      left.push(isSettled ? this.#inShort(cell, number) : number);
    }
    const kept = sets.of(left);
    table.set(cell, inbox, kept);
    return kept;
  }

  /** An append without what does not matter any more, if indeed the same comes of it. */
  #inShort(cell: number, message: number): number {
    const short = this.machine.sets.emptied(message);
    const [long, brief] = [message, short].map((each) =>
      this.machine.outcome(cell, InputKind.message + each),
    ) as [Outcome, Outcome];
    const isSame = long.cell === brief.cell && String(long.sent) === String(brief.sent);
    return isSame && long.fault === undefined ? short : message;
  }

  /**
   * Makes the row the least of those that only name the nodes differently. Answers which renaming led there, and how
   * many different rows there are.
   */
  canonical(row: Uint32Array): { readonly renaming: number; readonly orbit: number } {
    const least = this.#least;
    least.set(row);
    let chosen = 0;
    let same = 1;
    for (let by = 1; by < RENAMINGS.length; by++) {
      const order = this.#compare(row, by);
      if (order === 0) same++;
      if (order >= 0) continue;
      this.renamed(row, by, least);
      chosen = by;
      same = 1;
    }
    row.set(least);
    const found = this.#canonical;
    found.renaming = chosen;
    found.orbit = RENAMINGS.length / same;
    return found;
  }

  /** How the renamed row compares to the least one until now. */
  #compare(row: Uint32Array, by: number): number {
    const least = this.#least;
    const back = INVERSE[by] as Renaming;
    for (let at = 0; at < NODES; at++) {
      const word = this.#renamedCells.get(row[(back[at] as number) - 1] as number, by);
      if (word !== least[at]) return word - (least[at] as number);
    }
    const history = this.#renamedHistories.get(row[HISTORY] as number, by);
    if (history !== least[HISTORY]) return history - (least[HISTORY] as number);
    for (let at = 0; at < NODES; at++) {
      const word = this.#renamedSets.get(row[INBOX + (back[at] as number) - 1] as number, by);
      if (word !== least[INBOX + at]) return word - (least[INBOX + at] as number);
    }
    return renamedTurn(row[BUDGET] as number, by) - (least[BUDGET] as number);
  }

  renamed(row: Uint32Array, by: number, into: Uint32Array): void {
    const back = INVERSE[by] as Renaming;
    for (let at = 0; at < NODES; at++) {
      const from = (back[at] as number) - 1;
      into[at] = this.#renamedCells.get(row[from] as number, by);
      into[INBOX + at] = this.#renamedSets.get(row[INBOX + from] as number, by);
    }
    into[HISTORY] = this.#renamedHistories.get(row[HISTORY] as number, by);
    into[BUDGET] = renamedTurn(row[BUDGET] as number, by);
  }
}

function turnOf(budget: number): number {
  return budget >> TURN_SHIFT;
}

function renamedTurn(budget: number, by: number): number {
  const turn = turnOf(budget);
  if (turn === 0) return budget;
  return (budget & COUNTERS) | (((RENAMINGS[by] as Renaming)[turn - 1] as number) << TURN_SHIFT);
}

function usedOf(budget: number, counter: Counter): number {
  return (budget >> (counter * COUNTER_BITS)) & COUNTER_MASK;
}

export function sameChanges(left: number, right: number): boolean {
  return usedOf(left, Counter.changes) === usedOf(right, Counter.changes);
}

export function usedCrashes(budget: number): number {
  return usedOf(budget, Counter.crashes);
}

/** The left state has used up no more of any bound than the right one, and it is anybody's turn, or the same one's. */
export function coversBudget(left: number, right: number): boolean {
  if (turnOf(left) !== 0 && turnOf(left) !== turnOf(right)) return false;
  for (let shift = 0; shift < TURN_SHIFT; shift += COUNTER_BITS) {
    if (((left >> shift) & COUNTER_MASK) > ((right >> shift) & COUNTER_MASK)) return false;
  }
  return true;
}

/** What can happen to a node within the bounds beside messages that arrive. */
function inputsOf(bounds: Bounds): readonly number[] {
  const inputs: number[] = [InputKind.campaign, InputKind.write, InputKind.apply];
  if (bounds.proposals > 0) inputs.push(InputKind.propose);
  if (bounds.beats > 0) inputs.push(InputKind.beat);
  if (bounds.crashes > 0) inputs.push(InputKind.crashKeeping, InputKind.crashLosing);
  if (bounds.forgets) inputs.push(InputKind.forget);
  if (bounds.checkQuorum) inputs.push(InputKind.electionTime);
  if (bounds.changes > 0) inputs.push(...bounds.offered.map((_, at) => InputKind.change + at));
  return inputs;
}

function inverse(renaming: Renaming): Renaming {
  return IDENTITY.map((id) => renaming.indexOf(id) + 1);
}

const INVERSE: readonly Renaming[] = RENAMINGS.map(inverse);

function counterOf(input: number): Counter | undefined {
  if (input === InputKind.propose) return Counter.proposals;
  if (input === InputKind.beat) return Counter.beats;
  if (input === InputKind.campaign) return Counter.campaigns;
  if (input === InputKind.crashKeeping || input === InputKind.crashLosing) return Counter.crashes;
  return input >= InputKind.change && input < InputKind.message ? Counter.changes : undefined;
}

/** A function of a number and a renaming, worked out once. */
class Numbering {
  readonly #make: (number: number, by: number) => number;
  /** One higher; 0 while not known. */
  #known = new Uint32Array(1 << 12);

  constructor(make: (number: number, by: number) => number) {
    this.#make = make;
  }

  get(number: number, by: number): number {
    const at = number * RENAMINGS.length + by;
    const known = at < this.#known.length ? (this.#known[at] as number) : 0;
    return known === 0 ? this.#find(number, by, at) : known - 1;
  }

  #find(number: number, by: number, at: number): number {
    const made = by === 0 ? number : this.#make(number, by);
    if (at >= this.#known.length) {
      const grown = new Uint32Array(Math.max(at + 1, this.#known.length * 2));
      grown.set(this.#known);
      this.#known = grown;
    }
    this.#known[at] = made + 1;
    return made;
  }
}
