import type { StoreId } from '@flotilla/base';
import type { Host, Replica } from '@flotilla/host';
import type { Hasher, LogSink, Meter, PeerLinks, Random, RareBranches, Timers } from '@flotilla/ports';
import type { AdminReply, ClusterConfig } from '@flotilla/wire';
import type { InternalCommand } from '../admin/changes.ts';
import type { MoveTuning } from './move-tuning.ts';

/** What the drivers of moves need of the store that they belong to. */
export interface MoveWorld {
  readonly storeId: StoreId;
  readonly host: Host;
  readonly links: PeerLinks;
  readonly timers: Timers;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly log: LogSink;
  readonly meter: Meter;
  readonly tuning: MoveTuning;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly config: () => ClusterConfig;
  readonly stampFor: (replica: Replica) => number;
  /** Asks the controller; a failure may mean that nobody knows what became of it. */
  readonly command: (command: InternalCommand, done: (reply: AdminReply) => void) => void;
  readonly rare?: RareBranches | undefined;
}
