import type { Hasher } from '@flotilla/ports';

const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * The part of a key that decides its shard: what stands between the first `{` and the next `}` if that is
 * not empty, else the whole key (the rule of Redis Cluster).
 */
export function hashTag(key: Uint8Array): Uint8Array {
  const open = key.indexOf(OPEN);
  if (open < 0) return key;
  const close = key.indexOf(CLOSE, open + 1);
  return close > open + 1 ? key.subarray(open + 1, close) : key;
}

/** `shard = low 32 bits of xxh64(hash tag or key) mod shardCount`. */
export function shardOf(key: Uint8Array, shardCount: number, hasher: Hasher): number {
  return hasher.hash(hashTag(key)) % shardCount;
}
