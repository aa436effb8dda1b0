import type { Entry, StoreId } from '@flotilla/base';
import type {
  Clock,
  DiskSpace,
  Hasher,
  Lane,
  LogSink,
  LogStore,
  PeerLinks,
  Random,
  RareBranches,
  StateStore,
  Timers,
} from '@flotilla/ports';
import type { MachineFactory } from './machine.ts';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

/** The world as a host sees it. */
export interface HostPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly logStore: LogStore;
  readonly stateStore: StateStore;
  readonly links: PeerLinks;
  readonly disk: DiskSpace;
  readonly log: LogSink;
  readonly rare?: RareBranches | undefined;
}

export interface HostOptions {
  readonly machines: MachineFactory;
  readonly tuning?: Partial<HostTuning>;
  /** The process must end now: nothing that it promises from here on would be true. */
  readonly onFatal: (reason: string, exitCode: number) => void;
  /** Everything of a turn is done: the moment to send replies. */
  readonly onTurnEnd?: () => void;
  /** Frames between stores that are not the host's. */
  readonly onFrame?: (storeId: StoreId, lane: Lane, kind: number, body: Uint8Array) => void;
  readonly onPeer?: (storeId: StoreId, isUp: boolean) => void;
  readonly onLeadership?: (replica: Replica, leads: boolean) => void;
  readonly onApplied?: (replica: Replica, entry: Entry) => void;
  /** True for errors of a state machine that stop its replica and nothing else. */
  readonly isReplicaFault?: (cause: unknown) => boolean;
}
