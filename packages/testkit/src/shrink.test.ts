import { describe, expect, test } from 'vitest';
import { CheckFailure } from './checkers/failure.ts';
import { drawSchedule, type Schedule } from './schedule.ts';
import { type Shrunk, shrink } from './shrink.ts';
import type { SimulationOptions, SimulationResult } from './simulation.ts';

/** A run that is never made: it fails by this checker, or not at all. */
type Verdict = (schedule: Schedule, options: SimulationOptions) => string | undefined;

const options: SimulationOptions = { seed: 5, seconds: 20, movesMs: 500 };

function shrinkBy(verdict: Verdict, budgetRuns: number = Number.POSITIVE_INFINITY): Shrunk | undefined {
  let runs = 0;
  return shrink(options, {
    budgetMs: budgetRuns,
    nowMs: () => runs,
    run: (tried) => {
      runs++;
      const schedule = tried.schedule ?? drawSchedule(tried);
      const checker = verdict(schedule, tried);
      const failure = checker === undefined ? undefined : new CheckFailure(checker, 'it broke');
      return { schedule, failure } as SimulationResult;
    },
  });
}

function has({ faults }: Schedule, ...strikes: readonly string[]): boolean {
  return strikes.every((strike) => faults.some((action) => action.strike === strike));
}

const drawn = drawSchedule(options);
const names = [...new Set(drawn.faults.map((action) => action.strike))];
const [first = '', second = ''] = [names[3], names[Math.floor(names.length / 2)]];

describe('a failing run', () => {
  test('is left with the strikes that it needs, each with its start and its end', () => {
    const shrunk = shrinkBy((schedule) => (has(schedule, first, second) ? 'leases' : undefined)) as Shrunk;
    const { schedule, ...rest } = shrunk.options;
    expect(schedule.faults).toEqual(
      drawn.faults.filter((action) => action.strike === first || action.strike === second),
    );
    expect(schedule).toMatchObject({ founding: [], rare: {}, frozen: [], shape: drawn.shape });
    expect(rest).toMatchObject({ seed: 5, clients: 1, workersPerClient: 1 });
    expect(rest).not.toHaveProperty('movesMs');
    expect(rest.seconds * 1_000).toBeGreaterThan(Math.max(...schedule.faults.map(({ atMs }) => atMs)));
    expect(rest.seconds).toBeLessThan(20);
    expect(shrunk.isDone).toBe(true);
  });

  test('that needs nothing at all is left with nothing', () => {
    const shrunk = shrinkBy(() => 'no error') as Shrunk;
    expect(shrunk.options).toMatchObject({
      seconds: 1,
      schedule: { founding: [], faults: [], rare: {}, frozen: [] },
    });
    expect(shrunk.runs).toBeLessThan(20);
  });

  test('must fail by the same checker', () => {
    const verdict: Verdict = (schedule) => (has(schedule, first) ? 'leases' : 'liveness');
    const shrunk = shrinkBy(verdict) as Shrunk;
    expect(shrunk.result.failure?.checker).toBe('leases');
    expect(new Set(shrunk.options.schedule.faults.map(({ strike }) => strike))).toEqual(new Set([first]));
  });

  test('keeps moves, callers and seconds that it needs', () => {
    const verdict: Verdict = (_schedule, { clients = 5, workersPerClient = 3, movesMs, seconds }) =>
      clients >= 3 && workersPerClient >= 2 && (movesMs ?? 1e9) <= 1_000 && seconds >= 11
        ? 'digest'
        : undefined;
    const shrunk = shrinkBy(verdict) as Shrunk;
    expect(shrunk.options).toMatchObject({ clients: 3, workersPerClient: 2, movesMs: 1_000, seconds: 11 });
  });

  test('of a strike at all stores keeps those that it needs', () => {
    const blackOut: SimulationOptions = { ...options, faults: ['black-out'] };
    const schedule = drawSchedule(blackOut);
    const shrunk = shrink(
      { ...blackOut, schedule },
      {
        budgetMs: 1,
        nowMs: () => 0,
        run: (tried) => {
          const faults = tried.schedule?.faults ?? [];
          const isHit = faults.some((action) => 'store' in action && action.store === 's2');
          return {
            schedule: tried.schedule,
            failure: isHit ? new CheckFailure('durability', 'it broke') : undefined,
          } as SimulationResult;
        },
      },
    ) as Shrunk;
    const left = shrunk.options.schedule.faults;
    expect(left[0]).toMatchObject({ kind: 'power-cut', store: 's2' });
    expect(left.every((action) => 'store' in action && action.store === 's2')).toBe(true);
  });

  test('stays as small as it has become when time is up', () => {
    const shrunk = shrinkBy((schedule) => (has(schedule, first, second) ? 'leases' : undefined), 8) as Shrunk;
    expect(shrunk).toMatchObject({ runs: 9, isDone: false });
    expect(has(shrunk.options.schedule, first, second)).toBe(true);
  });

  test('is told whenever it has become smaller', () => {
    const lines: string[] = [];
    shrink(options, {
      budgetMs: 1,
      nowMs: () => 0,
      run: (tried) => {
        const schedule = tried.schedule ?? drawSchedule(tried);
        return { schedule, failure: new CheckFailure('leases', 'it broke') } as SimulationResult;
      },
      tell: (line) => lines.push(line),
    });
    expect(lines[0]).toMatch(
      /^run 1: fails with \d+ fault actions, .*20 s, 5 clients of 3 callers, a move every 500 ms$/,
    );
    expect(lines.at(-1)).toMatch(
      /: fails with 0 fault actions, 0 rare points, 1 s, 1 clients of 1 callers, no moves$/,
    );
  });
});

test('a run that does not fail is not shrunk', () => {
  expect(shrinkBy(() => undefined)).toBeUndefined();
});
