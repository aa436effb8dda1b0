import type { SimulationOptions, SimulationResult } from './simulation.ts';
import { timeWords } from './world/event-log.ts';

/** How the simulator is called: from a checkout of the sources, or installed. */
export const simCommand: string = import.meta.url.endsWith('.ts') ? 'npm run sim --' : 'flotilla sim';

/** What a person needs who meets a failed run: what broke, what happened before, and how to see it again. */
export function report(
  options: SimulationOptions,
  result: SimulationResult,
  command: string = replayCommand(options),
): string {
  const { failure, events, virtualMs } = result;
  const story = result.story.map((event) => `  ${event}`).join('\n');
  const moment =
    failure?.atMs === undefined
      ? `${timeWords(virtualMs).trim()}, after event ${events}`
      : timeWords(failure.atMs).trim();
  return [
    `seed ${result.seed} failed`,
    failure?.report() ?? 'no check failed',
    '',
    `first bad event: at ${moment}: ${failure?.message}`,
    'last events before it:',
    story,
    '',
    `replay: ${command}`,
    `shrink: ${command} --shrink`,
  ].join('\n');
}

/** The one command that runs the same events again. */
export function replayCommand(options: SimulationOptions): string {
  const { seed, seconds, movesMs = 0, stores, groups, clients, workersPerClient, thinkMs, faults } = options;
  const words = [`--seed ${seed}`, `--seconds ${seconds}`, `--moves ${movesMs}`];
  const add = (name: string, value: number | undefined): void => {
    if (value !== undefined) words.push(`--${name} ${value}`);
  };
  add('stores', stores);
  add('groups', groups);
  add('clients', clients);
  add('callers', workersPerClient);
  add('think', thinkMs);
  if (faults !== undefined) words.push(`--faults ${faults.join(',')}`);
  return `${simCommand} ${words.join(' ')}`;
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
