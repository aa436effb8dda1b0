import { parseArgs } from 'node:util';
import { report, summary } from './report.ts';
import { simulate } from './simulation.ts';
import { timeWords } from './world/event-log.ts';
import { type FaultKind, faultKinds } from './world/faults.ts';

/** `npm run sim`: many seeds, one line each; a failure tells its story and the one command that replays it. */

const usage = `usage: npm run sim -- [options]
  --seed N      first seed (default: from the clock)
  --seeds N     how many seeds, one after the other (default 1)
  --seconds S   simulated seconds of load and faults for each (default 30)
  --stores N    stores of the cluster (default 3)
  --groups N    data groups (default 2)
  --faults a,b  only these kinds: ${faultKinds.join(', ')}
  --twice       run every seed twice and compare the event hashes
  --trace       print every event (with one seed)`;

function count(text: string | undefined, name: string, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d{1,10}$/.test(text) && value >= (name === 'seed' ? 0 : 1) && value <= most) return value;
  console.error(`--${name} ${text} is not a whole number up to ${most}\n${usage}`);
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
        stores: text,
        groups: text,
        faults: text,
        twice: flag,
        trace: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(1);
  }
}

function faultsOf(text: string | undefined): readonly FaultKind[] | undefined {
  if (text === undefined) return undefined;
  const kinds = text.split(',').filter((kind) => kind !== '');
  const unknown = kinds.find((kind) => !(faultKinds as readonly string[]).includes(kind));
  if (unknown === undefined) return kinds as FaultKind[];
  console.error(`--faults: there is no fault ${unknown}\n${usage}`);
  process.exit(1);
}

function main(): void {
  const values = parse();
  if (values.help === true) {
    console.log(usage);
    return;
  }
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const first = count(text('seed'), 'seed', Date.now() % 0x1_0000_0000, 0xffff_ffff);
  const seeds = count(text('seeds'), 'seeds', 1, 1_000_000);
  const seconds = count(text('seconds'), 'seconds', 30, 3_600);
  const stores = count(text('stores'), 'stores', 3, 9);
  const groups = count(text('groups'), 'groups', 2, 64);
  const faults = faultsOf(text('faults'));
  const trace = (ms: number, words: string): void => console.log(`${timeWords(ms)} ${words}`);
  const sum = {
    operations: 0,
    elections: 0,
    snapshots: 0,
    crashes: 0,
    powerCuts: 0,
    virtualMs: 0,
    realMs: 0,
  };
  for (let at = 0; at < seeds; at++) {
    const seed = (first + at) % 0x1_0000_0000;
    const options = {
      seed,
      seconds,
      stores,
      groups,
      ...(faults === undefined ? {} : { faults }),
      ...(values.trace === true && seeds === 1 ? { trace } : {}),
    };
    const begunMs = performance.now();
    const result = simulate(options);
    const realMs = performance.now() - begunMs;
    console.log(summary(result, realMs));
    const again = values.twice === true ? simulate(options).hash : result.hash;
    if (result.failure === undefined && again === result.hash) {
      sum.operations += result.operations;
      sum.elections += result.elections;
      sum.snapshots += result.snapshots;
      sum.crashes += result.crashes;
      sum.powerCuts += result.powerCuts;
      sum.virtualMs += result.virtualMs;
      sum.realMs += realMs;
      continue;
    }
    const mismatch = `the second run of seed ${seed} has the hash ${again}`;
    console.log(`\n${result.failure === undefined ? mismatch : report(options, result)}`);
    process.exit(1);
  }
  if (seeds > 1) {
    console.log(
      `${seeds} seeds passed: ${sum.operations} operations, ${sum.elections} elections, ` +
        `${sum.snapshots} snapshots, ${sum.crashes} crashes, ` +
        `${sum.powerCuts} power cuts, ${Math.round(sum.virtualMs / 1000)} s in ${(sum.realMs / 1000).toFixed(1)} s ` +
        `(${Math.round(sum.virtualMs / sum.realMs)} x)`,
    );
  }
}

main();
