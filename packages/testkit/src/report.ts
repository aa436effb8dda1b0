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
  const { seed, seconds, movesMs = 0, stores, groups, faults } = options;
  const words = [`--seed ${seed}`, `--seconds ${seconds}`, `--moves ${movesMs}`];
  if (stores !== undefined) words.push(`--stores ${stores}`);
  if (groups !== undefined) words.push(`--groups ${groups}`);
  if (faults !== undefined) words.push(`--faults ${faults.join(',')}`);
  return `npm run sim -- ${words.join(' ')}`;
}

/** One line per seed. */
export function summary(
  result: Omit<SimulationResult, 'failure' | 'story' | 'schedule'>,
  realMs: number,
): string {
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
    moves,
  } = result;
  return [
    `seed ${String(seed).padEnd(10)}`,
    `${operations} operations (${unknown} unknown)`,
    `${faults} faults`,
    `${moves.done} moves (${moves.hit} with faults, ${moves.cancelled} cancelled, ${moves.restarted} again)`,
    `${elections} elections`,
    `${snapshots} snapshots`,
    `${crashes} crashes`,
    `${powerCuts} power cuts`,
    `well after ${(recoveryMs / 1000).toFixed(1)} s`,
    `${(virtualMs / 1000).toFixed(1)} s in ${(realMs / 1000).toFixed(2)} s (${Math.round(virtualMs / realMs)} x)`,
    hash,
  ].join('  ');
}
