import type { StoreId } from '@flotilla/base';
import type { HostOptions, HostPorts, HostTuning } from '@flotilla/host';
import type { ColdCodec, Meter } from '@flotilla/ports';
import type { MoveTuning } from './moves/move-tuning.ts';

/** The world as a store sees it. */
export interface StorePorts extends HostPorts {
  readonly codec: ColdCodec;
  readonly meter: Meter;
}

export interface StoreOptions {
  readonly storeId: StoreId;
  /** Made anew for every blank data directory. */
  readonly incarnation: string;
  /** Where others reach this store. */
  readonly address: string;
  /** Higher at every start. */
  readonly addressVersion: number;
  readonly zone: string;
  /** Undefined for a blank store. */
  readonly clusterId: string | undefined;
  /** Found a cluster together with these stores, this one among them. */
  readonly bootstrap: readonly StoreId[] | undefined;
  /** Shards of a cluster that is founded here; fixed for ever. */
  readonly shardCount: number;
  readonly tuning?: Partial<HostTuning>;
  /** Items of one page of a shard that moves away, unless a single item is larger. */
  readonly pieceBytes?: number;
  readonly moveTuning?: Partial<MoveTuning>;
  /** A blank store founded or joined a cluster: make that durable, then call `done`. */
  readonly onClusterId: (clusterId: string, done: () => void) => void;
  /** The process must end now, with this exit code. */
  readonly onFatal: (reason: string, exitCode: number) => void;
  /** For observers such as the simulator: an entry was applied here. */
  readonly onApplied?: HostOptions['onApplied'];
}
