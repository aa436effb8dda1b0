import type { Db } from '@flotilla/client';
import { type Call, type Outcome, operationLine } from '@flotilla/testkit';
import { flotilla } from './running.ts';
import { pause } from './waits.ts';

/**
 * Writers that append unique ids to shared keys and record each call with its times and its answer. Each waits
 * for an answer before it appends again. `flotilla check` judges the history.
 */

export interface AppendersOptions {
  readonly writers: number;
  readonly keys: readonly string[];
  /** Rest of each writer between an answer and its next append; none by default. */
  readonly restMs?: number;
}

export class Appenders {
  readonly #db: Db;
  readonly #options: AppendersOptions;
  /** The history so far, one operation a line. */
  readonly #lines: string[] = [];
  readonly #loops: Promise<void>[];
  /** Errors that left no doubt, by code; for the story when something is wrong. */
  readonly refusals = new Map<string, number>();
  #acknowledged = 0;
  #doubtful = 0;
  #stopping = false;
  #watchers: { readonly atLeast: number; readonly resolve: () => void }[] = [];

  constructor(db: Db, options: AppendersOptions) {
    this.#db = db;
    this.#options = options;
    this.#loops = Array.from({ length: options.writers }, (_, writer) => this.#loop(writer));
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get doubtful(): number {
    return this.#doubtful;
  }

  /** Resolves once so many more appends were acknowledged. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#watchers.push({ atLeast: this.#acknowledged + count, resolve });
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
  }

  /** Reads every key; what is wrong with all that was seen, in words, or empty if every promise was kept. */
  async check(): Promise<string[]> {
    for (const key of this.#options.keys) {
      const invokedMs = performance.now();
      const record = await this.#db.get(key);
      const outcome: Outcome =
        record === undefined
          ? { kind: 'absent' }
          : { kind: 'found', value: record.text(), version: record.version };
      this.#record('reader', key, { kind: 'get' }, invokedMs, outcome);
    }
    const { code, out, err } = await flotilla(['check', '-'], { input: this.#lines.join('\n') });
    return code === 0 ? [] : [out, err].filter((text) => text !== '');
  }

  #record(client: string, key: string, call: Call, invokedAt: number, outcome: Outcome): void {
    const respondedAt = performance.now();
    this.#lines.push(operationLine({ client, key, call, invokedAt, respondedAt, outcome }));
  }

  async #loop(writer: number): Promise<void> {
    const { keys, restMs = 0 } = this.#options;
    for (let number = 0; !this.#stopping; number++) {
      const key = keys[(number * 7 + writer * 11) % keys.length] as string;
      const call: Call = { kind: 'append', value: `w${writer}-${number};` };
      if (restMs > 0) await pause(restMs);
      const invokedMs = performance.now();
      try {
        const { version } = await this.#db.append(key, call.value);
        this.#record(`w${writer}`, key, call, invokedMs, { kind: 'ok', version });
        this.#acknowledged += 1;
        this.#tell();
      } catch (error) {
        const { code, outcome } = error as { code?: string; outcome?: string };
        if (outcome !== 'unknown' && outcome !== 'not-applied') throw error;
        if (outcome === 'unknown') this.#doubtful += 1;
        this.#record(`w${writer}`, key, call, invokedMs, { kind: outcome });
        this.refusals.set(`${code} ${outcome}`, (this.refusals.get(`${code} ${outcome}`) ?? 0) + 1);
      }
    }
  }

  #tell(): void {
    const due = this.#watchers.filter(({ atLeast }) => this.#acknowledged >= atLeast);
    if (due.length === 0) return;
    this.#watchers = this.#watchers.filter((watcher) => !due.includes(watcher));
    for (const { resolve } of due) resolve();
  }
}
