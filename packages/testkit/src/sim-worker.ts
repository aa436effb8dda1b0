import { parentPort, workerData } from 'node:worker_threads';
import type { SimOptions } from './sim-options.ts';
import { runSeed } from './sim-seeds.ts';

/** One thread of `npm run sim`: runs the seed that it is told, tells what came of it, and hears of the next. */
const options = workerData as SimOptions;
parentPort?.on('message', (at: number) => {
  parentPort?.postMessage(runSeed(at, options));
});
