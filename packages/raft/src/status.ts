import type { ConfState, RaftId } from '@flotilla/base';
import type { Core } from './core.ts';
import { type ProgressView, type Role, viewProgress } from './describe.ts';

/** A picture of one node, for people and for the host's decisions. Made on demand; costs allocations. */
export interface Status {
  readonly id: RaftId;
  readonly role: Role;
  readonly term: number;
  readonly vote: RaftId;
  readonly leaderId: RaftId;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly confState: ConfState;
  /** Member to which leadership is being handed; 0 if none. */
  readonly transferee: RaftId;
  readonly pendingConfIndex: number;
  readonly uncommittedBytes: number;
  /** Reads that wait for a confirmation or for the first commit of the term. */
  readonly readsWaiting: number;
  /** What the leader knows of each member, itself included, ascending by id. Empty on other nodes. */
  readonly progress: ReadonlyMap<RaftId, ProgressView>;
}

export function statusOf(core: Core): Status {
  const progress = new Map<RaftId, ProgressView>();
  if (core.role === 'leader') {
    for (const member of core.tracker.members) progress.set(member.id, viewProgress(member));
  }
  return {
    id: core.id,
    role: core.role,
    term: core.term,
    vote: core.vote,
    leaderId: core.leaderId,
    firstIndex: core.log.firstIndex,
    lastIndex: core.log.lastIndex,
    commitIndex: core.log.committed,
    appliedIndex: core.log.applied,
    confState: core.tracker.conf,
    transferee: core.transferee,
    pendingConfIndex: core.pendingConfIndex,
    uncommittedBytes: core.uncommittedBytes,
    readsWaiting: core.reads.count + core.waitingReads.length,
    progress,
  };
}
