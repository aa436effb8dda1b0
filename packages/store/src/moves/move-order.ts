import type { GroupRecord } from '@flotilla/wire';
import { type ClusterConfig, MovePhase } from '@flotilla/wire';
import type { MoveName } from './pieces.ts';

/** One open move as the config orders it. */
export interface MoveOrder extends MoveName {
  /** 0: nobody serves the shard yet. */
  readonly source: number;
  readonly target: number;
  /** The epoch that it leads to. */
  readonly epoch: number;
  readonly isPaused: boolean;
  readonly isCancelling: boolean;
}

/** All open moves by (move, shard): the order in which they are taken up. */
export function ordersOf(config: ClusterConfig): readonly MoveOrder[] {
  const orders: MoveOrder[] = [];
  for (const [shard, { owner, epoch, intent }] of config.shards.entries()) {
    if (intent === undefined) continue;
    orders.push({
      moveId: intent.moveId,
      shard,
      source: owner,
      target: intent.target,
      epoch: epoch + 1,
      isPaused: intent.paused,
      isCancelling: intent.phase === MovePhase.cancelling,
    });
  }
  return orders.sort((left, right) => left.moveId - right.moveId || left.shard - right.shard);
}

export function groupOf(config: ClusterConfig, gid: number): GroupRecord | undefined {
  return config.groups.find((group) => group.gid === gid);
}

/** Names a move of a shard in maps of this store. */
export function moveKey({ moveId, shard }: MoveName): string {
  return `${moveId}/${shard}`;
}
