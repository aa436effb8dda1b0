import { assert } from '@flotilla/base';
import type { Clock, ColdCodec, Hasher, Network, Random, RareBranches, Timers } from '@flotilla/ports';
import { limits } from '@flotilla/wire';

/** Everything the core knows of the world. */
export interface ClientPorts {
  readonly network: Network;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly coldCodec: ColdCodec;
  readonly rare?: RareBranches | undefined;
}

export interface ClientOptions {
  /** Any stores of the cluster, `host:port`; the others are found through the config. */
  readonly endpoints: readonly string[];
  /** Refuse any other cluster; by default the first store that answers decides. */
  readonly clusterId?: string;
  /** One deadline for an operation and all its retries, ms. */
  readonly timeoutMs?: number;
  /** How long the first connection may take, ms. */
  readonly connectTimeoutMs?: number;
  /** A batch is closed once it holds so many bytes; a larger command travels alone. */
  readonly batchBytesMax?: number;
  readonly batchCommandsMax?: number;
  /** Batches of one group on their way at once. */
  readonly batchesInFlightMax?: number;
  /** Commands and reads on their way over one connection. */
  readonly inFlightMax?: number;
  /** Operations that the client holds in all, queued or on their way; one more is refused. */
  readonly operationsMax?: number;
  readonly operationBytesMax?: number;
}

export interface Settings {
  readonly endpoints: readonly string[];
  readonly clusterId: string;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly batchBytesMax: number;
  readonly batchCommandsMax: number;
  readonly batchesInFlightMax: number;
  readonly inFlightMax: number;
  readonly operationsMax: number;
  readonly operationBytesMax: number;
}

/** Entry header, refusal bits and session of a full batch, generously. */
const BATCH_HEAD_BYTES = 1024;

export function settingsOf(options: ClientOptions): Settings {
  const settings: Settings = {
    endpoints: options.endpoints,
    clusterId: options.clusterId ?? '',
    timeoutMs: options.timeoutMs ?? 10_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    batchBytesMax: options.batchBytesMax ?? 1_048_576,
    batchCommandsMax: options.batchCommandsMax ?? limits.batchCommands,
    batchesInFlightMax: options.batchesInFlightMax ?? 8,
    inFlightMax: options.inFlightMax ?? limits.inFlightRequests,
    operationsMax: options.operationsMax ?? 65_536,
    operationBytesMax: options.operationBytesMax ?? 268_435_456,
  };
  assert(settings.endpoints.length > 0, 'a client needs an endpoint');
  assert(settings.batchBytesMax <= limits.batchBytes - BATCH_HEAD_BYTES, 'a batch must fit an entry');
  assert(settings.batchCommandsMax <= limits.batchCommands, 'a batch must fit the limit of commands');
  assert(settings.inFlightMax <= limits.inFlightRequests, 'a connection takes no more requests');
  assert(settings.batchesInFlightMax >= 1 && settings.batchesInFlightMax <= 16, 'between 1 and 16 batches');
  return settings;
}

/** Numbers that no user should have to know, ms unless named otherwise. */
export const tuning = {
  /** A store that does not take a connection within this time is passed over. */
  skip: 200,
  handshake: 3_000,
  /** Silence on a connection with requests on their way: ask, then close. */
  askBusy: 1_000,
  deadBusy: 3_000,
  /** The same on an idle one. */
  askIdle: 5_000,
  deadIdle: 15_000,
  pulse: 500,
  backoffMin: 25,
  backoffMax: 2_000,
  /** Longest pause while a group has no leader. */
  seekMax: 1_000,
  /** A move leaves the old place behind; refusals that teach nothing wait at least this long. */
  staleRoute: 25,
  /** A shard that arrives is asked for as often as its group says, and only later ever more rarely. */
  arrival: 250,
  /** The longest pause of a write to a shard whose writers are slowed down. */
  throttleMax: 500,
  /** Shards that are tried at once at the targets of their moves while a source cannot be reached. */
  detoursMax: 64,
  configAskMin: 25,
  configAskMax: 1_000,
  /** Deadlines are looked at no more often than this. */
  sweepMin: 5,
  /** Commands in a batch that asks whether a store leads. */
  probeCommands: 64,
  /** Retries that need no pause, one after the other. */
  redirectsMax: 3,
  /** A new session is fetched in the background at this age, as a part of its use. */
  renewAt: 0.9,
  /** A window that stays full so long is held by a write that is stuck. */
  stuckWindow: 400,
  /** Reads in one frame, and the bytes that their pages may bring. */
  readsPerFrame: 1024,
  readFramePageBytes: 2_097_152,
} as const;
