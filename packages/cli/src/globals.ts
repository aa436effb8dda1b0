import { parseAddresses, parseDuration } from '@flotilla/server/texts';
import type { Command } from 'commander';
import { CommandFailure } from './failure.ts';

/** Options that every command takes, before or after its name. */

export const DEFAULT_ENDPOINTS = '127.0.0.1:7401,127.0.0.1:7402,127.0.0.1:7403';
const STALE_AGE_DEFAULT_MS = 10_000;

export type ReadChoice =
  | { readonly read: 'linearizable' | 'follower' }
  | { readonly read: 'stale'; readonly maxAge: number };

export interface Globals {
  readonly endpoints: readonly string[];
  readonly json: boolean;
  readonly timeoutMs: number;
  /** True when the person gave --timeout, so that long jobs may choose a longer one otherwise. */
  readonly timeoutGiven: boolean;
  readonly read: ReadChoice;
}

export function addGlobals(program: Command): void {
  program
    .option(
      '--endpoints <addresses>',
      `stores to ask first (FLOTILLA_ENDPOINTS; default ${DEFAULT_ENDPOINTS})`,
    )
    .option('--json', 'one JSON value a line on standard output')
    .option('--timeout <time>', 'deadline of each operation with all its retries (default 5s)')
    .option('--read <level>', 'linearizable (default), follower, stale, or stale=2s with its greatest age');
}

/** What {@link failAs} puts before a mistake, so that a person sees where it stands. */
function at<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new CommandFailure(`${place}: ${(error as Error).message}`);
  }
}

export function readGlobals(
  options: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Globals {
  const flag = options.endpoints as string | undefined;
  const variable = environment.FLOTILLA_ENDPOINTS;
  const place = flag === undefined ? 'FLOTILLA_ENDPOINTS' : '--endpoints';
  const endpoints = at(place, () => parseAddresses(flag ?? variable ?? DEFAULT_ENDPOINTS));
  const timeout = options.timeout as string | undefined;
  return {
    endpoints: [...new Set(endpoints)],
    json: options.json === true,
    timeoutMs: at('--timeout', () => readTimeout(timeout)),
    timeoutGiven: timeout !== undefined,
    read: at('--read', () => readLevel((options.read as string | undefined) ?? 'linearizable')),
  };
}

function readTimeout(text: string | undefined): number {
  const ms = parseDuration(text ?? '5s');
  if (ms < 1 || ms > 86_400_000) throw new CommandFailure(`"${text}" is out of range: use 1ms to 24h`);
  return ms;
}

export function readLevel(text: string): ReadChoice {
  if (text === 'linearizable' || text === 'follower') return { read: text };
  if (text === 'stale') return { read: 'stale', maxAge: STALE_AGE_DEFAULT_MS };
  if (text.startsWith('stale=')) return { read: 'stale', maxAge: parseDuration(text.slice(6)) };
  throw new CommandFailure(`"${text}" is not a read level: use linearizable, follower, stale or stale=2s`);
}
