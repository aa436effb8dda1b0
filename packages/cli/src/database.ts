import type {
  ChangeResult,
  ClusterConfig,
  ClusterPolicy,
  ClusterStatus,
  ConfigSummary,
  Db,
  KeyPlace,
  MoveName,
  MoveProgress,
} from '@flotilla/client';
import type { ReadChoice } from './globals.ts';
import type { RecordLike } from './text/bytes.ts';

/** The client as the commands use it: bytes in, bytes out. Loaded only by commands that talk to a cluster. */

export interface WriteConditions {
  readonly ifAbsent?: true;
  readonly ifPresent?: true;
  readonly ifVersion?: number;
  readonly ifValue?: Uint8Array;
  /** ms */
  readonly ttl?: number;
}

export type PolicyChange = Partial<ClusterPolicy>;

export interface ScanChoice {
  readonly prefix: Uint8Array;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export class Database {
  readonly #db: Db;

  private constructor(db: Db) {
    this.#db = db;
  }

  static async open(endpoints: readonly string[], timeoutMs: number): Promise<Database> {
    const { connect } = await import('@flotilla/client');
    return new Database(await connect({ endpoints, timeoutMs, connectTimeoutMs: timeoutMs }));
  }

  put(
    key: Uint8Array,
    value: Uint8Array,
    conditions?: WriteConditions,
  ): Promise<{ readonly version: number }> {
    return this.#db.put(key, value, conditions);
  }

  append(
    key: Uint8Array,
    value: Uint8Array,
    conditions?: WriteConditions,
  ): Promise<{ readonly version: number }> {
    return this.#db.append(key, value, conditions);
  }

  delete(key: Uint8Array, conditions?: WriteConditions): Promise<{ readonly version: number }> {
    return this.#db.delete(key, conditions);
  }

  /** The sum as decimal text: it may be larger than a JavaScript number. */
  async increment(
    key: Uint8Array,
    amount: bigint,
  ): Promise<{ readonly sum: string; readonly version: number }> {
    const { text, version } = await this.#db.increment(key, amount);
    return { sum: text, version };
  }

  async get(key: Uint8Array, read?: ReadChoice): Promise<RecordLike | undefined> {
    const found = await this.#db.get(key, read);
    if (found === undefined) return undefined;
    const { keyBytes, value, version, createVersion } = found;
    return { key: keyBytes, value, version, createVersion };
  }

  async *scan(choice: ScanChoice, read?: ReadChoice): AsyncGenerator<RecordLike> {
    for await (const { keyBytes, value, version, createVersion } of this.#db.scan({ ...choice, ...read })) {
      yield { key: keyBytes, value, version, createVersion };
    }
  }

  /** Deletes all keys with that prefix: one write to every shard, also where there is nothing to delete. */
  async deletePrefix(prefix: Uint8Array): Promise<number> {
    const { deleted } = await this.#db.deleteRange({ prefix });
    return deleted;
  }

  /** With `plan` this and the next three only tell what would happen. */
  join(groups: Readonly<Record<number, readonly string[]>>, plan = false): Promise<ChangeResult> {
    return this.#db.admin.join(groups, { plan });
  }

  leave(gids: readonly number[], plan = false): Promise<ChangeResult> {
    return this.#db.admin.leave(gids, { plan });
  }

  move(shard: number, gid: number, plan = false): Promise<ChangeResult> {
    return this.#db.admin.move(shard, gid, { plan });
  }

  rebalance(plan = false): Promise<ChangeResult> {
    return this.#db.admin.rebalance({ plan });
  }

  pause(move: MoveName): Promise<ChangeResult> {
    return this.#db.admin.pause(move);
  }

  resume(move: MoveName): Promise<ChangeResult> {
    return this.#db.admin.resume(move);
  }

  cancel(move: MoveName): Promise<ChangeResult> {
    return this.#db.admin.cancel(move);
  }

  policy(change: PolicyChange): Promise<ChangeResult> {
    return this.#db.admin.policy(change);
  }

  /** The moves that are open; with `all` also those that ended lately. */
  moves(all: boolean, signal?: AbortSignal): Promise<readonly MoveProgress[]> {
    return this.#db.admin.moves({ all, ...(signal === undefined ? {} : { signal }) });
  }

  transferLeader(gid: number, store: string): Promise<{ readonly leader: string }> {
    return this.#db.admin.transferLeader(gid, store);
  }

  config(number?: number): Promise<ClusterConfig> {
    return this.#db.admin.config(number);
  }

  /** What made each config, oldest first. */
  async *configs(): AsyncGenerator<ConfigSummary> {
    for (let from = 0; ; ) {
      const { configs, more } = await this.#db.admin.configs(from);
      yield* configs;
      const last = configs.at(-1);
      if (!more || last === undefined) return;
      from = last.number + 1;
    }
  }

  status(): Promise<ClusterStatus> {
    return this.#db.admin.status();
  }

  where(key: Uint8Array): Promise<KeyPlace> {
    return this.#db.admin.where(key);
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}
