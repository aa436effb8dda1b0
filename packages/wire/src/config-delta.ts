import {
  assert,
  DecodeError,
  Reader,
  type StoreId,
  utf8Decode,
  utf8Encode,
  type Writer,
} from '@flotilla/base';
import {
  type ClusterConfig,
  type ClusterPolicy,
  type GroupRecord,
  type ReplicaPlace,
  readGroup,
  readIntent,
  readPolicy,
  readStore,
  type ShardRecord,
  type StoreRecord,
  writeGroup,
  writeIntent,
  writePolicy,
  writeStore,
} from './config.ts';
import { limits } from './limits.ts';

/**
 * What turns one config into a later one. Stores push deltas to each other and to clients, so that a change
 * of one shard costs some tens of bytes however large the map is. A delta fits exactly one config: who holds
 * another one asks for the whole.
 */
export interface ConfigDelta {
  /** Number of the config that the delta applies to. */
  readonly from: number;
  /** Number of the config that it makes. */
  readonly number: number;
  readonly cause: string;
  readonly author: string;
  readonly atMs: number;
  readonly shardCount: number;
  /** Shards that differ, ascending. */
  readonly shards: readonly ShardPatch[];
  /** Groups that are new or differ, ascending gid. */
  readonly groups: readonly GroupRecord[];
  readonly groupsGone: readonly number[];
  /** Undefined if it runs where it ran. */
  readonly controller: GroupRecord | undefined;
  /** Stores that are new or differ, ascending id. */
  readonly stores: readonly StoreRecord[];
  readonly storesGone: readonly StoreId[];
  /** Undefined if it is as it was. */
  readonly policy: ClusterPolicy | undefined;
}

export interface ShardPatch extends ShardRecord {
  readonly shard: number;
}

const BLANK: ShardRecord = { owner: 0, epoch: 0, intent: undefined, pinned: false };

function sameShard(left: ShardRecord, right: ShardRecord): boolean {
  if (left === right) return true;
  if (left.owner !== right.owner || left.epoch !== right.epoch || left.pinned !== right.pinned) return false;
  const [mine, theirs] = [left.intent, right.intent];
  if (mine === undefined || theirs === undefined) return mine === theirs;
  return (
    mine.moveId === theirs.moveId &&
    mine.target === theirs.target &&
    mine.phase === theirs.phase &&
    mine.paused === theirs.paused &&
    mine.next === theirs.next
  );
}

function sameReplica(left: ReplicaPlace, right: ReplicaPlace | undefined): boolean {
  return (
    left.raftId === right?.raftId &&
    left.storeId === right.storeId &&
    left.storeIncarnation === right.storeIncarnation
  );
}

function sameGroupRecord(left: GroupRecord, right: GroupRecord): boolean {
  if (left === right) return true;
  return (
    left.gid === right.gid &&
    left.incarnation === right.incarnation &&
    left.leaving === right.leaving &&
    left.replicas.length === right.replicas.length &&
    left.replicas.every((replica, at) => sameReplica(replica, right.replicas[at]))
  );
}

function sameStore(left: StoreRecord, right: StoreRecord): boolean {
  if (left === right) return true;
  return (
    left.storeId === right.storeId &&
    left.incarnation === right.incarnation &&
    left.address === right.address &&
    left.addressVersion === right.addressVersion &&
    left.zone === right.zone
  );
}

function samePolicy(left: ClusterPolicy, right: ClusterPolicy): boolean {
  return (
    left.auto === right.auto &&
    left.moveBytesPerSecond === right.moveBytesPerSecond &&
    left.movesPerStore === right.movesPerStore
  );
}

/** Items of `to` that `from` does not have alike, and keys that only `from` has. */
function diffList<T, K>(
  from: readonly T[],
  to: readonly T[],
  keyOf: (item: T) => K,
  same: (left: T, right: T) => boolean,
): { readonly put: readonly T[]; readonly gone: readonly K[] } {
  if (from === to) return { put: [], gone: [] };
  const before = new Map(from.map((item) => [keyOf(item), item]));
  const put = to.filter((item) => {
    const old = before.get(keyOf(item));
    before.delete(keyOf(item));
    return old === undefined || !same(old, item);
  });
  return { put, gone: [...before.keys()] };
}

const gidOf = (group: GroupRecord): number => group.gid;
const storeIdOf = (store: StoreRecord): StoreId => store.storeId;

/** The delta from one config to a later one of the same cluster; `from` may be the empty one, number 0. */
export function diffConfig(from: ClusterConfig, to: ClusterConfig): ConfigDelta {
  assert(to.number > from.number, () => `config ${to.number} does not come after config ${from.number}`);
  const shardCount = to.shards.length;
  assert(from.number === 0 || from.shards.length === shardCount, 'a cluster keeps its number of shards');
  const shards: ShardPatch[] = [];
  to.shards.forEach((record, shard) => {
    const old = from.shards[shard] ?? BLANK;
    assert(
      record.epoch >= old.epoch,
      () => `epoch of shard ${shard} falls from ${old.epoch} to ${record.epoch}`,
    );
    if (!sameShard(old, record)) shards.push({ shard, ...record });
  });
  const groups = diffList(from.groups, to.groups, gidOf, sameGroupRecord);
  const stores = diffList(from.stores, to.stores, storeIdOf, sameStore);
  return {
    from: from.number,
    number: to.number,
    cause: to.cause,
    author: to.author,
    atMs: to.atMs,
    shardCount,
    shards,
    groups: groups.put,
    groupsGone: groups.gone,
    controller: sameGroupRecord(from.controller, to.controller) ? undefined : to.controller,
    stores: stores.put,
    storesGone: stores.gone,
    policy: samePolicy(from.policy, to.policy) ? undefined : to.policy,
  };
}

function patchList<T, K extends number | string>(
  items: readonly T[],
  put: readonly T[],
  gone: readonly K[],
  keyOf: (item: T) => K,
): readonly T[] {
  if (put.length === 0 && gone.length === 0) return items;
  const byKey = new Map(items.map((item) => [keyOf(item), item]));
  for (const key of gone) byKey.delete(key);
  for (const item of put) byKey.set(keyOf(item), item);
  return [...byKey.values()].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}

/**
 * The config that the delta makes of `config`; undefined if the delta is for another one, which happens when
 * pushes are lost or doubled. Throws `DecodeError` for a delta that would lower an epoch or change the number
 * of shards: it cannot come from the history of this cluster.
 */
export function applyConfigDelta(config: ClusterConfig, delta: ConfigDelta): ClusterConfig | undefined {
  if (delta.from !== config.number) return undefined;
  if (config.number > 0 && delta.shardCount !== config.shards.length) {
    throw new DecodeError(`a delta for ${delta.shardCount} shards where there are ${config.shards.length}`);
  }
  return {
    number: delta.number,
    cause: delta.cause,
    author: delta.author,
    atMs: delta.atMs,
    shards: patchShards(config.shards, delta),
    groups: patchList(config.groups, delta.groups, delta.groupsGone, gidOf),
    controller: delta.controller ?? config.controller,
    stores: patchList(config.stores, delta.stores, delta.storesGone, storeIdOf),
    policy: delta.policy ?? config.policy,
  };
}

function patchShards(before: readonly ShardRecord[], delta: ConfigDelta): readonly ShardRecord[] {
  if (delta.shards.length === 0 && delta.shardCount === before.length) return before;
  const shards: ShardRecord[] = [...before];
  while (shards.length < delta.shardCount) shards.push(BLANK);
  for (const { shard, owner, epoch, intent, pinned } of delta.shards) {
    const old = shards[shard];
    if (old === undefined || epoch < old.epoch) {
      throw new DecodeError(`a delta sets shard ${shard} to epoch ${epoch}, which does not fit this map`, {
        shard,
        epoch,
      });
    }
    shards[shard] = { owner, epoch, intent, pinned };
  }
  return shards;
}

const DELTA_FORMAT = 2;

function writeShardPatch(out: Writer, patch: ShardPatch): void {
  out.u16(patch.shard);
  out.u32(patch.owner);
  out.u32(patch.epoch);
  out.bool(patch.pinned);
  out.bool(patch.intent !== undefined);
  if (patch.intent !== undefined) writeIntent(out, patch.intent);
}

function readShardPatch(from: Reader): ShardPatch {
  const shard = from.u16();
  const owner = from.u32();
  const epoch = from.u32();
  const pinned = from.bool();
  return { shard, owner, epoch, pinned, intent: from.bool() ? readIntent(from) : undefined };
}

function writeList<T>(out: Writer, items: readonly T[], write: (out: Writer, item: T) => void): void {
  out.u32(items.length);
  for (const item of items) write(out, item);
}

function readList<T>(from: Reader, max: number, bytesMin: number, read: (from: Reader) => T): readonly T[] {
  const count = from.count(max, bytesMin);
  const items: T[] = [];
  for (let at = 0; at < count; at++) items.push(read(from));
  return items;
}

export function writeConfigDelta(out: Writer, delta: ConfigDelta): void {
  out.u8(DELTA_FORMAT);
  out.u53(delta.from);
  out.u53(delta.number);
  out.text(delta.cause);
  out.text(delta.author);
  out.u53(delta.atMs);
  out.u32(delta.shardCount);
  writeList(out, delta.shards, writeShardPatch);
  writeList(out, delta.groups, writeGroup);
  writeList(out, delta.groupsGone, (out, gid) => out.u32(gid));
  out.bool(delta.controller !== undefined);
  if (delta.controller !== undefined) writeGroup(out, delta.controller);
  writeList(out, delta.stores, writeStore);
  writeList(out, delta.storesGone, (out, storeId) => out.bytes16(utf8Encode(storeId)));
  out.bool(delta.policy !== undefined);
  if (delta.policy !== undefined) writePolicy(out, delta.policy);
}

/** Throws `DecodeError` for anything malformed. */
export function readConfigDelta(bytes: Uint8Array): ConfigDelta {
  const from = new Reader(bytes);
  const format = from.u8();
  if (format !== DELTA_FORMAT) {
    throw new DecodeError(`config delta format ${format} is not known here`, { format });
  }
  const base = from.u53();
  const number = from.u53();
  if (number <= base) throw new DecodeError(`a delta from config ${base} back to ${number}`);
  const cause = from.text(1024);
  const author = from.text(1024);
  const atMs = from.u53();
  const shardCount = from.u32();
  if (shardCount > limits.shardCountMax) throw new DecodeError(`a delta for ${shardCount} shards`);
  const delta: ConfigDelta = {
    from: base,
    number,
    cause,
    author,
    atMs,
    shardCount,
    shards: readList(from, shardCount, 12, readShardPatch),
    groups: readList(from, limits.groupsMax, 14, readGroup),
    groupsGone: readList(from, limits.groupsMax, 4, (from) => from.u32()),
    controller: from.bool() ? readGroup(from) : undefined,
    stores: readList(from, limits.storesMax, 16, readStore),
    storesGone: readList(from, limits.storesMax, 2, (from) => utf8Decode(from.bytes16(64))),
    policy: from.bool() ? readPolicy(from) : undefined,
  };
  from.expectEnd();
  return delta;
}
