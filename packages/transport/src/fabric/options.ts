import type { StoreId } from '@flotilla/base';
import type {
  Clock,
  Compressor,
  Hasher,
  LogSink,
  Meter,
  Network,
  Random,
  RareBranches,
  Timers,
} from '@flotilla/ports';
import type { AddressEntry } from '@flotilla/wire';
import type { FabricTuning } from './tuning.ts';

export interface FabricOptions {
  readonly identity: { readonly storeId: StoreId; readonly incarnation: string };
  /** What other stores should dial; may be empty until `setAddress`, which must come before `start`. */
  readonly address: string;
  /** Empty for a blank store. */
  readonly clusterId: string;
  /** Entry formats that this store can apply, lowest and highest. */
  readonly formats: readonly [number, number];
  /** Addresses of stores whose ids are unknown (`--join`). */
  readonly seeds?: readonly string[];
  /** As `onAddressBook` was last given it. */
  readonly addressBook?: readonly AddressEntry[];
  /** Called with the whole book, at most once a turn, after it changed: the owner makes it durable. */
  readonly onAddressBook?: (entries: readonly AddressEntry[]) => void;
  readonly network: Network;
  readonly timers: Timers;
  readonly clock: Clock;
  /** Only for jitter. */
  readonly random: Random;
  readonly hasher: Hasher;
  readonly compressor: Compressor;
  readonly log: LogSink;
  readonly meter?: Meter;
  readonly rare?: RareBranches | undefined;
  readonly tuning?: Partial<FabricTuning>;
  /** Other than this release's own only in tests. */
  readonly protocol?: { readonly min: number; readonly max: number };
}

/** One line of a status page. */
export interface PeerStatus {
  readonly storeId: StoreId;
  readonly address: string | undefined;
  readonly wanted: boolean;
  readonly consensusUp: boolean;
  readonly bulkUp: boolean;
  readonly rttMs: number | undefined;
  readonly clockOffsetMs: number | undefined;
  readonly queuedBytes: number;
}
