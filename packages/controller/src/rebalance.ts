import { must } from '@flotilla/base';
import type { ClusterConfig } from '@flotilla/wire';
import { arrangedText } from './arrange.ts';
import { type Decision, refused, unchanged } from './decision.ts';
import { homeOf, sendAll } from './intents.ts';
import { levelLoads } from './load-planner.ts';
import { decodeLoads, loadOf } from './loads.ts';
import { type PlannedMove, plan, planInput } from './planner.ts';

/**
 * Balances without a change of groups: first the numbers of shards, then, where groups differ much, the load. What
 * was placed by hand stays where it is. Loads may be missing as a whole; then numbers alone count.
 */
export function rebalance(config: ClusterConfig, column: Uint8Array): Decision {
  const loads = decodeLoads(column).map(loadOf);
  if (loads.length > 0 && loads.length !== config.shards.length) {
    return refused(
      'bad-request',
      `loads of ${loads.length} shards do not fit a cluster of ${config.shards.length}: ask again`,
    );
  }
  const input = planInput(config);
  if (input.groups.length === 0) return unchanged('there is no group that could hold shards');
  const moves = new Map(plan(input).map((move) => [move.shard, move]));
  if (loads.length > 0) {
    const homes = input.shards.map((shard, number) => moves.get(number)?.to ?? shard.home);
    const mayMove = input.shards.map((shard) => !shard.isPinned && !shard.isMoving);
    for (const [shard, to] of levelLoads({ homes, loads, mayMove, groups: input.groups })) {
      moves.set(shard, { shard, from: must(input.shards[shard], 'a levelled shard exists').owner, to });
    }
  }
  const changes: PlannedMove[] = [...moves.values()].filter(
    ({ shard, to }) => homeOf(must(config.shards[shard], 'a planned shard exists')) !== to,
  );
  if (changes.length === 0) return unchanged('the groups are balanced: nothing moves');
  const shards = sendAll(config.shards, changes, config.number + 1);
  const lines = arrangedText(config, { ...config, shards });
  return { kind: 'changed', cause: 'rebalance', message: lines.join('\n'), shards };
}
