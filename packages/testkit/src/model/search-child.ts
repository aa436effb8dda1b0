import type { Job, JobLine } from './jobs.ts';
import { models, type SearchBounds, type WrongRule } from './models.ts';
import { allBounds as moveBounds } from './move/bounds.ts';
import { loadWith, noAssertions } from './patches.ts';
import { allBounds as raftBounds } from './raft/bounds.ts';
import { opened } from './raft/opened-source.ts';
import type { SearchLimits, SearchResult } from './search.ts';

/** Runs the searches that its argument names and prints one line of JSON for each; see `jobs.ts`. */

function found<T>(what: T | undefined, name: string): T {
  if (what === undefined) throw new Error(`there is no ${name}`);
  return what;
}

function named<T extends { readonly name: string }>(all: readonly T[], name: string): T {
  return found(
    all.find((each) => each.name === name),
    name,
  );
}

const job = JSON.parse(found(process.argv[2], 'job')) as Job;
const model = named(models, job.model);
const chosen: readonly SearchBounds[] = job.searches.map((search) => named(model.bounds, search));
const variant: WrongRule | undefined =
  job.variant === undefined ? undefined : named(model.variants, job.variant);
const isRaft = model.name === 'raft';
const unused = loadWith(
  [
    ...found(chosen[0], 'search').patches,
    ...(variant === undefined ? [] : [noAssertions, ...variant.patches]),
  ],
  isRaft ? opened : undefined,
);

// Behind the patches, since a module that is loaded already would stay as it is.
const [{ Search }, { CoveringSearch }, { Walks }] = await Promise.all([
  import('./search.ts'),
  import('./covering-search.ts'),
  import('./walk.ts'),
]);
const explore = isRaft ? await raftSearch() : await moveSearch();
for (const patch of unused()) throw new Error(`${patch.file} was loaded without its patch, or not at all`);

async function moveSearch(): Promise<(name: string, limits: SearchLimits) => SearchResult> {
  const { MoveWorld } = await import('./move/move-world.ts');
  return (name, limits) => {
    const bounds = named(moveBounds, name);
    const world = new MoveWorld(bounds);
    return (bounds.walks ? new Walks(world, limits, job.seed) : new Search(world, limits)).run();
  };
}

async function raftSearch(): Promise<(name: string, limits: SearchLimits) => SearchResult> {
  const { RaftWorld } = await import('./raft/raft-world.ts');
  return (name, limits) => {
    const bounds = named(raftBounds, name);
    const world = new RaftWorld(bounds);
    if (bounds.walks) return new Walks(world, limits, job.seed).run();
    const isBreadthFirst = job.isShortest || (variant !== undefined && variant.isDeep === undefined);
    return (isBreadthFirst ? new Search(world, limits) : new CoveringSearch(world, limits)).run();
  };
}

const isAboutWays = variant?.harm === 'nobody serves' || variant?.harm === 'never cleaned up';
const end = performance.now() + job.seconds * 1000;
for (const [at, { name }] of chosen.entries()) {
  const shares = model.sharesTime ? chosen.length - at : 1;
  const limits = {
    seconds: Math.max(1, (end - performance.now()) / 1000 / shares),
    states: job.states,
    sought: variant?.harm,
    followsWaysHome: variant === undefined || isAboutWays,
  };
  const line: JobLine = { search: name, result: explore(name, limits) };
  console.log(JSON.stringify(line));
  if (line.result.violation !== undefined) break;
}
