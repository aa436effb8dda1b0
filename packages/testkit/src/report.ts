import type { SimulationOptions, SimulationResult } from './simulation.ts';

/** What a person needs who meets a failed seed: what broke, what happened before, and how to see it again. */
export function report(options: SimulationOptions, result: SimulationResult): string {
  const story = result.story.map((event) => `  ${event}`).join('\n');
  return [
    `seed ${result.seed} failed`,
    result.failure?.report() ?? 'no check failed',
    '',
    'last events:',
    story,
    '',
    `replay: ${replayCommand(options)}`,
  ].join('\n');
}

/** The one command that runs the same events again. */
export function replayCommand(options: SimulationOptions): string {
  const { seed, seconds, stores = 3, groups = 2, faults } = options;
  const only = faults === undefined ? '' : ` --faults ${faults.join(',')}`;
  return `npm run sim -- --seed ${seed} --seconds ${seconds} --stores ${stores} --groups ${groups}${only}`;
}

/** One line per seed. */
export function summary(result: SimulationResult, realMs: number): string {
  const {
    seed,
    operations,
    unknown,
    elections,
    snapshots,
    crashes,
    powerCuts,
    faults,
    virtualMs,
    hash,
    recoveryMs,
  } = result;
  return [
    `seed ${String(seed).padEnd(10)}`,
    `${operations} operations (${unknown} unknown)`,
    `${faults} faults`,
    `${elections} elections`,
    `${snapshots} snapshots`,
    `${crashes} crashes`,
    `${powerCuts} power cuts`,
    `well after ${(recoveryMs / 1000).toFixed(1)} s`,
    `${(virtualMs / 1000).toFixed(1)} s in ${(realMs / 1000).toFixed(2)} s (${Math.round(virtualMs / realMs)} x)`,
    hash,
  ].join('  ');
}
