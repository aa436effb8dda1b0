import {
  DecodeError,
  type RaftId,
  Reader,
  type StoreId,
  utf8Decode,
  utf8Encode,
  type Writer,
} from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * The versioned map of the cluster. Every change makes a new number; clients and stores keep the newest they
 * have seen. Shards travel in columns, so that 4,096 of them fit a page of a few tens of KiB.
 */

export const MovePhase = { moving: 0, cancelling: 1 } as const;
export type MovePhase = (typeof MovePhase)[keyof typeof MovePhase];

/** An open intent to bring a shard to `target`; its source is the shard's owner, or nobody (owner 0). */
export interface MoveIntent {
  /** Number of the config that ordered the move. */
  readonly moveId: number;
  readonly target: number;
  readonly phase: MovePhase;
  readonly paused: boolean;
  /** Where the shard goes when this move has ended, either way; 0: it stays where it then is. */
  readonly next: number;
}

export interface ShardRecord {
  /** gid that serves the shard; 0 while nobody does. */
  readonly owner: number;
  /** Raised by one at each change of owner; 0 before the first. */
  readonly epoch: number;
  readonly intent: MoveIntent | undefined;
  /** Placed by hand: balancing leaves it alone until the next join or leave. */
  readonly pinned: boolean;
}

/** How the cluster treats its moves. */
export interface ClusterPolicy {
  /** Balance by load without being asked. */
  readonly auto: boolean;
  /** What the moves into one store may copy per second together; 0: no limit. */
  readonly moveBytesPerSecond: number;
  /** Moves into one store at a time. */
  readonly movesPerStore: number;
}

export const defaultPolicy: ClusterPolicy = {
  auto: false,
  moveBytesPerSecond: 4_194_304,
  movesPerStore: 2,
};

export interface ReplicaPlace {
  readonly raftId: RaftId;
  readonly storeId: StoreId;
  readonly storeIncarnation: string;
}

export interface GroupRecord {
  readonly gid: number;
  /** Number of the config that founded the group. */
  readonly incarnation: number;
  /** Ascending raft ids. */
  readonly replicas: readonly ReplicaPlace[];
  readonly leaving: boolean;
}

export interface StoreRecord {
  readonly storeId: StoreId;
  readonly incarnation: string;
  readonly address: string;
  /** Version of the address as in the address book. */
  readonly addressVersion: number;
  readonly zone: string;
}

export interface ClusterConfig {
  readonly number: number;
  /** What made this config, in words: `join 3`, `done move 17 of shard 4`. */
  readonly cause: string;
  /** Who asked for it. */
  readonly author: string;
  /** Log time of the controller group, ms since 1970. */
  readonly atMs: number;
  /** Indexed by shard. */
  readonly shards: readonly ShardRecord[];
  /** Ascending gid; the controller group is not among them. */
  readonly groups: readonly GroupRecord[];
  /** Where the controller group runs. */
  readonly controller: GroupRecord;
  /** Ascending store id. */
  readonly stores: readonly StoreRecord[];
  readonly policy: ClusterPolicy;
}

const CONFIG_FORMAT = 2;

export function writeIntent(out: Writer, intent: MoveIntent): void {
  out.u53(intent.moveId);
  out.u32(intent.target);
  out.u8(intent.phase);
  out.bool(intent.paused);
  out.u32(intent.next);
}

export function readIntent(from: Reader): MoveIntent {
  const moveId = from.u53();
  const target = from.u32();
  const phase = from.u8();
  if (phase !== MovePhase.moving && phase !== MovePhase.cancelling)
    throw new DecodeError(`move phase ${phase}`);
  return { moveId, target, phase, paused: from.bool(), next: from.u32() };
}

export function writePolicy(out: Writer, policy: ClusterPolicy): void {
  out.bool(policy.auto);
  out.u53(policy.moveBytesPerSecond);
  out.u16(policy.movesPerStore);
}

export function readPolicy(from: Reader): ClusterPolicy {
  return { auto: from.bool(), moveBytesPerSecond: from.u53(), movesPerStore: from.u16() };
}

export function writeReplicas(out: Writer, replicas: readonly ReplicaPlace[]): void {
  out.u8(replicas.length);
  for (const replica of replicas) {
    out.u53(replica.raftId);
    out.bytes16(utf8Encode(replica.storeId));
    out.bytes16(utf8Encode(replica.storeIncarnation));
  }
}

export function readReplicas(from: Reader): ReplicaPlace[] {
  const count = from.u8();
  if (count > 4 * limits.replicasPerGroup) throw new DecodeError(`${count} replicas in one group`);
  const replicas: ReplicaPlace[] = [];
  for (let at = 0; at < count; at++) {
    replicas.push({
      raftId: from.u53(),
      storeId: utf8Decode(from.bytes16(64)),
      storeIncarnation: utf8Decode(from.bytes16(64)),
    });
  }
  return replicas;
}

export function writeGroup(out: Writer, group: GroupRecord): void {
  out.u32(group.gid);
  out.u53(group.incarnation);
  writeReplicas(out, group.replicas);
  out.bool(group.leaving);
}

export function readGroup(from: Reader): GroupRecord {
  return {
    gid: from.u32(),
    incarnation: from.u53(),
    replicas: readReplicas(from),
    leaving: from.bool(),
  };
}

export function writeStore(out: Writer, store: StoreRecord): void {
  out.bytes16(utf8Encode(store.storeId));
  out.bytes16(utf8Encode(store.incarnation));
  out.bytes16(utf8Encode(store.address));
  out.u53(store.addressVersion);
  out.bytes16(utf8Encode(store.zone));
}

export function readStore(from: Reader): StoreRecord {
  return {
    storeId: utf8Decode(from.bytes16(64)),
    incarnation: utf8Decode(from.bytes16(64)),
    address: utf8Decode(from.bytes16(limits.addressBytes)),
    addressVersion: from.u53(),
    zone: utf8Decode(from.bytes16(256)),
  };
}

export function writeConfig(out: Writer, config: ClusterConfig): void {
  out.u8(CONFIG_FORMAT);
  out.u53(config.number);
  out.text(config.cause);
  out.text(config.author);
  out.u53(config.atMs);
  out.u32(config.shards.length);
  for (const shard of config.shards) out.u32(shard.owner);
  for (const shard of config.shards) out.u32(shard.epoch);
  const moving = config.shards.filter((shard) => shard.intent !== undefined).length;
  out.u32(moving);
  config.shards.forEach((shard, number) => {
    const intent = shard.intent;
    if (intent === undefined) return;
    out.u16(number);
    writeIntent(out, intent);
  });
  const pinned = config.shards.flatMap((shard, number) => (shard.pinned ? [number] : []));
  out.u32(pinned.length);
  for (const number of pinned) out.u16(number);
  out.u32(config.groups.length);
  for (const group of config.groups) writeGroup(out, group);
  writeGroup(out, config.controller);
  out.u32(config.stores.length);
  for (const store of config.stores) writeStore(out, store);
  writePolicy(out, config.policy);
}

export function readConfig(bytes: Uint8Array): ClusterConfig {
  const from = new Reader(bytes);
  const format = from.u8();
  if (format !== CONFIG_FORMAT)
    throw new DecodeError(`config format ${format} is not known here`, { format });
  const number = from.u53();
  const cause = from.text(1024);
  const author = from.text(1024);
  const atMs = from.u53();
  const shardCount = from.count(limits.shardCountMax, 8);
  const owners: number[] = [];
  for (let shard = 0; shard < shardCount; shard++) owners.push(from.u32());
  const epochs: number[] = [];
  for (let shard = 0; shard < shardCount; shard++) epochs.push(from.u32());
  const intents = new Map<number, MoveIntent>();
  const moving = from.count(shardCount, 20);
  for (let at = 0; at < moving; at++) {
    const shard = from.u16();
    intents.set(shard, readIntent(from));
  }
  const pinned = new Set<number>();
  const pins = from.count(shardCount, 2);
  for (let at = 0; at < pins; at++) pinned.add(from.u16());
  const shards = owners.map((owner, shard) => ({
    owner,
    epoch: epochs[shard] as number,
    intent: intents.get(shard),
    pinned: pinned.has(shard),
  }));
  const groups: GroupRecord[] = [];
  const groupCount = from.count(limits.groupsMax, 14);
  for (let at = 0; at < groupCount; at++) groups.push(readGroup(from));
  const controller = readGroup(from);
  const stores: StoreRecord[] = [];
  const storeCount = from.count(limits.storesMax, 16);
  for (let at = 0; at < storeCount; at++) {
    stores.push(readStore(from));
  }
  const policy = readPolicy(from);
  from.expectEnd();
  return { number, cause, author, atMs, shards, groups, controller, stores, policy };
}
