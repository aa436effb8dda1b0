import { Worker } from 'node:worker_threads';
import { type SimOptions, simOptions } from './sim-options.ts';
import { runSeed, type SeedRun } from './sim-seeds.ts';
import { Totals } from './totals.ts';

/** `npm run sim`: many seeds, one line each; a failure tells its story and the one command that replays it. */

function main(options: SimOptions): void {
  const totals = new Totals();
  const begunMs = performance.now();
  const finish = (): never => {
    if (options.seeds > 1) console.log(totals.words(performance.now() - begunMs));
    process.exit(totals.failed > 0 ? 1 : 0);
  };
  const tell = (run: SeedRun): void => {
    console.log(run.text);
    totals.add(run);
    if (!run.passed && !options.goOn) finish();
  };
  if (options.workers === 1) {
    for (let at = 0; at < options.seeds; at++) tell(runSeed(at, options));
    finish();
  }
  let next = 0;
  let open = 0;
  const giveNext = (worker: Worker): void => {
    if (next === options.seeds) return;
    open++;
    worker.postMessage(next++);
  };
  for (let count = 0; count < options.workers; count++) {
    const worker = new Worker(new URL('./sim-worker.ts', import.meta.url), { workerData: options });
    worker.on('message', (run: SeedRun) => {
      open--;
      tell(run);
      giveNext(worker);
      if (open === 0) finish();
    });
    worker.on('error', (error) => {
      console.error(error);
      process.exit(1);
    });
    giveNext(worker);
  }
}

const options = simOptions();
if (options !== undefined) main(options);
