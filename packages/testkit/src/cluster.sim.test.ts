import { rarePoints } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';
import { replayCommand, report } from './report.ts';
import { simOptions } from './sim-options.ts';
import { seedOptions } from './sim-seeds.ts';
import { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts';
import { faultKinds } from './world/faults.ts';

// Whole clusters under load and faults, every promise checked. FLOTILLA_SEED=N shifts the seeds, so that a
// nightly run need not repeat what every run has seen.

const FIRST = Number(process.env.FLOTILLA_SEED ?? 1);
const SEEDS = 100;
const PER_TEST = 5;
const SECONDS = 30;
const STRIKES_MIN = 8;
/** Points where so much has to come together that a hundred short runs may not meet it. */
const RARE_MISSING_MAX = 6;
/** Half of the clusters move shards, and have twice the stores: a shorter time costs as much. */
const MOVING: Omit<SimulationOptions, 'seed'> = { seconds: 12, movesMs: 600 };

function run(options: SimulationOptions): SimulationResult {
  const result = simulate(options);
  if (result.failure !== undefined) throw new Error(report(options, result));
  return result;
}

describe(`${SEEDS} clusters, half of which move shards about, live through faults`, () => {
  const sum = {
    operations: 0,
    crashes: 0,
    powerCuts: 0,
    elections: 0,
    snapshots: 0,
    faults: 0,
    strikes: 0,
    echoes: 0,
  };
  const moves = { begun: 0, done: 0, cancelled: 0, restarted: 0, hit: 0 };
  const kinds = new Map<string, number>();
  const rare = new Set<string>();

  for (let first = FIRST; first < FIRST + SEEDS; first += PER_TEST) {
    test(`seeds ${first} to ${first + PER_TEST - 1}`, () => {
      for (let seed = first; seed < first + PER_TEST; seed++) {
        const result = run({ seed, ...(seed % 2 === 0 ? MOVING : { seconds: SECONDS }) });
        for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += result[key];
        for (const key of Object.keys(moves) as (keyof typeof moves)[]) moves[key] += result.moves[key];
        for (const [kind, count] of Object.entries(result.faultCounts)) {
          kinds.set(kind, (kinds.get(kind) ?? 0) + count);
        }
        for (const point of Object.keys(result.rare)) rare.add(point);
      }
    });
  }

  test('something happened in them: a run in which nothing fails proves nothing', () => {
    expect(sum.operations).toBeGreaterThan(SEEDS * 1_000);
    expect(sum.crashes).toBeGreaterThan(SEEDS);
    expect(sum.powerCuts).toBeGreaterThan(SEEDS);
    expect(sum.elections).toBeGreaterThan(SEEDS * 6);
    expect(sum.snapshots).toBeGreaterThan(SEEDS);
    expect(sum.faults).toBeGreaterThan(SEEDS * 20);
    expect(sum.echoes).toBeGreaterThan(SEEDS * 5);
    expect(sum.strikes).toBeGreaterThan(SEEDS / 2);
    expect(moves.done).toBeGreaterThan(SEEDS * 10);
    expect(moves.cancelled).toBeGreaterThan(SEEDS / 2);
    expect(moves.restarted).toBeGreaterThan(SEEDS / 10);
    expect(moves.hit).toBeGreaterThan(SEEDS * 2);
  });

  test('every kind of fault struck in them', () => {
    for (const kind of faultKinds) expect(kinds.get(kind) ?? 0, kind).toBeGreaterThanOrEqual(STRIKES_MIN);
  });

  test('nearly all rare branches were taken in them', () => {
    const missing = Object.keys(rarePoints).filter((point) => !rare.has(point));
    expect(missing.length, `never taken: ${missing.join(', ')}`).toBeLessThanOrEqual(RARE_MISSING_MAX);
  });
});

test('the same seed is the same run, event by event', () => {
  for (let seed = 1; seed <= 6; seed++) {
    const options = { seed, seconds: 5, ...(seed % 2 === 0 ? { movesMs: 500 } : {}) };
    const [first, second] = [simulate(options), simulate(options)];
    expect(second.hash).toBe(first.hash);
    expect(second.events).toBe(first.events);
    expect(first.events).toBeGreaterThan(1_000);
  }
  expect(simulate({ seed: 6, seconds: 5 }).hash).not.toBe(simulate({ seed: 7, seconds: 5 }).hash);
});

describe('what is wrong on purpose is noticed', () => {
  const sabotages = [
    ['a disk that calls commits durable before they are', 'disk-lies', ['durable before sent']],
    [
      'a disk that comes back blank under the same incarnation',
      'disk-blank',
      ['durability', 'replica identity'],
    ],
    [
      'a client that sends a doubtful write again as a new one',
      'blind-retry',
      ['exactly once', 'linearizability'],
    ],
    ['a client that takes stale reads for the newest', 'stale-reads', ['linearizability']],
  ] as const;

  test.each(sabotages)('%s', (_title, sabotage, checkers) => {
    for (let seed = 1; seed <= 40; seed++) {
      const options = { seed, seconds: 10, thinkMs: 40, sabotage };
      const result = simulate(options);
      if (result.failure === undefined) continue;
      expect(checkers).toContain(result.failure.checker);
      const text = report(options, result);
      expect(text).toContain(`replay: npm run sim -- --seed ${seed} --seconds 10`);
      expect(result.story.length).toBeGreaterThan(10);
      // The same seed fails again, in the same way.
      expect(report(options, simulate(options))).toBe(text);
      return;
    }
    expect.unreachable(`${sabotage} was not noticed in 40 seeds`);
  });
});

test('five stores with three groups live through faults too', () => {
  for (let seed = 1; seed <= 3; seed++) run({ seed, seconds: 15, stores: 5, groups: 3 });
});

test('a single store has nobody to fail over to and keeps its promises all the same', () => {
  for (let seed = 1; seed <= 2; seed++) {
    run({ seed, seconds: 10, stores: 1, groups: 2, faults: ['crash', 'power-cut', 'disk', 'stall'] });
  }
});

test('a replay command names everything that the run depends on', () => {
  expect(replayCommand({ seed: 7, seconds: 10 })).toBe('npm run sim -- --seed 7 --seconds 10 --moves 0');
  const options = {
    seed: 7,
    seconds: 10,
    movesMs: 900,
    stores: 5,
    groups: 3,
    clients: 10,
    workersPerClient: 2,
    thinkMs: 40,
    faults: ['crash', 'reset'],
  } as const;
  const command = replayCommand(options);
  expect(command).toBe(
    'npm run sim -- --seed 7 --seconds 10 --moves 900 --stores 5 --groups 3 --clients 10 --callers 2 --think 40 --faults crash,reset',
  );
  const parsed = simOptions(command.split(' ').slice(4));
  expect(parsed === undefined ? undefined : seedOptions(0, parsed)).toEqual(options);
});
