import { Prng } from '@flotilla/base';
import type { Event, Fault, SearchLimits, SearchResult, Violation, World } from './search.ts';

/** Steps of one walk at most. */
const STEPS_MAX = 400;
const WAY_HOME_MAX = 400;
const LOOK_AT_CLOCK = 16;

/**
 * Random walks through a world that is too large to be explored: each event is chosen evenly among all that can
 * happen, until none can or the walk is long enough. One seed is one row of walks.
 */
export class Walks {
  readonly #world: World;
  readonly #limits: SearchLimits;
  readonly #random: Prng;
  readonly #row: Uint32Array;
  readonly #next: Uint32Array;
  readonly #event: Event = { kind: 0, left: 0, right: 0, fault: undefined };
  /** Of the walk that is under way. */
  #taken: Event[] = [];
  #steps = 0;
  #wayHome = 0;
  #violation: Violation | undefined;

  constructor(world: World, limits: SearchLimits, seed: number) {
    this.#world = world;
    this.#limits = limits;
    this.#random = new Prng(seed);
    this.#row = new Uint32Array(world.width);
    this.#next = new Uint32Array(world.width);
  }

  run(): SearchResult {
    const begun = performance.now();
    const seconds = (): number => (performance.now() - begun) / 1000;
    let walks = 0;
    let depth = 0;
    while (this.#violation === undefined) {
      if (walks % LOOK_AT_CLOCK === 0 && seconds() > this.#limits.seconds) break;
      this.#walk();
      depth = Math.max(depth, this.#taken.length);
      walks++;
    }
    return {
      states: walks,
      transitions: this.#steps,
      depth,
      isWhole: false,
      frontier: 0,
      symmetry: this.#world.symmetry,
      wayHome: this.#wayHome,
      seconds: seconds(),
      violation: this.#violation,
    };
  }

  #walk(): void {
    this.#taken = [];
    this.#world.begin(this.#row);
    for (let step = 0; step < STEPS_MAX; step++) {
      if (!this.#choose()) return;
      const { kind, left, right, fault } = this.#event;
      this.#taken.push({ kind, left, right, fault });
      this.#steps++;
      const found = fault ?? this.#world.fault(this.#next) ?? this.#homeFault();
      if (found !== undefined) {
        this.#violation = this.#story(found);
        return;
      }
      this.#row.set(this.#next);
    }
  }

  /** Picks one event of all that can happen; false if none can. */
  #choose(): boolean {
    let count = 0;
    this.#world.each(this.#row, (next, event) => {
      count++;
      if (this.#random.below(count) !== 0) return;
      this.#next.set(next);
      Object.assign(this.#event, event);
    });
    return count > 0;
  }

  #homeFault(): Fault | undefined {
    const { home } = this.#world;
    if (home === undefined) return undefined;
    const row = this.#next.slice();
    for (let step = 0; step < WAY_HOME_MAX; step++) {
      const { progress, event } = home.advance(row);
      if (event.fault !== undefined) return event.fault;
      if (progress === 'stuck') return home.deadEnd(row);
      if (progress === 'went') continue;
      this.#wayHome = Math.max(this.#wayHome, step);
      return undefined;
    }
    return home.deadEnd(row);
  }

  /** The walk in words, gone once more. */
  #story({ what, harm }: Fault): Violation {
    const row = new Uint32Array(this.#world.width);
    const next = new Uint32Array(this.#world.width);
    this.#world.begin(row);
    const story = this.#world.story();
    const trace = this.#taken.map((event) => {
      const words = story.event(row, event);
      this.#world.each(row, (candidate, { kind, left, right }) => {
        if (kind === event.kind && left === event.left && right === event.right) next.set(candidate);
      });
      row.set(next);
      return words;
    });
    return { what, harm, trace, state: story.state(row) };
  }
}
