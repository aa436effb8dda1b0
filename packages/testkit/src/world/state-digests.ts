import { compareBytes, prefixEnd, Reader, startsWithBytes } from '@flotilla/base';
import { readShardNames, type ShardNames } from '@flotilla/kv';
import { DigestPair } from './digest-pair.ts';
import {
  copyHead,
  copyOf,
  isHostRecord,
  KIND_AT,
  PREFIX_BYTES,
  recordedShardOf,
  replicaOf,
  shardOf,
} from './state-keys.ts';

/**
 * Digests of the applied state of every replica generation in one state store: sums of the hashes of all
 * items, so that order does not matter and a change costs one item.
 *
 * In a data group each copy of a shard has a sum of its own. What no shard record names any more is deleted by
 * each replica at its leisure, so only named copies count in what is compared between replicas.
 */

export interface ShardContent {
  readonly shard: number;
  readonly names: ShardNames;
  readonly sum: DigestPair;
}

/** All copies of one shard in one replica, by the index of the entry that began each. */
class ShardCopies {
  readonly sums: Map<number, DigestPair> = new Map();
  names: ShardNames | undefined;
  /** What its named copies came to when they were summed up last. */
  counted: DigestPair = new DigestPair();
}

export class Generation {
  readonly prefix: Uint8Array;
  readonly gid: number;
  readonly incarnation: number;
  readonly generation: number;
  /** From the host's record; undefined before it was written. */
  appliedIndex: number | undefined;
  /** The host has marked it: what broke in the middle of an entry has half of that. */
  isBroken = false;
  /** Changed since it was last compared. */
  isDirty = true;
  /** Everything that counts, but for the shards that changed since they were counted. */
  readonly #total: DigestPair = new DigestPair();
  readonly #shards = new Map<number, ShardCopies>();
  readonly #dirtyShards = new Set<number>();
  readonly #uncounted = new Set<number>();

  constructor(prefix: Uint8Array, gid: number, incarnation: number, generation: number) {
    this.prefix = prefix;
    this.gid = gid;
    this.incarnation = incarnation;
    this.generation = generation;
  }

  change(key: Uint8Array, old: Uint8Array | undefined, value: Uint8Array | undefined): void {
    this.isDirty = true;
    if (isHostRecord(key)) {
      // The mark of a quarantine is another record of the host.
      if (key.length > PREFIX_BYTES + 1) this.isBroken = value !== undefined;
      else if (value !== undefined) this.appliedIndex = appliedIndexOf(value);
      return;
    }
    const shard = shardOf(this.gid, key);
    if (shard !== undefined) {
      const sum = sumOf(this.#copies(shard), copyOf(key));
      this.#changed(shard);
      if (old !== undefined) sum.add(key, KIND_AT, old, -1);
      if (value !== undefined) sum.add(key, KIND_AT, value, 1);
      return;
    }
    if (old !== undefined) this.#total.add(key, PREFIX_BYTES, old, -1);
    if (value !== undefined) this.#total.add(key, PREFIX_BYTES, value, 1);
    const recorded = this.gid === 0 ? undefined : recordedShardOf(key);
    if (recorded === undefined) return;
    this.#copies(recorded).names = value === undefined ? undefined : readShardNames(value);
    this.#changed(recorded);
  }

  /** Forgets the copies that lie in [from, to), which nobody reads any more. */
  drop(from: Uint8Array, to: Uint8Array): void {
    for (const [shard, copies] of this.#shards) {
      for (const copy of copies.sums.keys()) {
        const head = copyHead(this.prefix, shard, copy);
        if (compareBytes(from, head) > 0 || compareBytes(head, to) >= 0) continue;
        copies.sums.delete(copy);
        this.#uncounted.add(shard);
      }
    }
  }

  /** Over everything that is named. */
  digest(): DigestPair {
    for (const shard of this.#uncounted) {
      const copies = this.#copies(shard);
      this.#total.addSum(copies.counted, -1);
      copies.counted = countOf(shard, copies);
      this.#total.addSum(copies.counted, 1);
    }
    this.#uncounted.clear();
    return this.#total.copy();
  }

  /** Whole copies that changed since the last call: those that are served, or will not change any more. */
  takeContents(): readonly ShardContent[] {
    const contents: ShardContent[] = [];
    for (const shard of this.#dirtyShards) {
      const { names, sums } = this.#copies(shard);
      if (names?.content === undefined) continue;
      contents.push({ shard, names, sum: sums.get(names.content) ?? new DigestPair() });
    }
    this.#dirtyShards.clear();
    return contents;
  }

  #changed(shard: number): void {
    this.#dirtyShards.add(shard);
    this.#uncounted.add(shard);
  }

  #copies(shard: number): ShardCopies {
    let copies = this.#shards.get(shard);
    if (copies === undefined) {
      copies = new ShardCopies();
      this.#shards.set(shard, copies);
    }
    return copies;
  }
}

export class StateDigests {
  readonly #generations: Generation[] = [];
  #last: Generation | undefined;

  /** The item under `key` changes from `old` to `value`; undefined for absent. */
  change(key: Uint8Array, old: Uint8Array | undefined, value: Uint8Array | undefined): void {
    this.#of(key)?.change(key, old, value);
  }

  /** [from, to) is given up: whole generations of replicas, or single copies of shards. */
  drop(from: Uint8Array, to: Uint8Array): void {
    for (const generation of [...this.#generations]) {
      const end = prefixEnd(generation.prefix);
      const isOutside =
        end !== undefined && (compareBytes(end, from) <= 0 || compareBytes(to, generation.prefix) <= 0);
      if (isOutside) continue;
      const isInside =
        compareBytes(from, generation.prefix) <= 0 && end !== undefined && compareBytes(end, to) <= 0;
      if (isInside) this.#forget(generation);
      else generation.drop(from, to);
    }
  }

  /** Generations that changed since the last call. */
  takeDirty(): readonly Generation[] {
    const dirty = this.#generations.filter((generation) => generation.isDirty);
    for (const generation of dirty) generation.isDirty = false;
    return dirty;
  }

  find(gid: number, incarnation: number, generation: number): Generation | undefined {
    return this.#generations.find(
      (each) => each.gid === gid && each.incarnation === incarnation && each.generation === generation,
    );
  }

  #of(key: Uint8Array): Generation | undefined {
    if (this.#last !== undefined && startsWithBytes(key, this.#last.prefix)) return this.#last;
    const replica = replicaOf(key);
    if (replica === undefined) return undefined;
    const { generation } = replica;
    const { gid, incarnation } = replica.group;
    let found = this.find(gid, incarnation, generation);
    if (found === undefined) {
      found = new Generation(key.slice(0, PREFIX_BYTES), gid, incarnation, generation);
      this.#generations.push(found);
    }
    this.#last = found;
    return found;
  }

  #forget(generation: Generation): void {
    this.#generations.splice(this.#generations.indexOf(generation), 1);
    if (this.#last === generation) this.#last = undefined;
  }
}

/** The host's record begins with its format and the applied index. */
function appliedIndexOf(record: Uint8Array): number {
  const from = new Reader(record);
  from.skip(1);
  return from.u53();
}

function countOf(shard: number, { names, sums }: ShardCopies): DigestPair {
  const total = new DigestPair();
  // One of which everything has gone again is like one that never held anything.
  for (const copy of names?.copies ?? []) total.mix(sums.get(copy) ?? new DigestPair(), shard, copy);
  return total;
}

function sumOf(copies: ShardCopies, copy: number): DigestPair {
  let sum = copies.sums.get(copy);
  if (sum === undefined) {
    sum = new DigestPair();
    copies.sums.set(copy, sum);
  }
  return sum;
}
