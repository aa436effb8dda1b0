import { parseArgs } from 'node:util';
import type { SimulationOptions } from './simulation.ts';
import { type FaultKind, faultKinds } from './world/faults.ts';

const usage = `usage: npm run sim -- [options]
  --seed N      first seed (default: from the clock)
  --seeds N     how many seeds, one after the other (default 1)
  --seconds S   simulated seconds of load and faults for each (default 30)
  --moves MS    mean pause between two moves of shards (default 2000; 0: nothing moves)
  --stores N    stores of the cluster (default 6, or 3 where nothing moves)
  --groups N    data groups at the start (default 3 or 4, or 2 where nothing moves)
  --faults a,b  only these kinds: ${faultKinds.join(', ')}
  --workers N   threads that share the seeds (default 1)
  --all         go on after a seed that failed
  --twice       run every seed twice and compare the event hashes
  --trace       print every event (with one seed)`;

const DEFAULT_MOVES_MS = 2_000;

/** What the command line asks for. Plain data, so that threads can be told. */
export interface SimOptions {
  readonly first: number;
  readonly seeds: number;
  readonly workers: number;
  readonly goOn: boolean;
  readonly twice: boolean;
  readonly trace: boolean;
  readonly run: Omit<SimulationOptions, 'seed' | 'trace'>;
}

function complain(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(1);
}

function parse(): ReturnType<typeof parseArgs>['values'] {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      options: {
        seed: text,
        seeds: text,
        seconds: text,
        moves: text,
        stores: text,
        groups: text,
        faults: text,
        workers: text,
        all: flag,
        twice: flag,
        trace: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    return complain((error as Error).message);
  }
}

function faultsOf(text: string): readonly FaultKind[] {
  const kinds = text.split(',').filter((kind) => kind !== '');
  const unknown = kinds.find((kind) => !(faultKinds as readonly string[]).includes(kind));
  return unknown === undefined ? (kinds as FaultKind[]) : complain(`--faults: there is no fault ${unknown}`);
}

/** Undefined when only help was wanted, which was printed. */
export function simOptions(): SimOptions | undefined {
  const values = parse();
  if (values.help === true) {
    console.log(usage);
    return undefined;
  }
  const count = (name: string, least: number, most: number): number | undefined => {
    const text = values[name] as string | undefined;
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d{1,10}$/.test(text) && value >= least && value <= most) return value;
    return complain(`--${name} ${text} is not a whole number from ${least} to ${most}`);
  };
  const movesMs = count('moves', 0, 3_600_000) ?? DEFAULT_MOVES_MS;
  const stores = count('stores', 1, 9);
  const groups = count('groups', 1, 64);
  const faults = values.faults === undefined ? undefined : faultsOf(values.faults as string);
  const seeds = count('seeds', 1, 1_000_000) ?? 1;
  return {
    first: count('seed', 0, 0xffff_ffff) ?? Date.now() % 0x1_0000_0000,
    seeds,
    workers: Math.min(count('workers', 1, 64) ?? 1, seeds),
    goOn: values.all === true,
    twice: values.twice === true,
    trace: values.trace === true && seeds === 1,
    run: {
      seconds: count('seconds', 1, 3_600) ?? 30,
      ...(movesMs === 0 ? {} : { movesMs }),
      ...(stores === undefined ? {} : { stores }),
      ...(groups === undefined ? {} : { groups }),
      ...(faults === undefined ? {} : { faults }),
    },
  };
}
