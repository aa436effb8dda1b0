import type { ConfState, Entry, GroupName, HardState, RaftId } from '@flotilla/base';

/**
 * Durable Raft logs of all groups of one store. One commit per turn carries the writes of many groups;
 * commits become durable whole and in call order.
 */

/** What a store knows about one of its replicas before it reads any state. */
export interface ReplicaRecord {
  readonly group: GroupName;
  readonly raftId: RaftId;
  /** Names the key range of the state store that holds this replica's state; raised by snapshot installs. */
  readonly generation: number;
  /** The log begins after this position; its state is contained in the generation pointed at. */
  readonly start: { readonly index: number; readonly term: number; readonly confState: ConfState };
  /** A removed replica stays as a tombstone: its raft id must never run here again. */
  readonly removed: boolean;
}

export interface LogWrite {
  readonly group: GroupName;
  /** Creates the replica, installs a snapshot, or marks it as removed. With it the log before is dropped. */
  readonly replica?: ReplicaRecord;
  readonly hardState?: HardState;
  /** Ascending without gaps. Whatever the log held from `entries[0].index` on is replaced. */
  readonly entries?: readonly Entry[];
  /** Entries up to and including this index are dropped; becomes `start.index`. */
  readonly compactTo?: number;
}

export interface LogStore {
  /** All replicas found at open, tombstones included. */
  replicas(): readonly ReplicaRecord[];
  /**
   * Groups whose record, hard state or log was found damaged: every read of them throws `CorruptionError`, and
   * they take no write but one that replaces the whole replica. One without a readable record is only here.
   */
  damaged(): readonly GroupName[];
  /** Undefined for a replica without one. */
  hardState(group: GroupName): HardState | undefined;
  /** First index present is `start.index + 1`; an empty log has `last = first - 1`. Includes pending commits. */
  span(group: GroupName): { readonly first: number; readonly last: number };
  /** Term of a present entry or of `start`; undefined outside. Throws `CorruptionError`. */
  term(group: GroupName, index: number): number | undefined;
  /**
   * Entries of [lo, hi), cut after `bytesMax` but at least one. The range must be present. Throws
   * `CorruptionError` for entries whose checksum does not fit.
   */
  entries(group: GroupName, lo: number, hi: number, bytesMax: number): readonly Entry[];
  /**
   * Applies all writes as one atomic, durable transaction. `done` comes after they are durable, or with the
   * failure: then the process must stop (rule L5). Reads see the writes at once.
   */
  commit(writes: readonly LogWrite[], done: (failure: Error | undefined) => void): void;
  /** Bytes of entries held for the group, for compaction decisions. */
  bytes(group: GroupName): number;
}
