import { type VirtualTime, Writer, Xxh64 } from '@flotilla/base';
import {
  type ClusterConfig,
  defaultPolicy,
  MovePhase,
  type ShardRecord,
  shardOf,
  writeConfig,
} from '@flotilla/wire';
import type { FakeNetwork } from './fake-network.ts';
import { FakeShard } from './fake-shard.ts';
import { FakeStore, type Seen, type SeenRead, type SeenWrite } from './fake-store.ts';

/**
 * A cluster as the client sees it: stores, groups with leaders, shards with owners, records, and session rows
 * that answer repeats. Each frame is kept for the tests, and each store can be scripted frame by frame.
 */

function recordOf({ owner, epoch, move }: FakeShard): ShardRecord {
  const intent =
    move === undefined
      ? undefined
      : { moveId: move.moveId, target: move.target, phase: MovePhase.moving, paused: false, next: 0 };
  return { owner, epoch, intent, pinned: false };
}

export class FakeCluster {
  readonly time: VirtualTime;
  readonly network: FakeNetwork;
  readonly stores: Map<string, FakeStore> = new Map();
  readonly shards: FakeShard[];
  readonly leaders: Map<number, string> = new Map();
  readonly seen: Seen[] = [];
  /** What configs say of a shard in place of the truth. */
  readonly shown: Map<number, ShardRecord> = new Map();
  /** Stores that hold a replica of a group; all of them unless it is named here. */
  readonly places: Map<number, readonly string[]> = new Map();
  /** Groups that were dismantled: no config names them, no store has a replica of them. */
  readonly dismantled: Set<number> = new Set();
  clusterId = 'fleet';
  configNumber = 1;
  sessions = 0;
  readonly hasher: Xxh64 = new Xxh64();

  constructor(
    time: VirtualTime,
    network: FakeNetwork,
    shardCount: number,
    storeIds: readonly string[],
    gids: number[],
  ) {
    this.time = time;
    this.network = network;
    this.shards = Array.from({ length: shardCount }, (_, shard) => {
      const made = new FakeShard();
      made.owner = gids[shard % gids.length] as number;
      return made;
    });
    for (const storeId of storeIds) new FakeStore(this, storeId).start();
    gids.forEach((gid, at) => {
      this.leaders.set(gid, storeIds[at % storeIds.length] as string);
    });
  }

  store(storeId: string): FakeStore {
    return this.stores.get(storeId) as FakeStore;
  }

  storesOf(gid: number): readonly string[] {
    return this.places.get(gid) ?? [...this.stores.keys()];
  }

  shard(number: number): FakeShard {
    return this.shards[number] as FakeShard;
  }

  shardOfKey(key: string): number {
    return shardOf(new TextEncoder().encode(key), this.shards.length, this.hasher);
  }

  /** Some key that lives in the shard. */
  keyIn(shard: number, salt = 'k'): string {
    for (let at = 0; ; at++) if (this.shardOfKey(`${salt}${at}`) === shard) return `${salt}${at}`;
  }

  get writes(): SeenWrite[] {
    return this.seen.filter((seen) => seen.kind === 'write');
  }

  get reads(): SeenRead[] {
    return this.seen.filter((seen) => seen.kind === 'read');
  }

  config(): ClusterConfig {
    const replicasOf = (gid: number) =>
      this.storesOf(gid).map((storeId, at) => ({ raftId: at + 1, storeId, storeIncarnation: 'i' }));
    const gids = [...this.leaders.keys()]
      .filter((gid) => !this.dismantled.has(gid))
      .sort((left, right) => left - right);
    return {
      number: this.configNumber,
      cause: 'test',
      author: 'test',
      atMs: 0,
      shards: this.shards.map((shard, at) => this.shown.get(at) ?? recordOf(shard)),
      groups: gids.map((gid) => ({ gid, incarnation: 1, replicas: replicasOf(gid), leaving: false })),
      controller: { gid: 0, incarnation: 0, replicas: replicasOf(0), leaving: false },
      stores: [...this.stores.values()].map((store) => ({
        storeId: store.id,
        incarnation: 'i',
        address: store.address,
        addressVersion: 1,
        zone: '',
      })),
      policy: defaultPolicy,
    };
  }

  /** What configs say now of this shard stays so, whatever becomes of it. */
  freezeConfigOf(shard: number): void {
    this.shown.set(shard, recordOf(this.shard(shard)));
  }

  /** A new config, pushed to every client. */
  pushConfig(): void {
    this.configNumber++;
    for (const store of this.stores.values()) store.pushConfig();
  }

  configBytes(config: ClusterConfig = this.config()): Uint8Array {
    const out = new Writer();
    writeConfig(out, config);
    return out.finish();
  }
}
