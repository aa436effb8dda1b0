import type { GroupName } from '@flotilla/base';
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
  const view = viewOf(key);
  const gid = view.getUint32(0);
  if (gid === GID_NONE) return undefined;
  const incarnation = view.getUint32(4) * 0x1_0000_0000 + view.getUint32(8);
  return { group: { gid, incarnation }, generation: view.getUint32(12) };
}

/** Where the host's records of a generation begin: whatever takes the generation as a whole takes this key. */
export function hostRecordKey({ gid, incarnation }: GroupName, generation: number): Uint8Array {
  const key = new Uint8Array(PREFIX_BYTES + 1);
  const view = viewOf(key);
  view.setUint32(0, gid);
  view.setUint32(4, Math.floor(incarnation / 0x1_0000_0000));
  view.setUint32(8, incarnation % 0x1_0000_0000);
  view.setUint32(12, generation);
  return key;
}

export function isHostRecord(key: Uint8Array): boolean {
  return key[PREFIX_BYTES] === 0;
}

/** Of a state machine's key: the shard whose copy it belongs to; undefined where it belongs to the whole group. */
export function shardOf(gid: number, key: Uint8Array): number | undefined {
  if (gid === 0) return undefined;
  const shard = viewOf(key).getUint16(SHARD_AT);
  return shard === GROUP_SHARD ? undefined : shard;
}

export function copyOf(key: Uint8Array): number {
  const view = viewOf(key);
  return view.getUint32(COPY_AT) * 0x1_0000_0000 + view.getUint32(COPY_AT + 4);
}

/** Of a key that belongs to a whole data group: the shard whose record it is. */
export function recordedShardOf(key: Uint8Array): number | undefined {
  return key[KIND_AT] === SHARD_RECORD ? viewOf(key).getUint16(KIND_AT + 1) : undefined;
}

/** Where the keys of one copy begin. */
export function copyHead(prefix: Uint8Array, shard: number, copy: number): Uint8Array {
  const head = new Uint8Array(KIND_AT);
  head.set(prefix);
  head[PREFIX_BYTES] = 1;
  const view = viewOf(head);
  view.setUint16(SHARD_AT, shard);
  view.setUint32(COPY_AT, Math.floor(copy / 0x1_0000_0000));
  view.setUint32(COPY_AT + 4, copy % 0x1_0000_0000);
  return head;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
