import { compareBytes, EMPTY_BYTES, prefixEnd } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { hashTag, shardOf } from '@flotilla/wire';

/** A range of keys and the shards that can hold any of them. */
export interface KeyRange {
  readonly from: Uint8Array;
  /** Exclusive; undefined: no end. */
  readonly to: Uint8Array | undefined;
  /** The prefix that the range came from, if it came from one. */
  readonly prefix: Uint8Array | undefined;
}

export function prefixRange(prefix: Uint8Array): KeyRange {
  return { from: prefix, to: prefixEnd(prefix), prefix };
}

export function boundedRange(from: Uint8Array = EMPTY_BYTES, to?: Uint8Array): KeyRange {
  return { from, to, prefix: undefined };
}

export function isEmptyRange(range: KeyRange): boolean {
  return range.to !== undefined && compareBytes(range.from, range.to) >= 0;
}

/** Keys are spread by hash, so a range lies in all shards; a prefix with a whole hash tag lies in one. */
export function shardsOfRange(range: KeyRange, shardCount: number, hasher: Hasher): number[] {
  const prefix = range.prefix;
  if (prefix !== undefined && hashTag(prefix) !== prefix) return [shardOf(prefix, shardCount, hasher)];
  return Array.from({ length: shardCount }, (_, shard) => shard);
}
