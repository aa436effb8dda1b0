import type { Retry } from '@flotilla/base';
import type { ClusterConfig, ClusterPolicy, GroupRecord, ShardRecord, StoreRecord } from '@flotilla/wire';
import { clip, type RefusalCode } from './answer.ts';

const CAUSE_LENGTH_MAX = 300;

/**
 * What a command comes to in a given state. Each kind of command has a file with a pure function that reads
 * the state and returns one of these values; `controller-group.ts` alone writes.
 */

/** What a decision may depend on. */
export interface ControllerView {
  /** Empty before the cluster is founded. */
  readonly clusterId: string;
  readonly config: ClusterConfig;
  /** Highest address version under which a former incarnation of a store was known; undefined if it never was. */
  formerVersion(storeId: string, incarnation: string): number | undefined;
}

export interface Refused {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  readonly message: string;
  readonly retry: Retry;
}

/** The cluster already is as asked. */
export interface Unchanged {
  readonly kind: 'unchanged';
  readonly message: string;
}

export interface Changed {
  readonly kind: 'changed';
  /** Why the new config was made, in words. */
  readonly cause: string;
  readonly message: string;
  readonly shards?: readonly ShardRecord[];
  readonly groups?: readonly GroupRecord[];
  readonly controller?: GroupRecord;
  readonly stores?: readonly StoreRecord[];
  readonly policy?: ClusterPolicy;
  /** Set by the founding. */
  readonly clusterId?: string;
  /** A store as it was known under an incarnation that is replaced now. */
  readonly former?: StoreRecord;
}

/** The config that a change makes of the one before it. */
export function changedConfig(
  config: ClusterConfig,
  change: Changed,
  made: { readonly author: string; readonly atMs: number },
): ClusterConfig {
  return {
    number: config.number + 1,
    cause: clip(change.cause, CAUSE_LENGTH_MAX),
    author: made.author,
    atMs: made.atMs,
    shards: change.shards ?? config.shards,
    groups: change.groups ?? config.groups,
    controller: change.controller ?? config.controller,
    stores: change.stores ?? config.stores,
    policy: change.policy ?? config.policy,
  };
}

export type Decision = Refused | Unchanged | Changed;

export function refused(code: RefusalCode, message: string, retry: Retry = 'never'): Refused {
  return { kind: 'refused', code, message, retry };
}

export function unchanged(message: string): Unchanged {
  return { kind: 'unchanged', message };
}
