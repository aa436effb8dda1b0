import { StateTable } from './state-table.ts';

/** What a search needs to know of the world that it explores. All rows are of the same width. */
export interface World {
  readonly width: number;
  /** Fills the row with the state in which everything begins. */
  begin(row: Uint32Array): void;
  /**
   * Tells every event that can happen in a state. The rows handed out are overwritten by the next one; `fault` is
   * what was wrong about the event itself.
   */
  each(row: Uint32Array, tell: (next: Uint32Array, event: Event) => void): void;
  /** What must not be so in this state. */
  fault(row: Uint32Array): Fault | undefined;
  /** Turns the row into the state after the next step of a system in which nothing fails any more. */
  advance(row: Uint32Array): Advance;
  /** What is wrong about a state in which such a system stays, or to which it comes again and again. */
  deadEnd(row: Uint32Array): Fault;
  /** The event in words, in the state in which it happens. */
  words(row: Uint32Array, event: Event): string;
  rowWords(row: Uint32Array): readonly string[];
}

export interface Fault {
  readonly what: string;
  /** What somebody suffers from it; undefined for what only shows that something is not as it was meant. */
  readonly harm: string | undefined;
}

/** Written over by the next one. */
export interface Event {
  kind: number;
  left: number;
  right: number;
  fault: Fault | undefined;
}

export interface Advance {
  readonly progress: 'home' | 'went' | 'stuck';
  readonly event: Event;
}

export interface Violation extends Fault {
  /** Events from the beginning on, in words. */
  readonly trace: readonly string[];
  /** The state in which it ends. */
  readonly state: readonly string[];
}

export interface SearchResult {
  readonly states: number;
  /** Events that led to another state. */
  readonly transitions: number;
  /** Events on the shortest way to the state farthest away. */
  readonly depth: number;
  /** Everything was explored. */
  readonly isWhole: boolean;
  /** Longest way home from any state. */
  readonly wayHome: number;
  readonly seconds: number;
  readonly violation: Violation | undefined;
}

export interface SearchLimits {
  readonly seconds: number;
  readonly states: number;
  /** From every state, what live drivers do must end well. */
  readonly followsWaysHome: boolean;
  /** Only this harm ends the search; undefined: every fault does. */
  readonly sought: string | undefined;
}

const WAY_HOME_MAX = 200;
const WAY_TOLD_MAX = 40;
const LOOK_AT_CLOCK = 256;

/**
 * Breadth first over all states, so that the first violation found has the shortest trace. Each state is checked
 * as it is found: what must hold in it, and that the way home from it ends.
 */
export class Search {
  readonly #world: World;
  readonly #limits: SearchLimits;
  readonly #table: StateTable;
  readonly #queue: Numbers = new Numbers();
  /** By state: the one that it was found from, two higher; 1 for the first, 0 if it was only passed on a way home. */
  readonly #parents: Numbers = new Numbers();
  /** By state: steps to rest, one higher; 0 while not known. */
  readonly #homeward: Numbers = new Numbers();
  readonly #row: Uint32Array;
  readonly #probe: Uint32Array;
  #transitions = 0;
  #wayHome = 0;
  #story: (() => Violation) | undefined;

  constructor(world: World, limits: SearchLimits) {
    this.#world = world;
    this.#limits = limits;
    this.#table = new StateTable(world.width, limits.states);
    this.#row = new Uint32Array(world.width);
    this.#probe = new Uint32Array(world.width);
  }

  run(): SearchResult {
    const begun = performance.now();
    const seconds = (): number => (performance.now() - begun) / 1000;
    this.#world.begin(this.#row);
    this.#find(this.#row, 1);
    let at = 0;
    let depth = 0;
    let layerEnd = this.#queue.length;
    let isOver = false;
    while (at < this.#queue.length && this.#story === undefined && !isOver) {
      if (at === layerEnd) {
        depth++;
        layerEnd = this.#queue.length;
      }
      this.#expand(this.#queue.get(at));
      at++;
      if (at % LOOK_AT_CLOCK === 0) isOver = seconds() > this.#limits.seconds || this.#table.isFull;
    }
    return {
      states: this.#queue.length,
      transitions: this.#transitions,
      depth,
      isWhole: this.#story === undefined && at === this.#queue.length,
      wayHome: this.#wayHome,
      seconds: seconds(),
      violation: this.#story?.(),
    };
  }

  #expand(id: number): void {
    this.#table.read(id, this.#row);
    this.#world.each(this.#row, (next, event) => {
      if (this.#story !== undefined) return;
      if (this.#counts(event.fault)) {
        const { kind, left, right, fault } = event;
        this.#break(fault, next, () => {
          const trace = this.#trace(id);
          this.#table.read(id, this.#row);
          return [...trace, this.#world.words(this.#row, { kind, left, right, fault })];
        });
        return;
      }
      this.#transitions++;
      this.#find(next, id + 2);
    });
  }

  /** Takes a state that was reached; checks it if it is new. */
  #find(row: Uint32Array, parent: number): void {
    const id = this.#enter(row);
    if (this.#parents.get(id) !== 0) return;
    this.#parents.set(id, parent);
    this.#queue.push(id);
    const fault = this.#world.fault(row);
    if (this.#counts(fault)) this.#break(fault, row, () => this.#trace(id));
    else if (this.#limits.followsWaysHome) this.#goHome(id, row);
  }

  #counts(fault: Fault | undefined): fault is Fault {
    if (fault === undefined) return false;
    return this.#limits.sought === undefined || fault.harm === this.#limits.sought;
  }

  #enter(row: Uint32Array): number {
    const size = this.#table.size;
    const id = this.#table.add(row);
    if (id === size) {
      this.#parents.push(0);
      this.#homeward.push(0);
    }
    return id;
  }

  /** Follows the way home until it ends or meets one that is known to end. */
  #goHome(id: number, row: Uint32Array): void {
    if (this.#homeward.get(id) !== 0) return;
    const way = [id];
    const probe = this.#probe;
    probe.set(row);
    let rest = 0;
    for (;;) {
      const { progress, event } = this.#world.advance(probe);
      if (progress === 'home') break;
      const isBroken = event.fault !== undefined && this.#counts(event.fault);
      if (progress === 'stuck' || isBroken || way.length > WAY_HOME_MAX) {
        const fault = isBroken ? event.fault : this.#world.deadEnd(probe);
        // What is not sought may be as it likes.
        if (this.#counts(fault)) this.#breakWay(id, way.length, fault);
        break;
      }
      const next = this.#enter(probe);
      rest = this.#homeward.get(next);
      if (rest !== 0) break;
      way.push(next);
    }
    for (let at = way.length - 1; at >= 0; at--) this.#homeward.set(way[at] as number, ++rest);
    this.#wayHome = Math.max(this.#wayHome, rest - 1);
  }

  /** Tells a way home that does not end well: from the state on, what live drivers do. */
  #breakWay(id: number, steps: number, fault: Fault): void {
    this.#break(fault, this.#probe, () => {
      const row = new Uint32Array(this.#world.width);
      const before = new Uint32Array(this.#world.width);
      const story = [...this.#trace(id), 'from here on nothing fails any more:'];
      this.#table.read(id, row);
      for (let step = 0; step < Math.min(steps, WAY_TOLD_MAX); step++) {
        before.set(row);
        const { progress, event } = this.#world.advance(row);
        if (progress !== 'went') break;
        story.push(this.#world.words(before, event));
      }
      return story;
    });
  }

  /** The first violation ends the search; its story is told when no event is being told any more. */
  #break({ what, harm }: Fault, row: Uint32Array, trace: () => readonly string[]): void {
    const last = row.slice();
    this.#story ??= () => ({ what, harm, trace: trace(), state: this.#world.rowWords(last) });
  }

  /** The events that led to a state, worked out anew from one state to the next. */
  #trace(id: number): readonly string[] {
    const way = [id];
    for (let parent = this.#parents.get(id); parent > 1; ) {
      way.unshift(parent - 2);
      parent = this.#parents.get(parent - 2);
    }
    const words: string[] = [];
    const row = new Uint32Array(this.#world.width);
    for (let at = 0; at + 1 < way.length; at++) {
      this.#table.read(way[at] as number, row);
      let found: string | undefined;
      this.#world.each(row, (next, event) => {
        if (found !== undefined) return;
        if (this.#table.add(next) === way[at + 1]) found = this.#world.words(row, event);
      });
      words.push(found ?? 'an event that does not happen again: the model is not deterministic');
    }
    return words;
  }
}

/** A list of numbers of 32 bits that grows. */
class Numbers {
  #items = new Uint32Array(1 << 12);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get(at: number): number {
    return this.#items[at] as number;
  }

  set(at: number, value: number): void {
    this.#items[at] = value;
  }

  push(value: number): void {
    if (this.#length === this.#items.length) {
      const grown = new Uint32Array(this.#length * 2);
      grown.set(this.#items);
      this.#items = grown;
    }
    this.#items[this.#length++] = value;
  }
}
