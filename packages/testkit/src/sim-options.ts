import { parseArgs } from 'node:util';
import { CALLERS, CLIENTS } from './cluster-shape.ts';
import { simCommand } from './report.ts';
import type { SimulationOptions } from './simulation.ts';
import { type FaultKind, faultKinds } from './world/faults.ts';

/** Cases that every run of the tests replays. */
export const REGRESSIONS = 'test/sim/regressions';

const usage = `usage: ${simCommand} [options]
  --seed N      first seed (default: from the clock)
  --seeds N     how many seeds, one after the other (default 1)
  --seconds S   simulated seconds of load and faults for each (default 30)
  --moves MS    mean pause between two moves of shards (default 2000; 0: nothing moves)
  --stores N    stores of the cluster (default 6, or 3 where nothing moves)
  --groups N    data groups at the start (default 3 or 4, or 2 where nothing moves)
  --clients N   clients (default ${CLIENTS})
  --callers N   callers of each client, one operation in flight each (default ${CALLERS})
  --think MS    mean pause of a caller between an answer and its next call (default: from the seed)
  --faults a,b  only these kinds: ${faultKinds.join(', ')}
  --workers N   threads that share the seeds (default 1)
  --all         go on after a seed that failed
  --twice       run every seed twice and compare the event hashes (always done with every hundredth seed)
  --trace       print every event (with one seed)
  --replay FILE run the case in that file, or those in that folder, instead of what seeds draw
  --shrink      cut the first run that fails down to what it needs, and keep that as a file
  --budget S    real seconds that shrinking may take (default 300)
  --out DIR     where it is kept (default ${REGRESSIONS}, or this folder where that is missing)`;

const BUDGET_S = 300;

const DEFAULT_MOVES_MS = 2_000;

/** What the command line asks for. Plain data, so that threads can be told. */
export interface SimOptions {
  readonly first: number;
  readonly seeds: number;
  readonly workers: number;
  readonly goOn: boolean;
  readonly twice: boolean;
  readonly trace: boolean;
  /** A file or folder with cases; undefined: seeds are run. */
  readonly replay: string | undefined;
  readonly shrink: boolean;
  readonly budgetMs: number;
  readonly out: string | undefined;
  readonly run: Omit<SimulationOptions, 'seed' | 'trace'>;
}

function complain(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(1);
}

function parse(args: readonly string[]): ReturnType<typeof parseArgs>['values'] {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        seed: text,
        seeds: text,
        seconds: text,
        moves: text,
        stores: text,
        groups: text,
        clients: text,
        callers: text,
        think: text,
        faults: text,
        workers: text,
        all: flag,
        twice: flag,
        trace: flag,
        replay: text,
        shrink: flag,
        budget: text,
        out: text,
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
export function simOptions(args: readonly string[]): SimOptions | undefined {
  const values = parse(args);
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
  const clients = count('clients', 1, 64);
  const workersPerClient = count('callers', 1, 64);
  const thinkMs = count('think', 0, 3_600_000);
  const faults = values.faults === undefined ? undefined : faultsOf(values.faults as string);
  const seeds = count('seeds', 1, 1_000_000) ?? 1;
  return {
    first: count('seed', 0, 0xffff_ffff) ?? Date.now() % 0x1_0000_0000,
    seeds,
    workers: Math.min(count('workers', 1, 64) ?? 1, seeds),
    goOn: values.all === true,
    twice: values.twice === true,
    trace: values.trace === true && seeds === 1,
    replay: values.replay as string | undefined,
    shrink: values.shrink === true,
    budgetMs: (count('budget', 1, 86_400) ?? BUDGET_S) * 1_000,
    out: values.out as string | undefined,
    run: {
      seconds: count('seconds', 1, 3_600) ?? 30,
      ...(movesMs === 0 ? {} : { movesMs }),
      ...(stores === undefined ? {} : { stores }),
      ...(groups === undefined ? {} : { groups }),
      ...(clients === undefined ? {} : { clients }),
      ...(workersPerClient === undefined ? {} : { workersPerClient }),
      ...(thinkMs === undefined ? {} : { thinkMs }),
      ...(faults === undefined ? {} : { faults }),
    },
  };
}
