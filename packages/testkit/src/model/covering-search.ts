import { Numbers } from './numbers.ts';
import {
  type Fault,
  type SearchLimits,
  type SearchResult,
  type Violation,
  type World,
  wordsOf,
} from './search.ts';

/** A world in which some states can do all that others can, and more: those others need not be explored. */
export interface CoveringWorld extends World {
  /** States can cover each other only if so many first words are equal. */
  readonly keyWords: number;
  /** Whatever can come of the right state can come of the left one, which has the same key. */
  covers(left: Uint32Array, right: Uint32Array): boolean;
  /**
   * States are explored from the lowest rank on. Any rank is right; a good one has states come late, when those that
   * cover them are known.
   */
  rank(row: Uint32Array): number;
}

const PIECE_ROWS = 1 << 14;
const LOOK_AT_CLOCK = 256;
const PLACES_FIRST = 1 << 16;

/**
 * Explores every state or one that covers it. Not breadth first, so the way to a violation is not the shortest one.
 */
export class CoveringSearch {
  readonly #world: CoveringWorld;
  readonly #limits: SearchLimits;
  /** Rows of states by number, in pieces that are never copied. */
  readonly #pieces: Uint32Array[] = [];
  /** For each key its last state, one higher; 0 for a free place. */
  #places = new Uint32Array(PLACES_FIRST);
  #keys = 0;
  /** By state: the one before it that has the same key and is not covered, one higher. */
  readonly #before = new Numbers();
  /** By state: the one that it was found from, one higher. */
  readonly #parents = new Numbers();
  /** By state: 1 if another one covers it. */
  readonly #covered = new Numbers();
  /** States to explore, by rank. */
  readonly #waiting: Numbers[] = [];
  #lowest = 0;
  #left = 0;
  #transitions = 0;
  #violation: Violation | undefined;

  readonly #probe: Uint32Array;

  constructor(world: CoveringWorld, limits: SearchLimits) {
    this.#world = world;
    this.#limits = limits;
    this.#probe = new Uint32Array(world.width);
  }

  run(): SearchResult {
    const begun = performance.now();
    const seconds = (): number => (performance.now() - begun) / 1000;
    const row = new Uint32Array(this.#world.width);
    this.#world.begin(row);
    this.#find(row, 0);
    let isOver = false;
    let states = 0;
    for (let turn = 1; this.#left > 0 && this.#violation === undefined && !isOver; turn++) {
      const id = this.#take();
      if (turn % LOOK_AT_CLOCK === 0) {
        isOver = seconds() > this.#limits.seconds || this.#parents.length >= this.#limits.states;
      }
      if (this.#covered.get(id) === 1) continue;
      states++;
      row.set(this.#read(id));
      this.#expand(id, row);
    }
    return {
      states,
      transitions: this.#transitions,
      depth: this.#depth(),
      isWhole: this.#violation === undefined && this.#left === 0,
      frontier: this.#left,
      wayHome: 0,
      symmetry: this.#world.symmetry,
      seconds: seconds(),
      violation: this.#violation,
    };
  }

  #expand(id: number, row: Uint32Array): void {
    let broken: { readonly fault: Fault; readonly next: Uint32Array } | undefined;
    this.#world.each(row, (next, event) => {
      if (broken !== undefined || this.#violation !== undefined) return;
      if (event.fault !== undefined && this.#counts(event.fault)) {
        broken = { fault: event.fault, next: next.slice() };
        return;
      }
      this.#transitions++;
      this.#find(next, id + 1);
    });
    if (broken !== undefined) this.#break(broken.fault, id, broken.next, broken.fault);
  }

  /** Takes a state that was reached, unless one that is known covers it. */
  #find(row: Uint32Array, parent: number): void {
    const world = this.#world;
    const place = this.#place(row);
    const last = this.#places[place] as number;
    for (let at = last; at !== 0; at = this.#before.get(at - 1))
      if (world.covers(this.#row(at - 1), row)) return;
    const first = this.#dropCovered(last, row);
    const id = this.#parents.length;
    if (id % PIECE_ROWS === 0) this.#pieces.push(new Uint32Array(PIECE_ROWS * world.width));
    this.#row(id).set(row);
    this.#parents.push(parent);
    this.#covered.push(0);
    this.#before.push(first);
    this.#places[place] = id + 1;
    if (last === 0 && ++this.#keys * 2 > this.#places.length) this.#grow();
    const fault = world.fault(row);
    if (fault !== undefined && this.#counts(fault)) {
      this.#break(fault, parent - 1, row.slice());
      return;
    }
    const rank = world.rank(row);
    while (this.#waiting.length <= rank) this.#waiting.push(new Numbers());
    (this.#waiting[rank] as Numbers).push(id);
    this.#left++;
    this.#lowest = Math.min(this.#lowest, rank);
  }

  /** Takes the states that the row covers out of a list of one key; answers its new head. */
  #dropCovered(head: number, row: Uint32Array): number {
    let first = head;
    let kept = 0;
    for (let at = head; at !== 0; at = this.#before.get(at - 1)) {
      if (!this.#world.covers(row, this.#read(at - 1))) {
        kept = at;
        continue;
      }
      this.#covered.set(at - 1, 1);
      if (kept === 0) first = this.#before.get(at - 1);
      else this.#before.set(kept - 1, this.#before.get(at - 1));
    }
    return first;
  }

  #take(): number {
    this.#left--;
    while ((this.#waiting[this.#lowest] as Numbers).length === 0) this.#lowest++;
    return (this.#waiting[this.#lowest] as Numbers).pop();
  }

  #counts({ harm }: Fault): boolean {
    return this.#limits.sought === undefined || harm === this.#limits.sought;
  }

  /** `inEvent`: what is wrong is wrong about the last event, and not about the state that it led to. */
  #break({ what, harm }: Fault, from: number, last: Uint32Array, inEvent?: Fault): void {
    const way: Uint32Array[] = [last];
    for (let at = from + 1; at !== 0; at = this.#parents.get(at - 1)) way.unshift(this.#row(at - 1));
    const story = this.#world.story();
    const trace = wordsOf(this.#world, story, way, inEvent);
    this.#violation ??= { what, harm, trace, state: story.state(last) };
  }

  /** Events on the way to the state farthest away. */
  #depth(): number {
    let most = 0;
    const depths = new Uint32Array(this.#parents.length);
    for (let id = 1; id < depths.length; id++) {
      depths[id] = (depths[this.#parents.get(id) - 1] as number) + 1;
      most = Math.max(most, depths[id] as number);
    }
    return most;
  }

  /** The row of a state, until the next one is read. */
  #read(id: number): Uint32Array {
    const { width } = this.#world;
    const piece = this.#pieces[Math.floor(id / PIECE_ROWS)] as Uint32Array;
    const begin = (id % PIECE_ROWS) * width;
    for (let at = 0; at < width; at++) this.#probe[at] = piece[begin + at] as number;
    return this.#probe;
  }

  #row(id: number): Uint32Array {
    const { width } = this.#world;
    const begin = (id % PIECE_ROWS) * width;
    return (this.#pieces[Math.floor(id / PIECE_ROWS)] as Uint32Array).subarray(begin, begin + width);
  }

  /** Where the key of the row is, or would be. */
  #place(row: Uint32Array): number {
    const mask = this.#places.length - 1;
    let at = this.#hash(row) & mask;
    for (let there = this.#places[at] as number; there !== 0; there = this.#places[at] as number) {
      if (this.#sameKey(there - 1, row)) return at;
      at = (at + 1) & mask;
    }
    return at;
  }

  #sameKey(id: number, row: Uint32Array): boolean {
    const piece = this.#pieces[Math.floor(id / PIECE_ROWS)] as Uint32Array;
    const begin = (id % PIECE_ROWS) * this.#world.width;
    for (let at = 0; at < this.#world.keyWords; at++) if (piece[begin + at] !== row[at]) return false;
    return true;
  }

  #hash(row: Uint32Array): number {
    let mix = 0x9e3779b9;
    for (let at = 0; at < this.#world.keyWords; at++) {
      mix = Math.imul(mix ^ (row[at] as number), 0x85ebca6b);
      mix ^= mix >>> 15;
    }
    mix = Math.imul(mix, 0xc2b2ae35);
    return mix ^ (mix >>> 13);
  }

  #grow(): void {
    const old = this.#places;
    this.#places = new Uint32Array(old.length * 2);
    for (const head of old) if (head !== 0) this.#places[this.#place(this.#row(head - 1))] = head;
  }
}
