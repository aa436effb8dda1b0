import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { InputError } from './input.ts';
import { simCommand } from './report.ts';
import { caseOptions } from './sim-case.ts';
import { caseFiles, loadCase, shrinkAndKeep } from './sim-cases.ts';
import { type SimOptions, simOptions } from './sim-options.ts';
import { runAndTell, runSeed, type SeedRun, seedOptions } from './sim-seeds.ts';
import { Totals } from './totals.ts';

/** `npm run sim`: many seeds, one line each; a failure tells its story and the one command that replays it. */

/** Beside this one, as a source or compiled. */
const workerFile = new URL(`./sim-worker${extname(import.meta.url)}`, import.meta.url);

function runSeeds(options: SimOptions): void {
  const totals = new Totals();
  const begunMs = performance.now();
  let isOver = false;
  const finish = (): never => {
    isOver = true;
    if (options.seeds > 1) console.log(totals.words(performance.now() - begunMs));
    process.exit(totals.failed > 0 ? 1 : 0);
  };
  const tell = (at: number, run: SeedRun): void => {
    if (isOver) return;
    console.log(run.text);
    totals.add(run);
    if (run.passed) return;
    if (options.shrink && run.checker !== '' && totals.failed === 1) {
      shrinkAndKeep(seedOptions(at, options), options);
    }
    if (!options.goOn) finish();
  };
  if (options.workers === 1) {
    for (let at = 0; at < options.seeds; at++) tell(at, runSeed(at, options));
    finish();
  }
  let next = 0;
  let open = 0;
  const giveNext = (worker: Worker): number => {
    if (next === options.seeds) return -1;
    open++;
    worker.postMessage(next);
    return next++;
  };
  for (let count = 0; count < options.workers; count++) {
    const worker = new Worker(workerFile, { workerData: options });
    let at = -1;
    worker.on('message', (run: SeedRun) => {
      open--;
      tell(at, run);
      at = giveNext(worker);
      if (open === 0) finish();
    });
    worker.on('error', (error) => {
      console.error(error);
      process.exit(1);
    });
    at = giveNext(worker);
  }
}

function replay(path: string, options: SimOptions): never {
  let failed = 0;
  for (const file of caseFiles(path)) {
    const run = caseOptions(loadCase(file));
    const command = `${simCommand} --replay ${file}`;
    const { text, passed, checker } = runAndTell(run, {
      command,
      twice: options.twice,
      trace: options.trace,
    });
    console.log(`${file}\n${text}`);
    if (passed) continue;
    failed++;
    if (options.shrink && checker !== '') shrinkAndKeep(run, options);
    if (!options.goOn) break;
  }
  process.exit(failed > 0 ? 1 : 0);
}

function main(options: SimOptions): void {
  try {
    if (options.replay === undefined) runSeeds(options);
    else replay(options.replay, options);
  } catch (error) {
    const isTold = error instanceof InputError || (error instanceof Error && 'code' in error);
    console.error(isTold ? error.message : error);
    process.exit(1);
  }
}

const options = simOptions(process.argv.slice(2));
if (options !== undefined) main(options);
