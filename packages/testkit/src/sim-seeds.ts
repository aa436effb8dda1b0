import { report, summary } from './report.ts';
import type { SimOptions } from './sim-options.ts';
import { type SimulationResult, simulate } from './simulation.ts';
import { timeWords } from './world/event-log.ts';

/** What one seed came to. Plain data, so that a thread can tell it. */
export interface SeedRun {
  readonly text: string;
  readonly passed: boolean;
  readonly realMs: number;
  readonly result: Omit<SimulationResult, 'failure' | 'story' | 'schedule'>;
  /** The check that failed, if one did. */
  readonly checker: string;
}

/** The seed at that place of those that are asked for. */
export function runSeed(at: number, { first, run, twice, trace }: SimOptions): SeedRun {
  const seed = (first + at) % 0x1_0000_0000;
  const print = (ms: number, words: string): void => console.log(`${timeWords(ms)} ${words}`);
  const options = { ...run, seed, ...(trace ? { trace: print } : {}) };
  const begunMs = performance.now();
  const whole = simulate(options);
  const { failure, story, schedule, ...result } = whole;
  const realMs = performance.now() - begunMs;
  const again = twice ? simulate(options).hash : result.hash;
  const lines = [summary(result, realMs)];
  if (failure !== undefined) lines.push('', report(options, whole), '');
  else if (again !== result.hash) lines.push('', `the second run of seed ${seed} has the hash ${again}`, '');
  const passed = failure === undefined && again === result.hash;
  return { text: lines.join('\n'), passed, realMs, result, checker: failure?.checker ?? '' };
}
