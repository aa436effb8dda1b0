import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SearchResult } from './search.ts';

/**
 * Searches that a process of its own runs one after the other: patches hold for all modules of a process, and what
 * a search has learned about the code stays warm for the next.
 */
export interface Job {
  /** What is explored: a name in `models.ts`. */
  readonly model: string;
  readonly searches: readonly string[];
  readonly variant: string | undefined;
  /** For all of them together; what one leaves of its share the others have. */
  readonly seconds: number;
  readonly states: number;
  /** Breadth first also where that is not usual, for the shortest way to what is wrong. */
  readonly isShortest: boolean;
  /** Of random walks. */
  readonly seed: number;
}

/** One line of the process for each search. */
export interface JobLine {
  readonly search: string;
  readonly result: SearchResult;
}

const child = fileURLToPath(new URL('./search-child.ts', import.meta.url));
/** What a process may take beyond the time of its searches, to start and to tell. */
const GRACE_MS = 120_000;
const ERROR_LENGTH_MAX = 4000;

/** Tells what each search found; rejects if the process ended before it told all, or was stopped. */
function runJob(job: Job, signal: AbortSignal, tell: (line: JobLine) => void): Promise<void> {
  const args = ['--conditions=flotilla-source', child, JSON.stringify(job)];
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  const timer = setTimeout(() => running.kill('SIGKILL'), job.seconds * 1000 + GRACE_MS);
  createInterface({ input: running.stdout }).on('line', (line) => tell(JSON.parse(line) as JobLine));
  let errors = '';
  running.stderr.on('data', (data: Buffer) => {
    errors = (errors + data.toString()).slice(-ERROR_LENGTH_MAX);
  });
  return new Promise((resolve, reject) => {
    running.on('error', reject);
    running.on('close', (code, killedBy) => {
      clearTimeout(timer);
      const what = job.variant ?? job.searches.join(', ');
      if (code === 0) resolve();
      else reject(new Error(`the process that searches ${what} ended with ${killedBy ?? code}\n${errors}`));
    });
  });
}

/** Runs jobs side by side, so many at a time. When one fails, the others are stopped. */
export async function runJobs(
  atOnce: number,
  jobs: readonly Job[],
  tell: (job: Job, line: JobLine) => void,
): Promise<void> {
  const left = [...jobs];
  const stop = new AbortController();
  const worker = async (): Promise<void> => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) {
      const running = job;
      await runJob(running, stop.signal, (line) => tell(running, line));
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, worker));
  } finally {
    stop.abort();
  }
}
