// How fast the simulator is: simulated seconds per second of CPU time on one core, checks included.
//
//   node tools/bootstrap.mjs tools/bench/sim-speed.ts [--seeds 4] [--first 1] [--seconds 60] [--functions 0]
//
// Every seed is a cluster of 5 stores with 3 groups at the beginning, 10 clients with 8 callers each, faults, moves of
// shards and all checks. Callers pause so shortly that about 300 operations are answered per simulated second.
// CPU time is counted instead of wall time, as other work on the machine does not change it; it contains the collector,
// whose threads run beside the simulation. One seed runs before the clock starts, so that the code is compiled.
//
// Then half of the seeds run once more under the profiler of V8, which tells where the time goes: a sample belongs to
// the checks if any function on its stack is one of them, whatever that calls. `--functions N` lists the N functions
// that cost most by themselves.
import { type Profiler, Session } from 'node:inspector';
import { parseArgs } from 'node:util';
import { type SimulationResult, simulate } from '../../packages/testkit/src/index.ts';

const SHAPE = {
  stores: 5,
  groups: 3,
  clients: 10,
  workersPerClient: 8,
  thinkMs: 50,
  movesMs: 2_000,
} as const;
/** What only looks at the stores and at the history. */
const CHECKS = [
  '/testkit/src/checkers/',
  '/testkit/src/world/state-digests',
  '/testkit/src/world/store-watch',
];
const PARTS = /\/packages\/([a-z]+)\/src\//;
const MS = 1_000;

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '4' },
    first: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    functions: { type: 'string', default: '0' },
  },
});
const seeds = Number(options.seeds);
const first = Number(options.first);
const seconds = Number(options.seconds);

function run(seed: number): SimulationResult {
  const result = simulate({ ...SHAPE, seed, seconds });
  if (result.failure === undefined) return result;
  throw new Error(`seed ${seed} failed`, { cause: result.failure });
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / MS;
}

function measure(): void {
  let virtualMs = 0;
  let operations = 0;
  let events = 0;
  let totalMs = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const beginMs = cpuMs();
    const result = run(seed);
    const tookMs = cpuMs() - beginMs;
    virtualMs += result.virtualMs;
    operations += result.operations;
    events += result.events;
    totalMs += tookMs;
    console.log(
      `seed ${String(seed).padStart(4)}: ${(result.virtualMs / tookMs).toFixed(1).padStart(5)} x, ` +
        `${(result.virtualMs / MS).toFixed(1).padStart(5)} s in ${(tookMs / MS).toFixed(2)} s, ` +
        `${result.operations} operations, ${result.faults} faults, ${result.moves.done} moves, ${result.hash}`,
    );
  }
  console.log(`simulated seconds per CPU second  ${(virtualMs / totalMs).toFixed(1)}`);
  // Nobody calls while a cluster is founded, nor after its last fault.
  console.log(`operations per second of load     ${Math.round(operations / (seeds * seconds))}`);
  console.log(`operations per CPU second         ${Math.round((operations / totalMs) * MS)}`);
  console.log(`events per CPU second             ${Math.round((events / totalMs) * MS)}`);
}

/** Runs while the profiler looks on. Calls of a local session are answered before they return. */
function profiled(work: () => void): readonly Profiler.ProfileNode[] {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 500 });
  session.post('Profiler.start');
  work();
  let nodes: readonly Profiler.ProfileNode[] = [];
  session.post('Profiler.stop', (failure, { profile }) => {
    if (failure !== null) throw failure;
    nodes = profile.nodes;
  });
  session.disconnect();
  return nodes;
}

function tellShares(nodes: readonly Profiler.ProfileNode[]): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  let total = 0;
  let checks = 0;
  const add = (counts: Map<string, number>, name: string, hits: number): void => {
    counts.set(name, (counts.get(name) ?? 0) + hits);
  };
  const visit = (node: Profiler.ProfileNode, isCheck: boolean): void => {
    const { callFrame, hitCount = 0, children = [] } = node;
    const { url, functionName, lineNumber } = callFrame;
    const isOne = isCheck || CHECKS.some((part) => url.includes(part));
    total += hitCount;
    if (isOne) checks += hitCount;
    const part = PARTS.exec(url)?.[1] ?? (functionName === '(garbage collector)' ? 'collector' : 'engine');
    add(parts, part, hitCount);
    const place = url === '' ? '' : ` ${url.slice(url.lastIndexOf('/') + 1)}:${lineNumber + 1}`;
    add(functions, `${functionName}${place}`, hitCount);
    for (const id of children) visit(byId.get(id) as Profiler.ProfileNode, isOne);
  };
  visit(nodes[0] as Profiler.ProfileNode, false);
  const print = (counts: ReadonlyMap<string, number>, most: number): void => {
    const sorted = [...counts].sort((left, right) => right[1] - left[1]).slice(0, most);
    for (const [name, hits] of sorted)
      console.log(`  ${((100 * hits) / total).toFixed(1).padStart(5)} %  ${name}`);
  };
  console.log(`checks, with all that they call   ${((100 * checks) / total).toFixed(1)} %`);
  console.log('time of each package by itself');
  print(parts, parts.size);
  print(functions, Number(options.functions));
}

run(first);
measure();
const nodes = profiled(() => {
  for (let seed = first; seed < first + Math.ceil(seeds / 2); seed++) run(seed);
});
tellShares(nodes);
