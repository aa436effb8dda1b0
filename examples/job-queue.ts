import { ConflictError, type Db } from '@flotilla/client';

/**
 * A queue of jobs for any number of workers. Each job is one key. Who changes it names the version that he saw, so
 * of two who want the same job one gets it, and a worker that was away for too long cannot finish what somebody
 * else has taken over. Keys and conditions are all that it needs: there is no lock that could be left behind.
 */

type State = 'open' | 'taken' | 'done';

interface Job {
  readonly state: State;
  readonly task: string;
  /** Whoever has taken the job must be done by then, else another may take it, ms since 1970. */
  readonly untilMs?: number;
  readonly result?: string;
}

export interface TakenJob {
  readonly key: string;
  readonly task: string;
  /** Proves that the job is still ours. */
  readonly version: number;
}

export interface JobQueueOptions {
  /** How long a worker may keep a job, ms. */
  readonly leaseMs: number;
  /** The clock is an argument, so that a test can bring its own. */
  readonly now: () => number;
}

const PREFIX = 'job/';

export class JobQueue {
  readonly #db: Db;
  readonly #options: JobQueueOptions;

  constructor(db: Db, options: JobQueueOptions) {
    this.#db = db;
    this.#options = options;
  }

  /** Adding a job twice is adding it once. */
  async add(name: string, task: string): Promise<void> {
    const job: Job = { state: 'open', task };
    await unlessConflict(this.#db.put(PREFIX + name, JSON.stringify(job), { ifAbsent: true }));
  }

  /** A job that is open or was taken for too long; undefined if there is none now. */
  async take(): Promise<TakenJob | undefined> {
    const nowMs = this.#options.now();
    for await (const record of this.#db.scan({ prefix: PREFIX })) {
      const job = JSON.parse(record.text()) as Job;
      if (job.state === 'done' || (job.untilMs ?? 0) > nowMs) continue;
      const taken: Job = { ...job, state: 'taken', untilMs: nowMs + this.#options.leaseMs };
      const ifVersion = record.version;
      const written = await unlessConflict(this.#db.put(record.key, JSON.stringify(taken), { ifVersion }));
      // Somebody was faster: there may be another job.
      if (written !== undefined) return { key: record.key, task: job.task, version: written.version };
    }
    return undefined;
  }

  /** False if it took too long and the job is somebody else's by now: then the result is not kept. */
  async finish({ key, task, version }: TakenJob, result: string): Promise<boolean> {
    const done: Job = { state: 'done', task, result };
    return (
      (await unlessConflict(this.#db.put(key, JSON.stringify(done), { ifVersion: version }))) !== undefined
    );
  }

  /** The results of all jobs by key; undefined for those that are not done. */
  async results(): Promise<Map<string, string | undefined>> {
    const results = new Map<string, string | undefined>();
    for await (const record of this.#db.scan({ prefix: PREFIX })) {
      results.set(record.key.slice(PREFIX.length), (JSON.parse(record.text()) as Job).result);
    }
    return results;
  }
}

/** Undefined if a condition did not hold. */
async function unlessConflict<T>(write: Promise<T>): Promise<T | undefined> {
  try {
    return await write;
  } catch (error) {
    if (error instanceof ConflictError) return undefined;
    throw error;
  }
}
