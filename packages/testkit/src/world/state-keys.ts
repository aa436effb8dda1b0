import { type GroupName, putU32Big, putU53Big, u32BigAt, u64BigAt } from '@flotilla/base';
import { GROUP_SHARD } from '@flotilla/kv';

/**
 * How a state store's keys are made, told a second time: group, its incarnation and the generation of the
 * replica; an area (0: the host's own record, 1: the state machine's keys); and in a data group the shard, the
 * index of the entry that began the copy, a kind and a name.
 */
export const PREFIX_BYTES = 16;
const SHARD_AT: number = PREFIX_BYTES + 1;
const COPY_AT: number = SHARD_AT + 2;
export const KIND_AT: number = COPY_AT + 8;
const GID_NONE = 0xffff_ffff;
/** Under {@link GROUP_SHARD}: the record of the shard that is the name. */
const SHARD_RECORD = 2;

export interface ReplicaKey {
  readonly group: GroupName;
  readonly generation: number;
}

/** Undefined for what belongs to no replica. */
export function replicaOf(key: Uint8Array): ReplicaKey | undefined {
  if (key.length <= PREFIX_BYTES) return undefined;
  const gid = u32BigAt(key, 0);
  if (gid === GID_NONE) return undefined;
  const incarnation = u64BigAt(key, 4);
  return { group: { gid, incarnation }, generation: u32BigAt(key, 12) };
}

/** Where the host's records of a generation begin: whatever takes the generation as a whole takes this key. */
export function hostRecordKey({ gid, incarnation }: GroupName, generation: number): Uint8Array {
  const key = new Uint8Array(PREFIX_BYTES + 1);
  putU32Big(key, 0, gid);
  putU53Big(key, 4, incarnation);
  putU32Big(key, 12, generation);
  return key;
}

export function isHostRecord(key: Uint8Array): boolean {
  return key[PREFIX_BYTES] === 0;
}

/** Of a state machine's key: the shard whose copy it belongs to; undefined where it belongs to the whole group. */
export function shardOf(gid: number, key: Uint8Array): number | undefined {
  if (gid === 0) return undefined;
  const shard = u16At(key, SHARD_AT);
  return shard === GROUP_SHARD ? undefined : shard;
}

export function copyOf(key: Uint8Array): number {
  return u64BigAt(key, COPY_AT);
}

/** Of a key that belongs to a whole data group: the shard whose record it is. */
export function recordedShardOf(key: Uint8Array): number | undefined {
  return key[KIND_AT] === SHARD_RECORD ? u16At(key, KIND_AT + 1) : undefined;
}

/** Where the keys of one copy begin. */
export function copyHead(prefix: Uint8Array, shard: number, copy: number): Uint8Array {
  const head = new Uint8Array(KIND_AT);
  head.set(prefix);
  head[PREFIX_BYTES] = 1;
  head[SHARD_AT] = shard >>> 8;
  head[SHARD_AT + 1] = shard;
  putU53Big(head, COPY_AT, copy);
  return head;
}

function u16At(key: Uint8Array, at: number): number {
  return ((key[at] as number) << 8) | (key[at + 1] as number);
}
