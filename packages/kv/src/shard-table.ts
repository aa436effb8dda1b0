import type { KeySpace } from './keys.ts';
import { Shard } from './shard.ts';

/**
 * The shards of which a group knows anything. A group of a large cluster has a copy of few shards, and a
 * store has many groups, so a shard that was never here takes no memory: it is Absent with fence 0.
 */
export class ShardTable {
  readonly shardCount: number;
  readonly #keys: KeySpace;
  readonly #byNumber: Map<number, Shard> = new Map();
  /** By rising number, so that nothing depends on the order in which shards came. */
  #known: Shard[] = [];

  constructor(shardCount: number, keys: KeySpace) {
    this.shardCount = shardCount;
    this.#keys = keys;
  }

  get(number: number): Shard | undefined {
    return this.#byNumber.get(number);
  }

  /** All known shards by rising number. */
  get known(): readonly Shard[] {
    return this.#known;
  }

  /** The shard, made known if it was not. The number must be below `shardCount`. */
  make(number: number): Shard {
    const there = this.#byNumber.get(number);
    if (there !== undefined) return there;
    const shard = new Shard(number, this.#keys);
    this.#byNumber.set(number, shard);
    this.#known.push(shard);
    this.#known.sort((left, right) => left.number - right.number);
    return shard;
  }

  clear(): void {
    this.#byNumber.clear();
    this.#known = [];
  }
}
