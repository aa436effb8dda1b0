import { must } from '@flotilla/base';
import type { ClusterConfig, ShardRecord } from '@flotilla/wire';
import type { DoneMove } from './command.ts';
import { type Decision, refused, unchanged } from './decision.ts';
import { plural, ranges } from './words.ts';

/**
 * The new owner serves. Only the move that is open can be done: a report of an older one, however late, would
 * hand the shard back on the map while another group serves it.
 */
export function done(config: ClusterConfig, moves: readonly DoneMove[]): Decision {
  const beyond = moves.find((move) => move.shard >= config.shards.length);
  if (beyond !== undefined) {
    return refused(
      'bad-request',
      `shard ${beyond.shard} does not exist: the cluster has shards 0 to ${config.shards.length - 1}`,
    );
  }
  const shards: ShardRecord[] = [...config.shards];
  const byMove = new Map<number, number[]>();
  for (const { shard, moveId } of moves) {
    const record = must(shards[shard], 'the shard was found above');
    if (record.intent?.moveId !== moveId) continue;
    shards[shard] = {
      owner: record.intent.target,
      epoch: record.epoch + 1,
      intent: undefined,
      pinned: record.pinned,
    };
    const list = byMove.get(moveId) ?? [];
    list.push(shard);
    byMove.set(moveId, list);
  }
  if (byMove.size === 0) return unchanged('none of these moves is open');
  const parts = [...byMove]
    .sort(([left], [right]) => left - right)
    .map(([moveId, list]) =>
      doneText(
        moveId,
        list.sort((left, right) => left - right),
      ),
    );
  const count = [...byMove.values()].reduce((sum, list) => sum + list.length, 0);
  const cause = parts.length <= 3 ? parts.join('; ') : `${parts.slice(0, 3).join('; ')}; and more`;
  return { kind: 'changed', cause, message: `${plural(count, 'move')} done`, shards };
}

function doneText(moveId: number, shards: readonly number[]): string {
  return `done move ${moveId} of ${shards.length === 1 ? 'shard' : 'shards'} ${ranges(shards)}`;
}
