import type { ConfState, Entry, RaftId } from '@flotilla/base';
import type { Role } from '@flotilla/raft';
import type { Replica } from './replica.ts';

/** What the checks look at in a node. */
export interface Facts {
  readonly id: RaftId;
  readonly role: Role;
  readonly term: number;
  readonly vote: RaftId;
  readonly leaderId: RaftId;
  readonly diskTerm: number;
  readonly diskVote: RaftId;
  readonly committed: number;
  /** The log as the core sees it, and as the disk holds it. */
  readonly log: readonly Entry[];
  readonly disk: readonly Entry[];
  /** Configuration that the core goes by, and the one of what is applied. */
  readonly conf: ConfState;
  readonly applied: ConfState;
  readonly appliedIndex: number;
  /** What a leader knows each node to have, by id. */
  readonly matches: readonly number[];
  readonly writes: number;
  readonly applies: number;
}

export function factsOf(replica: Replica): Facts {
  const { core, disk } = replica;
  return {
    id: replica.id,
    role: core.role,
    term: core.term,
    vote: core.vote,
    leaderId: core.leaderId,
    diskTerm: disk.term,
    diskVote: disk.vote,
    committed: core.log.$committed,
    log: replica.log(),
    disk: disk.entries.slice(),
    conf: core.tracker.conf,
    applied: disk.conf,
    appliedIndex: core.log.$applied,
    matches: [1, 2, 3].map((id) => matchOf(replica, id)),
    writes: replica.writes.length,
    applies: replica.applies.length,
  };
}

function matchOf({ core }: Replica, id: RaftId): number {
  if (core.role !== 'leader') return 0;
  return core.tracker.members.find((progress) => progress.id === id)?.match ?? 0;
}
