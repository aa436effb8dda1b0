import { describe, expect, test } from 'vitest';
import { CoveringSearch, type CoveringWorld } from './covering-search.ts';
import {
  type Advance,
  type Event,
  type Fault,
  type Home,
  Search,
  type SearchLimits,
  type Story,
  type World,
} from './search.ts';
import { Walks } from './walk.ts';

const limits: SearchLimits = { seconds: 60, states: 1_000_000, followsWaysHome: true, sought: undefined };

function fault(what: string, harm?: string): Fault {
  return { what, harm };
}

/** A walk on a grid from the origin, one step right or up at a time, up to a size; home is the origin. */
class Grid implements World, Home {
  readonly width = 2;
  readonly symmetry = 1;
  readonly home: Home = this;
  readonly size: number;
  constructor(size: number) {
    this.size = size;
  }
  begin(row: Uint32Array): void {
    row.fill(0);
  }
  each(row: Uint32Array, tell: (next: Uint32Array, event: Event) => void): void {
    for (const at of [0, 1]) {
      const next = row.slice();
      next[at] = (next[at] as number) + 1;
      if ((next[at] as number) > this.size) continue;
      tell(next, {
        kind: at,
        left: next[0] as number,
        right: next[1] as number,
        fault: this.stepFault(next),
      });
    }
  }
  stepFault(_next: Uint32Array): Fault | undefined {
    return undefined;
  }
  fault(_row: Uint32Array): Fault | undefined {
    return undefined;
  }
  advance(row: Uint32Array): Advance {
    const event = { kind: 9, left: 0, right: 0, fault: undefined };
    if (row[0] === 0 && row[1] === 0) return { progress: 'home', event };
    const at = row[0] === 0 ? 1 : 0;
    row[at] = (row[at] as number) - 1;
    return { progress: 'went', event };
  }
  deadEnd(): Fault {
    return fault('nobody gets home', 'lost');
  }
  story(): Story {
    return {
      event: (_, { kind }) => ['right', 'up'][kind] ?? 'back',
      state: (row) => [`at ${row.join()}`],
    };
  }
}

describe('a search', () => {
  test('meets every state once and says that nothing is left', () => {
    const result = new Search(new Grid(9), limits).run();
    expect(result).toMatchObject({ states: 100, transitions: 180, depth: 18, isWhole: true, wayHome: 18 });
    expect(result.violation).toBeUndefined();
  });

  test('that has no time or room left says that it is not whole', () => {
    expect(new Search(new Grid(200), { ...limits, seconds: 0 }).run().isWhole).toBe(false);
    const { isWhole, frontier } = new Search(new Grid(200), { ...limits, states: 300 }).run();
    expect(isWhole).toBe(false);
    expect(frontier).toBeGreaterThan(0);
  });

  test('tells the shortest way to a state in which something is wrong', () => {
    class Trap extends Grid {
      override fault(row: Uint32Array): Fault | undefined {
        return row[0] === 2 && row[1] === 1 ? fault('a trap') : undefined;
      }
    }
    const { violation } = new Search(new Trap(9), limits).run();
    expect(violation?.what).toBe('a trap');
    expect([...(violation?.trace ?? [])].sort()).toEqual(['right', 'right', 'up']);
    expect(violation?.state).toEqual(['at 2,1']);
  });

  test('tells an event that is wrong by itself as the last one', () => {
    class Step extends Grid {
      override stepFault(next: Uint32Array): Fault | undefined {
        return next[1] === 2 ? fault('one up too many') : undefined;
      }
    }
    const { violation } = new Search(new Step(9), limits).run();
    expect(violation).toMatchObject({ what: 'one up too many', trace: ['up', 'up'], state: ['at 0,2'] });
  });

  test('finds a state from which there is no way home', () => {
    class Stuck extends Grid {
      override advance(row: Uint32Array): Advance {
        if (row[0] !== 1 || row[1] !== 1) return super.advance(row);
        return { progress: 'stuck', event: { kind: 9, left: 0, right: 0, fault: undefined } };
      }
    }
    const { violation } = new Search(new Stuck(3), limits).run();
    expect(violation?.what).toBe('nobody gets home');
    expect(violation?.trace).toHaveLength(3);
    expect(violation?.trace.at(-1)).toBe('from here on nothing fails any more:');
    expect(new Search(new Stuck(3), { ...limits, followsWaysHome: false }).run().isWhole).toBe(true);
  });

  test('finds drivers that go round for ever', () => {
    class Round extends Grid {
      override advance(row: Uint32Array): Advance {
        if (row[0] !== 3 || row[1] === 0) return super.advance(row);
        row[1] = row[1] === 1 ? 2 : 1;
        return { progress: 'went', event: { kind: 9, left: 0, right: 0, fault: undefined } };
      }
    }
    const { violation } = new Search(new Round(3), limits).run();
    expect(violation).toMatchObject({ what: 'nobody gets home', harm: 'lost' });
  });

  test('for one harm passes over everything else that is wrong', () => {
    class Both extends Grid {
      override fault(row: Uint32Array): Fault | undefined {
        if (row[0] === 1) return fault('a small thing');
        return row[1] === 5 ? fault('a large thing', 'pain') : undefined;
      }
    }
    const sought = { ...limits, followsWaysHome: false, sought: 'pain' };
    expect(new Search(new Both(9), sought).run().violation).toMatchObject({
      what: 'a large thing',
      harm: 'pain',
    });
    expect(new Search(new Both(4), sought).run()).toMatchObject({ isWhole: true, violation: undefined });
  });
});

describe('a search that passes over what is covered', () => {
  /** The fewer steps up, the more can still be done; ranked by all steps. */
  class Budget extends Grid implements CoveringWorld {
    readonly keyWords = 1;
    covers(left: Uint32Array, right: Uint32Array): boolean {
      return (left[1] as number) <= (right[1] as number);
    }
    rank(row: Uint32Array): number {
      return (row[0] as number) + (row[1] as number);
    }
  }

  test('explores one state for each key where one covers all others', () => {
    const result = new CoveringSearch(new Budget(9), limits).run();
    expect(result).toMatchObject({ states: 10, depth: 9, isWhole: true, frontier: 0 });
  });

  test('replaces what it has found by what covers it, whatever the rank', () => {
    class Late extends Budget {
      override rank(row: Uint32Array): number {
        return 20 - (row[1] as number);
      }
    }
    const { states, isWhole } = new CoveringSearch(new Late(9), limits).run();
    expect(isWhole).toBe(true);
    expect(states).toBe(10);
  });

  test('tells a way to what is wrong about a state or an event', () => {
    class Trap extends Budget {
      override fault(row: Uint32Array): Fault | undefined {
        return row[0] === 3 ? fault('a trap') : undefined;
      }
    }
    const { violation } = new CoveringSearch(new Trap(9), limits).run();
    expect(violation).toMatchObject({
      what: 'a trap',
      trace: ['right', 'right', 'right'],
      state: ['at 3,0'],
    });
    class Step extends Budget {
      override stepFault(next: Uint32Array): Fault | undefined {
        return next[1] === 1 ? fault('one up too many', 'pain') : undefined;
      }
    }
    const sought = { ...limits, sought: 'pain' };
    expect(new CoveringSearch(new Step(9), sought).run().violation).toMatchObject({
      what: 'one up too many',
      trace: ['up'],
    });
    expect(new CoveringSearch(new Step(9), { ...limits, sought: 'joy' }).run().isWhole).toBe(true);
  });

  test('that has no time left says what it has not explored', () => {
    class Wide extends Budget {
      override covers(left: Uint32Array, right: Uint32Array): boolean {
        return left[1] === right[1];
      }
    }
    const { isWhole, frontier } = new CoveringSearch(new Wide(200), { ...limits, seconds: 0 }).run();
    expect(isWhole).toBe(false);
    expect(frontier).toBeGreaterThan(0);
    const whole = new CoveringSearch(new Wide(200), limits).run();
    expect(whole).toMatchObject({ states: 201 * 201, isWhole: true });
  });
});

describe('random walks', () => {
  class Corner extends Grid {
    override fault(row: Uint32Array): Fault | undefined {
      return row[0] === 4 && row[1] === 4 ? fault('the corner') : undefined;
    }
  }

  test('meet what is wrong, and the same seed walks the same ways', () => {
    const results = [1, 1, 2].map((seed) => new Walks(new Corner(4), limits, seed).run());
    for (const { violation } of results) {
      expect(violation?.what).toBe('the corner');
      expect(violation?.trace).toHaveLength(8);
      expect(violation?.state).toEqual(['at 4,4']);
    }
    expect(results[1]?.violation).toEqual(results[0]?.violation);
    expect(results[2]?.violation?.trace).not.toEqual(results[0]?.violation?.trace);
  });

  test('look for the way home at every step', () => {
    class Lost extends Grid {
      override advance(row: Uint32Array): Advance {
        const event = { kind: 9, left: 0, right: 0, fault: undefined };
        return row[0] === 3 ? { progress: 'stuck', event } : super.advance(row);
      }
    }
    expect(new Walks(new Lost(9), limits, 1).run().violation?.what).toBe('nobody gets home');
  });
});
