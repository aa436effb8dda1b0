import { assert } from '@flotilla/base';
import type { StateStore } from '@flotilla/ports';
import { getOrdered } from './fields.ts';
import { GROUP_SHARD, type KeySpace } from './keys.ts';
import type { ShardTable } from './shard-table.ts';

/**
 * Copies and change indexes that no shard record names any more. Each replica deletes them by itself, whole
 * generations only: no entry and no message says so, and as a generation is never used again nothing can be
 * written there later. But not before the entry that gave one up is durable: a crash would otherwise bring
 * back a shard record that names a copy of which half is gone.
 */
export class Purge {
  readonly #store: StateStore;
  readonly #keys: KeySpace;
  /** By rising index. */
  #dropped: { readonly shard: number; readonly generation: number; readonly index: number }[] = [];

  constructor(store: StateStore, keys: KeySpace) {
    this.#store = store;
    this.#keys = keys;
  }

  /** The entry at `index` gave the generation up. */
  drop(shard: number, generation: number, index: number): void {
    this.#dropped.push({ shard, generation, index });
  }

  durable(index: number): void {
    let count = 0;
    for (const { shard, generation, index: droppedAt } of this.#dropped) {
      if (droppedAt > index) break;
      this.#release(shard, generation);
      count++;
    }
    if (count > 0) this.#dropped.splice(0, count);
  }

  /**
   * Looks for generations that nobody names, as the state was just loaded: of before a restart, or brought by
   * a group snapshot. Seeks from one generation to the next, so it costs as much as there are of them.
   */
  sweep(shards: ShardTable): void {
    this.#dropped = [];
    const keys = this.#keys;
    const end = keys.copyHead(GROUP_SHARD, 0);
    const shardAt = keys.prefix.length;
    let from = keys.copyHead(0, 0);
    for (;;) {
      let shard = GROUP_SHARD;
      let generation = 0;
      this.#store.scan(from, end, (key) => {
        shard = (key[shardAt] as number) * 256 + (key[shardAt + 1] as number);
        generation = getOrdered(key, shardAt + 2);
        return false;
      });
      if (shard === GROUP_SHARD) return;
      assert(
        Number.isSafeInteger(generation + 1),
        () => `shard ${shard} has keys of generation ${generation}`,
      );
      if (shards.get(shard)?.named.includes(generation) !== true) this.#release(shard, generation);
      from = keys.copyHead(shard, generation + 1);
    }
  }

  #release(shard: number, generation: number): void {
    this.#store.release(this.#keys.copyHead(shard, generation), this.#keys.copyHead(shard, generation + 1));
  }
}
