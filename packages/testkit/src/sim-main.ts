import { Worker } from 'node:worker_threads';
import { type SimOptions, simOptions } from './sim-options.ts';
import { runSeeds, type SeedRun } from './sim-seeds.ts';
import type { SimShare } from './sim-worker.ts';
import { Totals } from './totals.ts';

/** `npm run sim`: many seeds, one line each; a failure tells its story and the one command that replays it. */

function main(options: SimOptions): void {
  const totals = new Totals();
  const begunMs = performance.now();
  const finish = (): never => {
    if (options.seeds > 1) console.log(totals.words(performance.now() - begunMs));
    process.exit(totals.failed > 0 ? 1 : 0);
  };
  /** True if there is more to do. */
  const tell = (run: SeedRun): boolean => {
    console.log(run.text);
    totals.add(run);
    return run.passed || options.goOn;
  };
  if (options.workers === 1) {
    runSeeds(options, 0, 1, tell);
    finish();
  }
  let running = options.workers;
  for (let share = 0; share < options.workers; share++) {
    const workerData: SimShare = { options, share };
    const worker = new Worker(new URL('./sim-worker.ts', import.meta.url), { workerData });
    worker.on('message', (run: SeedRun) => {
      if (!tell(run)) finish();
    });
    worker.on('error', (error) => {
      console.error(error);
      process.exit(1);
    });
    worker.on('exit', () => {
      if (--running === 0) finish();
    });
  }
}

const options = simOptions();
if (options !== undefined) main(options);
