import type { DiskSpace, RareBranches } from '@flotilla/ports';
import type { Proposal, Refusal } from './machine.ts';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

function overloaded(what: string, retryAfterMs: number): Refusal {
  return { kind: 'overloaded', what, retryAfterMs };
}

/** Why a proposal cannot be taken now; overload is refused early, before it costs anything. */
export function refusalOf(
  replica: Replica,
  proposal: Pick<Proposal, 'data' | 'spares'>,
  store: {
    readonly disk: DiskSpace;
    readonly budgetBytes: number;
    readonly tuning: HostTuning;
    readonly rare?: RareBranches;
  },
): Refusal | undefined {
  const { disk, budgetBytes, tuning } = store;
  const { gid } = replica.group;
  const bytes = proposal.data.length;
  if (replica.broken !== undefined || !replica.isLeader) return { kind: 'not-leader' };
  if (disk.freeBytes() < tuning.diskFullBytes && !proposal.spares()) {
    return overloaded('the disk of the leader is full: delete something, or give it room', 1000);
  }
  const isFull = store.rare?.take('proposal-refused') === true;
  if (isFull || replica.waitingBytes + bytes > tuning.groupUncommittedBytesMax) {
    return overloaded(`group ${gid} has too many uncommitted bytes`, 50);
  }
  if (budgetBytes + bytes > tuning.storeUncommittedBytesMax) {
    return overloaded('the leader has too many uncommitted bytes', 50);
  }
  if (replica.raft.commitIndex - replica.applied.index > tuning.applyLagMax) {
    return overloaded(`group ${gid} applies too slowly`, 50);
  }
  return undefined;
}
