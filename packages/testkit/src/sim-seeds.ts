import { replayCommand, report, summary } from './report.ts';
import type { SimOptions } from './sim-options.ts';
import { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts';
import { timeWords } from './world/event-log.ts';

/** What one run came to. Plain data, so that a thread can tell it. */
export interface SeedRun {
  readonly text: string;
  readonly passed: boolean;
  /** It was run a second time, to compare the hashes. */
  readonly twice: boolean;
  readonly realMs: number;
  readonly result: Omit<SimulationResult, 'failure' | 'story' | 'schedule'>;
  /** The check that failed, if one did. */
  readonly checker: string;
}

/** Of so many seeds one is always run twice: nothing but that shows that runs can be replayed. */
const TWICE_EVERY = 100;

/** The seed at that place of those that are asked for. */
export function runSeed(at: number, options: SimOptions): SeedRun {
  const run = seedOptions(at, options);
  const twice = options.twice || run.seed % TWICE_EVERY === 0;
  return runAndTell(run, { command: replayCommand(run), twice, trace: options.trace });
}

export function seedOptions(at: number, { first, run }: SimOptions): SimulationOptions {
  return { ...run, seed: (first + at) % 0x1_0000_0000 };
}

export interface Telling {
  /** What replays the run. */
  readonly command: string;
  readonly twice: boolean;
  readonly trace: boolean;
}

export function runAndTell(run: SimulationOptions, { command, twice, trace }: Telling): SeedRun {
  const print = (ms: number, words: string): void => console.log(`${timeWords(ms)} ${words}`);
  const options = { ...run, ...(trace ? { trace: print } : {}) };
  const begunMs = performance.now();
  const whole = simulate(options);
  const { failure, story, schedule, ...result } = whole;
  const realMs = performance.now() - begunMs;
  const again = twice ? simulate(run).hash : result.hash;
  const lines = [summary(result, realMs)];
  if (failure !== undefined) lines.push('', report(run, whole, command), '');
  else if (again !== result.hash)
    lines.push('', `the second run of seed ${run.seed} has the hash ${again}`, '');
  const passed = failure === undefined && again === result.hash;
  return { text: lines.join('\n'), passed, twice, realMs, result, checker: failure?.checker ?? '' };
}
