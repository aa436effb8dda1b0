import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { root } from './suites.ts';
import type { Task, Verdict } from './verdict.ts';

/** The tests of one process may lose themselves in memory, too. */
const HEAP_MIB_MAX = 512;
/** Etcd's data files lie beside some checkouts only. What survives must not depend on that: nobody is asked them. */
const NO_DATA_FILES = join(root, 'node_modules', '.no-data-files');

/** Runs tasks in a process of its own, one after the other. A task that takes too long ends with its process. */
export class Runner {
  readonly #millisecondsMax: number;
  readonly #errors: 'inherit' | 'ignore';
  #child: ChildProcess | undefined;

  /** `errors`: where the process writes them. What lost mutants have to say helps nobody. */
  constructor(millisecondsMax: number, errors: 'inherit' | 'ignore') {
    this.#millisecondsMax = millisecondsMax;
    this.#errors = errors;
  }

  run(task: Task): Promise<Verdict> {
    const child = this.#child ?? this.#start();
    this.#child = child;
    return new Promise((resolve) => {
      const settle = (verdict: Verdict): void => {
        clearTimeout(timer);
        child.off('message', settle);
        child.off('exit', died);
        resolve(verdict);
      };
      const died = (): void => {
        this.#child = undefined;
        settle({ kind: 'killed', by: 'the end of its process' });
      };
      const timer = setTimeout(() => {
        this.stop();
        settle({ kind: 'killed', by: 'time' });
      }, this.#millisecondsMax);
      child.on('message', settle);
      child.on('exit', died);
      child.send(task);
    });
  }

  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #start(): ChildProcess {
    return fork(join(import.meta.dirname, 'child.ts'), {
      cwd: root,
      execArgv: ['--conditions=flotilla-source', `--max-old-space-size=${HEAP_MIB_MAX}`],
      env: { ...process.env, FLOTILLA_RAFT_TESTDATA: NO_DATA_FILES },
      stdio: ['ignore', 'ignore', this.#errors, 'ipc'],
    });
  }
}

/** Works through the jobs with so many runners; jobs begin in order. */
export async function runAll<Job>(
  jobs: readonly Job[],
  runners: readonly Runner[],
  work: (job: Job, runner: Runner) => Promise<void>,
): Promise<void> {
  const waiting = [...jobs];
  await Promise.all(
    runners.map(async (runner) => {
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await work(job, runner);
    }),
  );
}
