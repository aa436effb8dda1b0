import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ask } from './system/ask.ts';
import { type Sabotage, sabotages } from './system/index.ts';
import { type Row, tableOf, writeTable } from './system/table.ts';
import type { Verdict } from './system/verdict.ts';

/** `npm run mutants -- system`: wrong systems, each of which the simulator has to notice. */

const usage = `usage: npm run mutants -- system [options]
breaks one rule of the system at a time, and runs clusters in the simulator until a check notices
  --only TEXT    sabotages whose name has this in it (may be repeated)
  --seeds N      clusters for each, at most (default 200)
  --seed N       the first of them (default 1)
  --jobs N       processes at once (default: the cores, 2 at most)
  --write        puts what came of it into the table in docs/testing.md
  --list         name sabotages, rules and checks, and run nothing`;

const JOBS_MAX = 2;
const SEEDS = 200;
/** So long one cluster may take on a busy machine, ms. */
const SEED_MS_MAX = 60_000;
const START_MS_MAX = 60_000;

function fail(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(1);
}

function count(text: string | undefined, option: string, fallback: number): number {
  if (text === undefined) return fallback;
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : fail(`--${option} ${text} is not a number`);
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const options = {
  only: { type: 'string', multiple: true },
  seeds: text,
  seed: text,
  jobs: text,
  write: flag,
  list: flag,
} as const;

function parse(): ReturnType<typeof parseArgs<{ options: typeof options; args: string[] }>>['values'] {
  try {
    return parseArgs({ options, args: process.argv.slice(3) }).values;
  } catch (error) {
    return fail(String(error));
  }
}

const values = parse();
const wanted = sabotages.filter(
  ({ name }) => values.only === undefined || values.only.some((part) => name.includes(part)),
);
if (wanted.length === 0) fail('No sabotage has such a name.');
if (values.list) {
  for (const { name, rule, checkers } of wanted) console.log(`${name}: ${rule} (${checkers.join(', ')})`);
  process.exit();
}
const first = count(values.seed, 'seed', 1);
const seeds = count(values.seeds, 'seeds', SEEDS);
if (values.write && first !== 1) fail('The table tells of the seeds from 1 on: --write goes without --seed.');

const rows: Row[] = [];
const totals = { caught: 0, survived: 0, broken: 0 };

function report(sabotage: Sabotage, verdict: Verdict, took: number): void {
  const { name, rule, checkers } = sabotage;
  const line = (word: string, more: string): void => {
    console.log(`${word.padEnd(8)} ${name}  ${(took / 1000).toFixed(1)} s  ${more}`);
  };
  if (verdict.kind === 'broken') {
    totals.broken++;
    line('BROKEN', verdict.why);
  } else if (verdict.kind === 'survived') {
    totals.survived++;
    line('SURVIVED', `${verdict.tried} seeds: ${rule}`);
  } else if (checkers.includes(verdict.checker)) {
    totals.caught++;
    const { checker, seed, tried, says } = verdict;
    line('caught', `by "${checker}", seed ${seed} (${tried} tried): ${says}`);
    rows.push({ name, rule, checker, seed, tried });
  } else {
    totals.broken++;
    line(
      'BROKEN',
      `noticed by "${verdict.checker}", which it does not name, seed ${verdict.seed}: ${verdict.says}`,
    );
  }
}

const begun = performance.now();
const waiting = [...wanted];
async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const start = performance.now();
    const verdict = await ask({ name: next.name, first, seeds }, START_MS_MAX + seeds * SEED_MS_MAX);
    report(next, verdict, performance.now() - start);
  }
}
const jobs = count(values.jobs, 'jobs', Math.min(JOBS_MAX, availableParallelism()));
await Promise.all(Array.from({ length: jobs }, work));

console.log(`\n${tableOf(rows)}`);
const { caught, survived, broken } = totals;
const seconds = ((performance.now() - begun) / 1000).toFixed(0);
console.log(
  `\nsabotages: ${wanted.length} in ${seconds} s; ${caught} caught, ${survived} survived, ${broken} broken`,
);
if (values.write) writeTable(rows);
if (survived + broken > 0) process.exitCode = 1;
