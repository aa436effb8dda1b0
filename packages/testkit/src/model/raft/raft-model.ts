import { PairTable } from '../pair-table.ts';
import type { Event, Fault } from '../search.ts';
import type { Bounds } from './bounds.ts';
import { Checks } from './checks.ts';
import { IDENTITY, type Renaming } from './codec.ts';
import { Histories } from './history.ts';
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
const Counter = { proposals: 0, changes: 1, crashes: 2, beats: 3, campaigns: 4 } as const;
type Counter = (typeof Counter)[keyof typeof Counter];

export class RaftModel {
  readonly bounds: Bounds;
  readonly machine: NodeMachine;
  readonly histories: Histories = new Histories();
  readonly checks: Checks;
  readonly #limits: readonly number[];
  /** Inputs that need no message. */
  readonly #inputs: readonly number[];
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
    row[HISTORY] = this.histories.number({ led: 0, committed: [], terms: [] });
    this.canonical(row);
  }

  each(row: Uint32Array, tell: (next: Uint32Array, event: Event) => void): void {
    for (let at = 0; at < NODES; at++) {
      for (const input of this.#inputs) this.#give(row, at, input, tell);
      const messages = this.machine.sets.members(row[INBOX + at] as number);
      for (const message of messages) this.#give(row, at, InputKind.message + message, tell);
    }
  }

  /** One input of one node, if it changes anything. */
  #give(row: Uint32Array, at: number, input: number, tell: (next: Uint32Array, event: Event) => void): void {
    const outcome = this.machine.outcome(row[at] as number, input);
    if (outcome.cell === row[at] && outcome.sent.length === 0 && outcome.fault === undefined) return;
    const next = this.#next;
    next.set(row);
    const counter = counterOf(input);
    if (counter !== undefined) {
      const used = ((row[BUDGET] as number) >> (counter * COUNTER_BITS)) & COUNTER_MASK;
      if (used >= (this.#limits[counter] as number)) return;
      next[BUDGET] = (row[BUDGET] as number) + (1 << (counter * COUNTER_BITS));
    }
    next[at] = outcome.cell;
    if (!this.#deliver(row, next, at, outcome)) return;
    const event = this.#event;
    event.kind = input;
    event.left = at;
    event.fault = this.checks.step(row, next, at, HISTORY) ?? outcome.fault;
    event.right = this.canonical(next).renaming;
    tell(next, event);
  }

  fault(row: Uint32Array): Fault | undefined {
    return this.checks.state(row);
  }

  /** Adds what was sent; false if that leaves everything as it was. */
  #deliver(row: Uint32Array, next: Uint32Array, at: number, { cell, sent, fault }: Outcome): boolean {
    let isNews = fault !== undefined || cell !== row[at];
    const mayCrash = usedCrashes(next[BUDGET] as number) < this.bounds.crashes;
    for (let to = 0; to < NODES; to++) {
      const before = row[INBOX + to] as number;
      let inbox = before;
      if (sent.length > 0) inbox = this.machine.sets.union(inbox, sent[to] as number);
      if (this.bounds.dropsOld && (inbox !== before || to === at || this.bounds.crashes > 0))
        inbox = this.#keep(next[to] as number, inbox, mayCrash);
      next[INBOX + to] = inbox;
      if (inbox !== before) isNews = true;
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
    const kept = sets.of(
      [...sets.members(inbox)].filter(
        (message) => !this.checks.isOver(facts, sets.message(message), mayCrash),
      ),
    );
    table.set(cell, inbox, kept);
    return kept;
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
    return 0;
  }

  renamed(row: Uint32Array, by: number, into: Uint32Array): void {
    const back = INVERSE[by] as Renaming;
    for (let at = 0; at < NODES; at++) {
      const from = (back[at] as number) - 1;
      into[at] = this.#renamedCells.get(row[from] as number, by);
      into[INBOX + at] = this.#renamedSets.get(row[INBOX + from] as number, by);
    }
    into[HISTORY] = this.#renamedHistories.get(row[HISTORY] as number, by);
    into[BUDGET] = row[BUDGET] as number;
  }
}

export function usedCrashes(budget: number): number {
  return (budget >> (Counter.crashes * COUNTER_BITS)) & COUNTER_MASK;
}

/** The left state has used up no more of any bound than the right one. */
export function coversCounters(left: number, right: number): boolean {
  for (let shift = 0; shift < 20; shift += COUNTER_BITS) {
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
