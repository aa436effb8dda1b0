import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Job, runJobs } from './jobs.ts';
import { allBounds, type Bounds } from './move/bounds.ts';
import { type Variant, variants } from './move/variants/index.ts';
import type { SearchResult, Violation } from './search.ts';

/** `npm run model`: explores small worlds of the real code, then shows that wrong ones would be noticed. */

const usage = `usage: npm run model -- move [options]
explores moves of one shard in the real groups and the real controller, event by event, and then protocols that
are wrong by one rule, which must be found
  --minutes M     time for the searches of the right protocol together (default 5; from 10 on, large ones too)
  --search NAME   only this search of the right protocol
  --variant NAME  only this wrong protocol
  --clean         no wrong protocols
  --variants      only wrong protocols
  --seed N        first random walk (default: from the clock)
  --list          name searches and variants, and what they are for`;

/** Searches side by side: more would share memory and cores with the tests around. */
const AT_ONCE_MAX = 2;
const VARIANT_SECONDS = 60;
/** About 100 bytes each. */
const STATES_MAX = 20_000_000;
/** Large searches would only take time from the others below this. */
const LARGE_MINUTES = 10;

interface Options {
  readonly minutes: number;
  readonly search: string | undefined;
  readonly variant: string | undefined;
  readonly clean: boolean;
  readonly variants: boolean;
  readonly seed: number;
  readonly list: boolean;
}

function fail(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(1);
}

function number(text: string | undefined, name: string, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d{1,10}(\.\d{1,3})?$/.test(text) && value > 0 && value <= most) return value;
  return fail(`--${name} ${text} is not a number above 0 and up to ${most}`);
}

function parse(): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    minutes: text,
    search: text,
    variant: text,
    clean: flag,
    variants: flag,
    seed: text,
    list: flag,
    help: flag,
  };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (values.help === true) {
      console.log(usage);
      process.exit(0);
    }
    if (positionals.join() !== 'move') fail('say what to explore: move');
    if (values.search !== undefined && !allBounds.some(({ name }) => name === values.search)) {
      fail(`there is no search ${values.search}: see --list`);
    }
    if (values.variant !== undefined && !variants.some(({ name }) => name === values.variant)) {
      fail(`there is no variant ${values.variant}: see --list`);
    }
    return {
      minutes: number(values.minutes, 'minutes', 5, 10_000),
      search: values.search,
      variant: values.variant,
      clean: values.clean === true,
      variants: values.variants === true,
      seed: Math.floor(number(values.seed, 'seed', (Date.now() % 0xffff_fff) + 1, 0xffff_ffff)),
      list: values.list === true,
    };
  } catch (error) {
    return fail((error as Error).message);
  }
}

function columns(...cells: readonly (string | number)[]): string {
  const [first, ...rest] = cells;
  return String(first).padEnd(35) + rest.map((cell) => String(cell).padStart(12)).join('  ');
}

function tell(violation: Violation): void {
  violation.trace.forEach((words, at) => {
    console.log(`  ${String(at + 1).padStart(3)}  ${words}`);
  });
  console.log(`       then: ${violation.what}`);
  for (const line of violation.state) console.log(`         ${line}`);
}

/** Searches with the same patches, dealt out to so many processes. */
function jobsOf(chosen: readonly Bounds[], options: Options, atOnce: number): readonly Job[] {
  const plain = chosen.filter(({ patches }) => patches.length === 0);
  const others = chosen.filter(({ patches }) => patches.length > 0);
  const parts = Array.from({ length: atOnce }, (_, part) => plain.filter((__, at) => at % atOnce === part));
  const rest = { variant: undefined, states: STATES_MAX, seed: options.seed };
  const seconds = options.minutes * 60;
  return [
    ...others.map(({ name }) => ({ ...rest, searches: [name], seconds: seconds / chosen.length })),
    ...parts
      .filter((part) => part.length > 0)
      .map((part) => ({ ...rest, searches: part.map(({ name }) => name), seconds })),
  ];
}

/** All searches of the right protocol, from the smallest on. */
async function explore(options: Options): Promise<boolean> {
  const chosen = allBounds.filter(({ name, isLarge }) =>
    options.search === undefined ? options.minutes >= LARGE_MINUTES || !isLarge : name === options.search,
  );
  const atOnce = Math.min(AT_ONCE_MAX, availableParallelism(), chosen.length);
  console.log(columns('search', 'states', 'transitions', 'depth', 'way home', 'frontier', 'seconds'));
  let isRight = true;
  await runJobs(atOnce, jobsOf(chosen, options, atOnce), (_, { search, result }) => {
    console.log(resultLine(search, result, options));
    if (result.violation === undefined) return;
    isRight = false;
    tell(result.violation);
    console.log(`replay: npm run model -- move --search ${search} --clean --seed ${options.seed}`);
  });
  return isRight;
}

function resultLine(search: string, result: SearchResult, { seed }: Options): string {
  const { states, transitions, depth, wayHome, seconds } = result;
  const time = seconds.toFixed(1);
  if (allBounds.some(({ name, walks }) => name === search && walks)) {
    return columns(`${search}, seed ${seed}`, `${states} walks`, transitions, depth, wayHome, '', time);
  }
  return columns(search, states, transitions, depth, wayHome, result.isWhole ? 'empty' : 'not empty', time);
}

/** Every wrong protocol must be found by what it does. */
async function findVariants(options: Options): Promise<boolean> {
  const chosen = variants.filter(({ name }) => options.variant === undefined || name === options.variant);
  console.log(columns('wrong protocol', 'events', 'states', 'seconds', 'found'));
  const jobs = chosen.map(({ name, bounds }) => {
    return { searches: [bounds], variant: name, seconds: VARIANT_SECONDS, states: STATES_MAX, seed: 0 };
  });
  let missed = 0;
  await runJobs(Math.min(AT_ONCE_MAX, availableParallelism()), jobs, (job, { result }) => {
    const variant = variants.find(({ name }) => name === job.variant) as Variant;
    const { violation, states, seconds } = result;
    const found = violation === undefined ? `NOT FOUND: ${variant.harm}` : variant.harm;
    console.log(columns(variant.name, violation?.trace.length ?? '-', states, seconds.toFixed(1), found));
    if (violation === undefined) missed++;
    else if (options.variant !== undefined) tell(violation);
  });
  console.log(`${chosen.length - missed} of ${chosen.length} wrong protocols found`);
  return missed === 0;
}

function list(): void {
  for (const { name, about } of allBounds as readonly Bounds[]) console.log(`search ${name}: ${about}`);
  for (const { name, rule, harm } of variants) console.log(`variant ${name}: not "${rule}" -> ${harm}`);
}

async function main(): Promise<void> {
  const options = parse();
  if (options.list) {
    list();
    return;
  }
  const explores = !options.variants && options.variant === undefined;
  if (explores && !(await explore(options))) process.exit(1);
  const finds = !options.clean && options.search === undefined;
  if (finds && !(await findVariants(options))) process.exit(1);
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
