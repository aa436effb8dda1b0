import { assert, must } from '@flotilla/base';
import { type ClusterConfig, MovePhase, type ShardRecord } from '@flotilla/wire';
import type { PlannedMove } from './planner.ts';

/**
 * The intents of shards. A shard has at most one, and it stays until its source or its target has said how it
 * ended: whoever wants the shard elsewhere meanwhile asks for its end and writes down where the shard goes on to.
 *
 * The home of a shard is the group that will hold it in the end. No report of a store changes it, whether a
 * cancelled move ended as cancelled or was past it, but for one case: a move that was cancelled by hand, too late.
 */

/** gid that holds the shard when all that is open has ended as it should; 0 for none. */
export function homeOf({ owner, intent }: ShardRecord): number {
  if (intent === undefined) return owner;
  if (intent.next !== 0) return intent.next;
  return intent.phase === MovePhase.moving ? intent.target : owner;
}

/**
 * The shard on its way to a new home, `number` being that of the config that is made. A new goal that is the
 * owner is written down like any other: if the cancelled move turns out to be past cancelling, the shard comes
 * back. `gid` 0: it has nowhere to go, and stays wherever its open move leaves it.
 */
export function sendTo(record: ShardRecord, gid: number, number: number): ShardRecord {
  const { owner, intent } = record;
  if (intent === undefined) {
    if (gid === owner) return record;
    assert(gid !== 0, 'a shard at rest is sent somewhere');
    const opened = { moveId: number, target: gid, phase: MovePhase.moving, paused: false, next: 0 };
    return { ...record, intent: opened };
  }
  if (intent.phase === MovePhase.moving) {
    if (gid === intent.target) return { ...record, intent: { ...intent, next: 0 } };
    // With somewhere to go on to, the move is known to be past cancelling: it ends, and the shard goes on.
    if (intent.next !== 0) return { ...record, intent: { ...intent, next: gid } };
  }
  return { ...record, intent: { ...intent, phase: MovePhase.cancelling, next: gid } };
}

/** The map after planned moves. */
export function sendAll(
  shards: readonly ShardRecord[],
  moves: readonly PlannedMove[],
  number: number,
): readonly ShardRecord[] {
  const sent = [...shards];
  for (const { shard, to } of moves) {
    sent[shard] = sendTo(must(sent[shard], 'a planned shard exists'), to, number);
  }
  return sent;
}

/**
 * What has to be copied, or founded, because of what happened from one config to a later one: the shards that
 * have a new home which is not their owner. Of `after`, the owner counts; 0 while nobody serves the shard.
 */
export function movesBetween(before: ClusterConfig, after: ClusterConfig): readonly PlannedMove[] {
  const moves: PlannedMove[] = [];
  for (const [shard, record] of after.shards.entries()) {
    const former = before.shards[shard];
    if (former === record) continue;
    const to = homeOf(record);
    const from = record.owner;
    if (to !== from && to !== 0 && (former === undefined || to !== homeOf(former))) {
      moves.push({ shard, from, to });
    }
  }
  return moves;
}
