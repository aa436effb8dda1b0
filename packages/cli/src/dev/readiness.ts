import { randomBytes } from 'node:crypto';
import type { Database } from '../database.ts';
import { CommandFailure, failureOf } from '../failure.ts';
import { judge } from '../text/status.ts';
import type { DevPlan } from './plan.ts';

/**
 * Makes a cluster usable and finds out that it is. Ready means that a write to every group would succeed now,
 * and the only proof of that is a write. The deletion of a prefix that no key has is one write to every shard:
 * it goes through leader, log, majority and state machine like any other, and changes nothing.
 */

const PAUSE_MS = 50;
/** After so long the wait is explained, and then no more often: reasons tell times and addresses, which vary. */
const SILENCE_MS = 5_000;
/** Shards answer first; that stores see each other follows within a few heartbeats, or is not waited for. */
const HEALTH_MS = 3_000;

export interface ReadinessWatch {
  /** False once it makes no sense to go on. */
  readonly wanted: () => boolean;
  /** Told when it takes long, with the reason. */
  readonly onSlow: (why: string) => void;
}

export interface Readiness {
  readonly headline: string;
  readonly health: string;
}

class Waiter {
  readonly #watch: ReadinessWatch;
  #toldAtMs = performance.now();
  #told = '';

  constructor(watch: ReadinessWatch) {
    this.#watch = watch;
  }

  /** Repeats until it does not fail; undefined if that is not wanted any more. */
  async until<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    while (this.#watch.wanted()) {
      try {
        return await attempt();
      } catch (error) {
        const why = failureOf(error).report.message;
        if (performance.now() - this.#toldAtMs > SILENCE_MS && why !== this.#told) {
          this.#toldAtMs = performance.now();
          this.#told = why;
          this.#watch.onSlow(why);
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
    return undefined;
  }
}

/** Not wrong, just not there yet. */
class NotYet extends CommandFailure {}

/** Resolves when every group takes writes; undefined if that is not wanted any more. */
export async function makeReady(
  open: () => Promise<Database>,
  plan: DevPlan,
  watch: ReadinessWatch,
): Promise<Readiness | undefined> {
  const waiter = new Waiter(watch);
  const database = await waiter.until(open);
  if (database === undefined) return undefined;
  try {
    await waiter.until(() => joinFirst(database, plan));
    await waiter.until(() => probeShards(database));
    const deadline = performance.now() + HEALTH_MS;
    return await waiter.until(async () => {
      const { headline, health } = judge(await database.status());
      if (health !== 'healthy' && performance.now() < deadline) throw new NotYet(headline);
      return { headline, health };
    });
  } finally {
    await database.close();
  }
}

/**
 * The groups of a new cluster, all in one change: each then gets its part of the shards, instead of the first
 * one all. Later the person decides which groups there are: one that has left must not come back by itself.
 */
async function joinFirst(database: Database, plan: DevPlan): Promise<void> {
  const { groups, shards, stores } = await database.config();
  const isNew = groups.length === 0 && shards.every(({ epoch }) => epoch === 0);
  if (!isNew || Object.keys(plan.groups).length === 0) return;
  const known = new Set(stores.map(({ storeId }) => storeId));
  const absent = Object.values(plan.groups)
    .flat()
    .filter((id) => !known.has(id));
  if (absent.length > 0) throw new NotYet(`${[...new Set(absent)].join(', ')} did not register yet`);
  await database.join(plan.groups);
}

async function probeShards(database: Database): Promise<void> {
  const { shards } = await database.config();
  const unowned = shards.filter(({ owner }) => owner === 0).length;
  if (unowned > 0) throw new NotYet(`${unowned} of ${shards.length} shards have no group yet`);
  // No key begins with so many random bytes.
  await database.deletePrefix(randomBytes(32));
}
