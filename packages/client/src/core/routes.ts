import { applyConfigDelta, type ClusterConfig, readConfig, readConfigDelta } from '@flotilla/wire';
import type { Operation } from './operation.ts';

/**
 * What the client believes about where shards live: the newest config, and over it what stores said while
 * they refused. A config may be older than such a refusal, therefore it never lowers a shard's epoch.
 */
export class Routes {
  config: ClusterConfig | undefined;
  /** Owner gid of each shard; 0 while nobody owns it. */
  owner: Uint32Array = new Uint32Array(0);
  epoch: Uint32Array = new Uint32Array(0);
  /** Raised with everything that is learned: what waits in a place may belong elsewhere since. */
  version = 0;

  get shardCount(): number {
    return this.owner.length;
  }

  /** Takes an encoded config; true if it was newer. Throws `DecodeError` for bytes that are none. */
  takeBytes(bytes: Uint8Array): boolean {
    return this.take(readConfig(bytes));
  }

  /** Takes what changed since the config held; `gap` if it starts from another one that is not older. */
  takeDelta(bytes: Uint8Array): 'taken' | 'old' | 'gap' {
    const delta = readConfigDelta(bytes);
    if (this.config === undefined) return 'gap';
    if (delta.number <= this.config.number) return 'old';
    const config = applyConfigDelta(this.config, delta);
    return config !== undefined && this.take(config) ? 'taken' : 'gap';
  }

  take(config: ClusterConfig): boolean {
    if (this.config !== undefined && config.number <= this.config.number) return false;
    if (this.owner.length !== config.shards.length) {
      this.owner = new Uint32Array(config.shards.length);
      this.epoch = new Uint32Array(config.shards.length);
    }
    this.config = config;
    this.version++;
    for (let shard = 0; shard < config.shards.length; shard++) {
      const record = config.shards[shard] as ClusterConfig['shards'][number];
      if (record.epoch < (this.epoch[shard] as number)) continue;
      this.owner[shard] = record.owner;
      this.epoch[shard] = record.epoch;
    }
    return true;
  }

  /** Takes the owner that a store named in a refusal; true if that was news. */
  patch(shard: number, gid: number, epoch: number): boolean {
    if (gid === 0 || shard >= this.owner.length || epoch <= (this.epoch[shard] as number)) return false;
    this.owner[shard] = gid;
    this.epoch[shard] = epoch;
    this.version++;
    return true;
  }

  /** Which group an operation goes to. A detour is over as soon as anything is learned of its shard. */
  gidFor(operation: Operation): number {
    const { detour, shard } = operation;
    if (detour !== undefined) {
      if (this.epoch[shard] === detour.epoch - 1) return detour.gid;
      operation.detour = undefined;
    }
    return this.owner[shard] as number;
  }

  /** The epoch under which it asks there. */
  epochFor(operation: Operation): number {
    return operation.detour?.epoch ?? (this.epoch[operation.shard] as number);
  }
}
