import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Job, runJobs } from './jobs.ts';
import { type Model, models, type SearchBounds, type WrongRule } from './models.ts';
import type { SearchResult, Violation } from './search.ts';

/** `npm run model`: explores small worlds of the real code, then shows that wrong ones would be noticed. */

const usage = `usage: npm run model -- ${models.map(({ name }) => name).join(' | ')} [options]
explores, event by event,
${models.map(({ name, about }) => `  ${name}  ${about}`).join('\n')}
and then the same with one rule left out, which must be found
  --minutes M     time for the searches of the right rules together (default 5; from 10 on, large ones too)
  --search NAME   only this search of the right rules
  --variant NAME  only this wrong one
  --clean         no wrong ones
  --variants      only wrong ones
  --shortest      breadth first, which takes longer and tells the shortest way to what is wrong
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
  readonly model: Model;
  readonly minutes: number;
  readonly search: string | undefined;
  readonly variant: string | undefined;
  readonly clean: boolean;
  readonly variants: boolean;
  readonly isShortest: boolean;
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
    shortest: flag,
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
    const model = models.find(({ name }) => name === positionals.join());
    if (model === undefined)
      return fail(`say what to explore: ${models.map(({ name }) => name).join(' or ')}`);
    if (values.search !== undefined && !model.bounds.some(({ name }) => name === values.search)) {
      fail(`there is no search ${values.search}: see --list`);
    }
    if (values.variant !== undefined && !model.variants.some(({ name }) => name === values.variant)) {
      fail(`there is no variant ${values.variant}: see --list`);
    }
    return {
      model,
      minutes: number(values.minutes, 'minutes', 5, 10_000),
      search: values.search,
      variant: values.variant,
      clean: values.clean === true,
      variants: values.variants === true,
      isShortest: values.shortest === true,
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
function jobsOf(chosen: readonly SearchBounds[], options: Options, atOnce: number): readonly Job[] {
  const plain = chosen.filter(({ patches }) => patches.length === 0);
  const others = chosen.filter(({ patches }) => patches.length > 0);
  const parts = Array.from({ length: atOnce }, (_, part) => plain.filter((__, at) => at % atOnce === part));
  const rest = {
    model: options.model.name,
    variant: undefined,
    states: STATES_MAX,
    seed: options.seed,
    isShortest: options.isShortest,
  };
  const seconds = options.minutes * 60;
  return [
    ...others.map(({ name }) => ({ ...rest, searches: [name], seconds: seconds / chosen.length })),
    ...parts
      .filter((part) => part.length > 0)
      .map((part) => ({ ...rest, searches: part.map(({ name }) => name), seconds })),
  ];
}

/** All searches of the right rules, from the smallest on. */
async function explore(options: Options): Promise<boolean> {
  const { model } = options;
  const chosen = model.bounds.filter(({ name, isLarge }) =>
    options.search === undefined ? options.minutes >= LARGE_MINUTES || !isLarge : name === options.search,
  );
  const atOnce = Math.min(AT_ONCE_MAX, availableParallelism(), chosen.length);
  console.log(
    columns(
      'search',
      'states',
      'transitions',
      'depth',
      'way home',
      'frontier',
      'symmetry',
      'states/s',
      'seconds',
    ),
  );
  let isRight = true;
  await runJobs(atOnce, jobsOf(chosen, options, atOnce), (_, { search, result }) => {
    console.log(resultLine(search, result, options));
    if (result.violation === undefined) return;
    isRight = false;
    tell(result.violation);
    console.log(`replay: npm run model -- ${model.name} --search ${search} --clean --seed ${options.seed}`);
  });
  return isRight;
}

function resultLine(search: string, result: SearchResult, { model, seed }: Options): string {
  const { states, transitions, depth, wayHome, isWhole, frontier, symmetry, seconds } = result;
  const last = [symmetry.toFixed(2), Math.round(states / seconds), seconds.toFixed(1)];
  if (model.bounds.some(({ name, walks }) => name === search && walks)) {
    return columns(`${search}, seed ${seed}`, `${states} walks`, transitions, depth, wayHome, '', ...last);
  }
  return columns(
    search,
    states,
    transitions,
    depth,
    wayHome,
    isWhole ? 'empty' : `not empty: ${frontier}`,
    ...last,
  );
}

/** Every wrong one must be found by what it does. */
async function findVariants(options: Options): Promise<boolean> {
  const { model } = options;
  const chosen = model.variants.filter(
    ({ name }) => options.variant === undefined || name === options.variant,
  );
  console.log(columns(`wrong ${model.wrongName}`, 'events', 'states', 'seconds', 'found'));
  const jobs = chosen.map(({ name, bounds }) => {
    const rest = { seconds: VARIANT_SECONDS, states: STATES_MAX, seed: 0, isShortest: options.isShortest };
    return { model: model.name, searches: [bounds], variant: name, ...rest };
  });
  let missed = 0;
  await runJobs(Math.min(AT_ONCE_MAX, availableParallelism()), jobs, (job, { result }) => {
    const variant = model.variants.find(({ name }) => name === job.variant) as WrongRule;
    const { violation, states, seconds } = result;
    const found = violation === undefined ? `NOT FOUND: ${variant.harm}` : variant.harm;
    console.log(columns(variant.name, violation?.trace.length ?? '-', states, seconds.toFixed(1), found));
    if (violation === undefined) missed++;
    else if (options.variant !== undefined) tell(violation);
  });
  console.log(`${chosen.length - missed} of ${chosen.length} wrong ${model.wrongName}s found`);
  return missed === 0;
}

function list({ bounds, variants }: Model): void {
  for (const { name, about } of bounds) console.log(`search ${name}: ${about}`);
  for (const { name, rule, harm } of variants) console.log(`variant ${name}: not "${rule}" -> ${harm}`);
}

async function main(): Promise<void> {
  const options = parse();
  if (options.list) {
    list(options.model);
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
