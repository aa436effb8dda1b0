import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { patchedTexts } from './apply.ts';
import { mutants } from './named/index.ts';
import { allPlaces, choose, mutated } from './places.ts';
import { Runner, runAll } from './runner.ts';
import { filesOf, root, type Suite } from './suites.ts';
import { survivors } from './survivors.ts';
import type { Verdict } from './verdict.ts';

/** `npm run mutants`: wrong cores and hosts, each of which some test has to notice. */

/** Mechanical ones, unless told otherwise. */
const COUNT = 100;

const usage = `usage: npm run mutants -- raft [options]
breaks the consensus core, and what guards leases in the host, one rule at a time, and asks the suites
  --only TEXT    mutants whose name has this in it (may be repeated); names of mechanical ones begin with a file
  --count N      mechanical mutants (default ${COUNT})
  --seed N       which of them (default 1)
  --jobs N       suites at once (default: the cores, 2 at most)
  --list         name mutants, rules and places, and run nothing`;

const JOBS_MAX = 2;
/** At least so long a suite may take, ms, and so many times as long as it took with the core as it is. */
const SUITE_MS_MIN = 120_000;
const SLOWDOWN_MAX = 5;

interface Job {
  readonly name: string;
  readonly about: string;
  readonly suite: Suite;
  readonly texts: Readonly<Record<string, string>>;
  /** Why it survives, if it may. */
  readonly excuse: string | undefined;
}

function fail(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(1);
}

function count(text: string | undefined, option: string, fallback: number): number {
  if (text === undefined) return fallback;
  return /^\d{1,6}$/.test(text) ? Number(text) : fail(`--${option} ${text} is not a number`);
}

function parse(): ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>> {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return fail(String(error));
  }
}

const text = { type: 'string' } as const;
const options = {
  only: { type: 'string', multiple: true },
  count: text,
  seed: text,
  jobs: text,
  list: { type: 'boolean' },
} as const;

const { values, positionals } = parse();
if (positionals.length !== 1) fail(`${positionals[1]} is no option`);
const isWanted = ({ name }: { readonly name: string }): boolean =>
  values.only === undefined || values.only.some((part) => name.includes(part));

const named: readonly Job[] = mutants.filter(isWanted).map(({ name, rule, source, suite, patches }) => ({
  name,
  about: `${rule} (${source})`,
  suite,
  texts: patchedTexts(patches),
  excuse: undefined,
}));
const seed = count(values.seed, 'seed', 1);
const places = choose(allPlaces(), seed, count(values.count, 'count', COUNT));
const mechanical: readonly Job[] = places.filter(isWanted).map((place) => {
  const path = join(root, place.file);
  return {
    name: place.name,
    about: '',
    suite: 'raft',
    texts: { [path]: mutated(readFileSync(path, 'utf8'), place) },
    excuse: survivors.find((survivor) => survivor.place === place.name)?.why,
  };
});

if (named.length + mechanical.length === 0) fail('No mutant has such a name.');
if (values.list) {
  for (const { name, about } of [...named, ...mechanical])
    console.log(about === '' ? name : `${name}: ${about}`);
  process.exit();
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
const totals = { killed: 0, survived: 0, excused: 0, stale: 0, broken: 0 };

/** The suites must have nothing to say against the sources as they are. Returns the time that one may take. */
async function baseline(suites: ReadonlySet<Suite>): Promise<number> {
  let longest = 0;
  const runner = new Runner(10 * SUITE_MS_MIN, 'inherit');
  for (const suite of suites) {
    const begun = performance.now();
    const verdict = await runner.run({ texts: {}, files: filesOf(suite) });
    const took = performance.now() - begun;
    longest = Math.max(longest, took);
    if (verdict.kind !== 'survived') {
      runner.stop();
      fail(`The suites of ${suite} do not pass: ${verdict.kind === 'killed' ? verdict.by : verdict.why}`);
    }
    console.log(`the suites of ${suite}: ${verdict.tests} tests pass in ${seconds(took)}`);
  }
  runner.stop();
  return Math.max(SUITE_MS_MIN, SLOWDOWN_MAX * longest);
}

function report({ name, about, excuse }: Job, verdict: Verdict, took: number): void {
  const line = (word: string, more: string): void => {
    console.log(`${word.padEnd(8)} ${name}  ${seconds(took)}  ${more}`);
  };
  if (verdict.kind === 'broken') {
    totals.broken++;
    line('BROKEN', verdict.why);
  } else if (verdict.kind === 'killed' && excuse !== undefined) {
    totals.stale++;
    line('LISTED', `as a survivor, but killed by ${verdict.by}`);
  } else if (verdict.kind === 'killed') {
    totals.killed++;
    line('killed', `by ${verdict.by}`);
  } else if (excuse !== undefined) {
    totals.excused++;
    line('same', excuse);
  } else {
    totals.survived++;
    line('SURVIVED', about);
  }
}

const begun = performance.now();
console.log("etcd's data files are left out: our own tests have to notice");
const limit = await baseline(new Set([...named, ...mechanical].map(({ suite }) => suite)));
const jobs = Math.max(1, count(values.jobs, 'jobs', Math.min(JOBS_MAX, availableParallelism())));
const runners = Array.from({ length: jobs }, () => new Runner(limit, 'ignore'));
async function ask(job: Job, runner: Runner): Promise<void> {
  const start = performance.now();
  const verdict = await runner.run({ texts: job.texts, files: filesOf(job.suite) });
  report(job, verdict, performance.now() - start);
}
if (named.length > 0) console.log(`\nnamed mutants: ${named.length}`);
await runAll(named, runners, ask);
if (mechanical.length > 0) console.log(`\nmechanical mutants, seed ${seed}: ${mechanical.length}`);
await runAll(mechanical, runners, ask);
for (const runner of runners) runner.stop();

const { killed, survived, excused, stale, broken } = totals;
console.log(
  `\nmutants: ${named.length} named, ${mechanical.length} mechanical, in ${seconds(performance.now() - begun)}; ` +
    `${killed} killed, ${excused} the same as the core, ${survived} survived, ${broken} broken, ${stale} listed in vain`,
);
if (survived + stale + broken > 0) process.exitCode = 1;
