import { type ClusterConfig, type MoveEntry, MoveStep } from '@flotilla/wire';
import type { ShardFacts } from './shard-facts.ts';

interface OpenMove {
  /** Stores with a replica of its source or its target. */
  readonly stores: ReadonlySet<string>;
  hasBegun: boolean;
  wasHit: boolean;
}

export interface MoveCounts {
  /** Shards that somebody served and that were to go elsewhere. */
  readonly begun: number;
  readonly done: number;
  readonly cancelled: number;
  /** Copies that had to begin anew. */
  readonly restarted: number;
  /** Ended moves in which a fault hit a store of source or target between the first step and the last. */
  readonly hit: number;
}

/** Counts what became of all moves of shards between groups. First assignments copy nothing and do not count. */
export class MoveTally {
  readonly #open = new Map<string, OpenMove>();
  #begun = 0;
  #done = 0;
  #cancelled = 0;
  #restarted = 0;
  #hit = 0;

  get counts(): MoveCounts {
    return {
      begun: this.#begun,
      done: this.#done,
      cancelled: this.#cancelled,
      restarted: this.#restarted,
      hit: this.#hit,
    };
  }

  changed(config: ClusterConfig, before: ClusterConfig | undefined): void {
    config.shards.forEach(({ owner, intent }, shard) => {
      const was = before?.shards[shard];
      if (was?.intent !== undefined && was.owner !== 0 && was.intent.moveId !== intent?.moveId) {
        this.#ends(`${was.intent.moveId} ${shard}`, owner !== was.owner);
      }
      if (intent === undefined || owner === 0 || intent.moveId === was?.intent?.moveId) return;
      this.#begun++;
      const stores = config.groups
        .filter(({ gid }) => gid === owner || gid === intent.target)
        .flatMap(({ replicas }) => replicas.map((place) => place.storeId));
      const open = { stores: new Set(stores), hasBegun: false, wasHit: false };
      this.#open.set(`${intent.moveId} ${shard}`, open);
    });
  }

  #ends(key: string, isDone: boolean): void {
    if (isDone) this.#done++;
    else this.#cancelled++;
    if (this.#open.get(key)?.wasHit === true) this.#hit++;
    this.#open.delete(key);
  }

  stepped(step: MoveEntry, before: ShardFacts): void {
    const move = this.#open.get(`${step.moveId} ${step.shard}`);
    if (move !== undefined) move.hasBegun = true;
    const isAgain = before.state === 'importing' && before.moveId === step.moveId;
    if (step.step === MoveStep.beginImport && isAgain) this.#restarted++;
  }

  storesHit(ids: readonly string[]): void {
    for (const move of this.#open.values()) {
      if (move.hasBegun && ids.some((id) => move.stores.has(id))) move.wasHit = true;
    }
  }
}
