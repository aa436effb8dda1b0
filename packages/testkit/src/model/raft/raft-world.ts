import type { CoveringWorld } from '../covering-search.ts';
import type { Event, Fault, Story } from '../search.ts';
import type { Bounds } from './bounds.ts';
import {
  BUDGET,
  coversBudget,
  INBOX,
  KEY_WORDS,
  NODES,
  RaftModel,
  sameChanges,
  usedCrashes,
  WIDTH,
} from './raft-model.ts';
import { RaftStory } from './words.ts';

/** Above the rank of any state before a crash. */
const RANK_OF_CRASH = 300;

/** The model of the core as a search sees it. */
export class RaftWorld implements CoveringWorld {
  readonly width: number = WIDTH;
  readonly keyWords: number = KEY_WORDS;
  /** What becomes of a group in which nothing fails any more is not looked at. */
  readonly home: undefined = undefined;
  readonly model: RaftModel;
  readonly #ranks: number[] = [];
  #states = 0;
  #unfolded = 0;

  constructor(bounds: Bounds) {
    this.model = new RaftModel(bounds);
  }

  begin(row: Uint32Array): void {
    this.model.begin(row);
  }

  each(row: Uint32Array, tell: (next: Uint32Array, event: Event) => void): void {
    this.model.each(row, tell);
  }

  fault(row: Uint32Array): Fault | undefined {
    this.#states++;
    this.#unfolded += this.model.canonical(row).orbit;
    return this.model.fault(row);
  }

  get symmetry(): number {
    return this.#unfolded / this.#states;
  }

  /** With the same nodes and the same history: who was sent more, and has more of the bounds left, can do more. */
  covers(left: Uint32Array, right: Uint32Array): boolean {
    const { sets } = this.model.machine;
    for (let at = INBOX; at < BUDGET; at++) {
      if (!sets.includes(left[at] as number, right[at] as number)) return false;
    }
    const [mine, other] = [left[BUDGET] as number, right[BUDGET] as number];
    return coversBudget(mine, other) && (!this.model.bounds.changesFirst || sameChanges(mine, other));
  }

  rank(row: Uint32Array): number {
    let sum = usedCrashes(row[BUDGET] as number) * RANK_OF_CRASH;
    for (let at = 0; at < NODES; at++) sum += this.#rankOf(row[at] as number);
    return sum;
  }

  #rankOf(cell: number): number {
    const known = this.#ranks[cell];
    if (known !== undefined) return known;
    const rank = this.model.machine.rank(cell);
    this.#ranks[cell] = rank;
    return rank;
  }

  story(): Story {
    return new RaftStory(this.model);
  }
}
