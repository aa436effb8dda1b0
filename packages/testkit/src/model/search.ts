import { Numbers } from './numbers.ts';
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
  /** How a system in which nothing fails any more comes to rest, where that is looked at. */
  readonly home: Home | undefined;
  /** How many states each one stood for on average that `fault` was asked about. */
  readonly symmetry: number;
  /** Begins to tell how things went from the beginning on. */
  story(): Story;
}

export interface Home {
  /** Turns the row into the state after the next step. */
  advance(row: Uint32Array): Advance;
  /** What is wrong about a state in which such a system stays, or to which it comes again and again. */
  deadEnd(row: Uint32Array): Fault;
}

/** Is told every event of one way, one after the other. */
export interface Story {
  /** The event in words, in the state in which it happens. */
  event(row: Uint32Array, event: Event): string;
  /** The state that the last event led to. */
  state(row: Uint32Array): readonly string[];
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
  /** States that were found and not explored. */
  readonly frontier: number;
  /** States that each one stands for. */
  readonly symmetry: number;
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
      frontier: this.#queue.length - at,
      symmetry: this.#world.symmetry,
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
        const last = next.slice();
        this.#break(event.fault, next, (story) =>
          wordsOf(this.#world, story, [...this.#way(id), last], event.fault),
        );
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
    if (this.#counts(fault)) this.#break(fault, row, (story) => wordsOf(this.#world, story, this.#way(id)));
    else if (this.#limits.followsWaysHome && this.#world.home !== undefined)
      this.#goHome(this.#world.home, id, row);
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
  #goHome(home: Home, id: number, row: Uint32Array): void {
    if (this.#homeward.get(id) !== 0) return;
    const way = [id];
    const probe = this.#probe;
    probe.set(row);
    let rest = 0;
    for (;;) {
      const { progress, event } = home.advance(probe);
      if (progress === 'home') break;
      const isBroken = event.fault !== undefined && this.#counts(event.fault);
      if (progress === 'stuck' || isBroken || way.length > WAY_HOME_MAX) {
        const fault = isBroken ? event.fault : home.deadEnd(probe);
        // What is not sought may be as it likes.
        if (this.#counts(fault)) this.#breakWay(home, id, way.length, fault);
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
  #breakWay(home: Home, id: number, steps: number, fault: Fault): void {
    this.#break(fault, this.#probe, (story) => {
      const row = new Uint32Array(this.#world.width);
      const before = new Uint32Array(this.#world.width);
      const words = [...wordsOf(this.#world, story, this.#way(id)), 'from here on nothing fails any more:'];
      this.#table.read(id, row);
      for (let step = 0; step < Math.min(steps, WAY_TOLD_MAX); step++) {
        before.set(row);
        const { progress, event } = home.advance(row);
        if (progress !== 'went') break;
        words.push(story.event(before, event));
      }
      return words;
    });
  }

  /** The first violation ends the search; its story is told when no event is being told any more. */
  #break({ what, harm }: Fault, row: Uint32Array, tell: (story: Story) => readonly string[]): void {
    const last = row.slice();
    this.#story ??= () => {
      const story = this.#world.story();
      return { what, harm, trace: tell(story), state: story.state(last) };
    };
  }

  /** The states on the way to a state, itself included. */
  #way(id: number): readonly Uint32Array[] {
    const way: Uint32Array[] = [];
    for (let at = id + 2; at > 1; at = this.#parents.get(at - 2)) {
      const row = new Uint32Array(this.#world.width);
      this.#table.read(at - 2, row);
      way.unshift(row);
    }
    return way;
  }
}

/** The events that lead from one state to the next, the last of them perhaps with a fault, worked out anew. */
export function wordsOf(
  world: World,
  story: Story,
  way: readonly Uint32Array[],
  fault?: Fault,
): readonly string[] {
  const words: string[] = [];
  for (const [at, row] of way.slice(0, -1).entries()) {
    const wanted = way[at + 1] as Uint32Array;
    const isLast = at === way.length - 2;
    let found: Event | undefined;
    world.each(row, (next, { kind, left, right, fault: wrong }) => {
      const fits = wrong?.what === (isLast ? fault?.what : undefined);
      if (found === undefined && fits && isEqual(next, wanted)) found = { kind, left, right, fault: wrong };
    });
    words.push(
      found === undefined
        ? 'an event that does not happen again: the model is not deterministic'
        : story.event(row, found),
    );
  }
  return words;
}

function isEqual(left: Uint32Array, right: Uint32Array): boolean {
  return left.every((word, at) => word === right[at]);
}
