export type { Outcome, Retry } from '@flotilla/base';
export { FlotillaError } from '@flotilla/base';
export type {
  ChangeResult,
  ClusterConfig,
  ClusterPolicy,
  ConfigSummary,
  GroupStatus,
  MovePlan,
  MoveProgress,
  MoveState,
  MoveStatus,
  PlannedShard,
  ReplicaStatus,
  StatusProblem,
  StoreStatus,
} from '@flotilla/wire';
export {
  Admin,
  type ClusterStatus,
  type ConfigPage,
  type KeyPlace,
  type MoveName,
  type MovesOptions,
  type PlanOptions,
} from './admin.ts';
export { type ConnectOptions, connect, connectOver, parseEndpoints } from './connect.ts';
export type { ClientPorts } from './core/index.ts';
export { Db, type DeletedRange, type ScanRange, type WriteOptions } from './db.ts';
export {
  AbortedError,
  ClosedError,
  ClusterMismatchError,
  ConflictError,
  DeadlineError,
  type Expectation,
  InvalidArgumentError,
  NotANumberError,
  OverflowError,
  OverloadedError,
  ProtocolError,
  RefusedError,
  SessionExpiredError,
  UnavailableError,
  ValueTooLargeError,
} from './errors.ts';
export type { CallOptions, IncrementResult, ReadName, ReadOptions, WriteResult } from './promised.ts';
export { type Bytes, KeyRecord, type RangeOptions } from './values.ts';
