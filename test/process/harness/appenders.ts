import type { Db } from '@flotilla/client';
import { pause } from './waits.ts';

/**
 * Writers that append unique ids to shared keys and remember what was acknowledged. Each waits for an answer
 * before it appends again, so in every key its ids stand in the order in which it wrote them.
 */

export interface AppendersOptions {
  readonly writers: number;
  readonly keys: readonly string[];
  /** Rest of each writer between an answer and its next append; none by default. */
  readonly restMs?: number;
}

interface Written {
  readonly key: string;
  readonly id: string;
  /** False: the client could not say whether it was applied. */
  readonly acknowledged: boolean;
}

export class Appenders {
  readonly #db: Db;
  readonly #options: AppendersOptions;
  readonly #written: Written[][];
  readonly #loops: Promise<void>[];
  /** Errors that left no doubt, by code; for the story when something is wrong. */
  readonly refusals = new Map<string, number>();
  #acknowledged = 0;
  #stopping = false;
  #watchers: { readonly atLeast: number; readonly resolve: () => void }[] = [];

  constructor(db: Db, options: AppendersOptions) {
    this.#db = db;
    this.#options = options;
    this.#written = Array.from({ length: options.writers }, () => []);
    this.#loops = Array.from({ length: options.writers }, (_, writer) => this.#loop(writer));
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get doubtful(): number {
    return this.#written.flat().filter((each) => !each.acknowledged).length;
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

  /** What is wrong with the values, in words; empty if every promise was kept. */
  async check(): Promise<string[]> {
    const wrong: string[] = [];
    for (const key of this.#options.keys) {
      const record = await this.#db.get(key);
      const ids = (record?.text() ?? '').split(';').filter((id) => id !== '');
      const place = new Map<string, number>();
      ids.forEach((id, at) => {
        if (place.has(id)) wrong.push(`${key}: ${id} stands there twice`);
        place.set(id, at);
      });
      this.#written.forEach((written, writer) => {
        let last = -1;
        for (const { key: to, id, acknowledged } of written) {
          if (to !== key) continue;
          const at = place.get(id);
          if (at === undefined) {
            if (acknowledged) wrong.push(`${key}: ${id} was acknowledged and is not there`);
            continue;
          }
          if (at < last) wrong.push(`${key}: ${id} stands before an older one of writer ${writer}`);
          last = Math.max(last, at);
          place.delete(id);
        }
      });
      for (const id of place.keys()) wrong.push(`${key}: ${id} was never written`);
    }
    return wrong;
  }

  async #loop(writer: number): Promise<void> {
    const { keys, restMs = 0 } = this.#options;
    const written = this.#written[writer] as Written[];
    for (let number = 0; !this.#stopping; number++) {
      const key = keys[(number * 7 + writer * 11) % keys.length] as string;
      const id = `w${writer}-${number}`;
      if (restMs > 0) await pause(restMs);
      try {
        await this.#db.append(key, `${id};`);
        written.push({ key, id, acknowledged: true });
        this.#acknowledged += 1;
        this.#tell();
      } catch (error) {
        const { code, outcome } = error as { code?: string; outcome?: string };
        if (outcome === 'unknown') written.push({ key, id, acknowledged: false });
        else if (outcome !== 'not-applied') throw error;
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
