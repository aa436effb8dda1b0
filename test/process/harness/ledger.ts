import type { Db } from '@flotilla/client';
import { tagOf } from './shards.ts';

/** Keys in every shard, what was put there, and whether it still stands so. */

export class Ledger {
  readonly #db: Db;
  readonly #values = new Map<string, string>();
  /** Keys of each shard. */
  readonly #keys: readonly (readonly string[])[];

  constructor(db: Db, name: string, shardCount: number, keysPerShard: number) {
    this.#db = db;
    this.#keys = Array.from({ length: shardCount }, (_, shard) => {
      const tag = tagOf(shard, shardCount);
      return Array.from({ length: keysPerShard }, (_, at) => `${name}${tag}${at}`);
    });
  }

  /** Keys of some shards; of all if none is named. */
  keys(shards: readonly number[] = this.#keys.map((_, shard) => shard)): string[] {
    return shards.flatMap((shard) => this.#keys[shard] ?? []);
  }

  /** Appends to every key of some shards, or of all, and waits for all answers. */
  async append(text: string, shards?: readonly number[]): Promise<void> {
    await Promise.all(
      this.keys(shards).map(async (key) => {
        await this.#db.append(key, text);
        this.#values.set(key, (this.#values.get(key) ?? '') + text);
      }),
    );
  }

  /** What is wrong with the values, in words; empty if all stand as they were written. */
  async check(shards?: readonly number[]): Promise<string[]> {
    const found = await Promise.all(
      this.keys(shards).map(async (key) => {
        const value = (await this.#db.get(key))?.text();
        const wanted = this.#values.get(key);
        return value === wanted ? [] : [`${key}: ${value} is there instead of ${wanted}`];
      }),
    );
    return found.flat();
  }

  /** The keys that are read within so many ms. */
  async answering(timeout: number): Promise<string[]> {
    const found = await Promise.all(
      this.keys().map((key) =>
        this.#db.get(key, { timeout }).then(
          () => [key],
          () => [],
        ),
      ),
    );
    return found.flat();
  }
}
