import { parentPort, workerData } from 'node:worker_threads';
import type { SimOptions } from './sim-options.ts';
import { runSeeds } from './sim-seeds.ts';

/** One thread of `npm run sim`: its share of the seeds. Who is told ends it when that is enough. */
export interface SimShare {
  readonly options: SimOptions;
  readonly share: number;
}

const { options, share } = workerData as SimShare;
runSeeds(options, share, options.workers, (run) => {
  parentPort?.postMessage(run);
  return true;
});
