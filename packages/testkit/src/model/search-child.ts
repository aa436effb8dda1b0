import type { Job, JobLine } from './jobs.ts';
import { allBounds, type Bounds } from './move/bounds.ts';
import { noAssertions, variants } from './move/variants/index.ts';
import { loadWith } from './patches.ts';

/** Runs the searches that its argument names and prints one line of JSON for each; see `jobs.ts`. */

function found<T>(what: T | undefined, name: string): T {
  if (what === undefined) throw new Error(`there is no ${name}`);
  return what;
}

const job = JSON.parse(found(process.argv[2], 'job')) as Job;
const chosen = job.searches.map(
  (search): Bounds =>
    found(
      allBounds.find(({ name }) => name === search),
      `search ${search}`,
    ),
);
const variant =
  job.variant === undefined
    ? undefined
    : found(
        variants.find(({ name }) => name === job.variant),
        `variant ${job.variant}`,
      );
const unused = loadWith([
  ...found(chosen[0], 'search').patches,
  ...(variant === undefined ? [] : [noAssertions, ...variant.patches]),
]);

// Behind the patches, since a module that is loaded already would stay as it is.
const [{ MoveWorld }, { Search }, { Walks }] = await Promise.all([
  import('./move/move-world.ts'),
  import('./search.ts'),
  import('./walk.ts'),
]);
for (const patch of unused()) throw new Error(`${patch.file} was loaded without its patch, or not at all`);

const isAboutWays = variant?.harm === 'nobody serves' || variant?.harm === 'never cleaned up';
const end = performance.now() + job.seconds * 1000;
for (const [at, bounds] of chosen.entries()) {
  const limits = {
    seconds: Math.max(1, (end - performance.now()) / 1000 / (chosen.length - at)),
    states: job.states,
    sought: variant?.harm,
    followsWaysHome: variant === undefined || isAboutWays,
  };
  const world = new MoveWorld(bounds);
  const search = bounds.walks ? new Walks(world, limits, job.seed) : new Search(world, limits);
  const line: JobLine = { search: bounds.name, result: search.run() };
  console.log(JSON.stringify(line));
  if (line.result.violation !== undefined) break;
}
