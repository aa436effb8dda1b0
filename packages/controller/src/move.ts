import type { ClusterConfig } from '@flotilla/wire';
import { type Decision, refused, unchanged } from './decision.ts';
import { homeOf, sendTo } from './intents.ts';
import { unknownGroups } from './leave.ts';

/**
 * Places one shard by hand. It stays there until the next join or leave, which plan for all shards anew;
 * balancing leaves it alone until then.
 */
export function move(config: ClusterConfig, shard: number, gid: number): Decision {
  const record = config.shards[shard];
  if (record === undefined) {
    const last = config.shards.length - 1;
    return refused('unknown-shard', `shard ${shard} does not exist: the cluster has shards 0 to ${last}`);
  }
  const group = config.groups.find((each) => each.gid === gid);
  if (group === undefined) return unknownGroups(config, [gid]);
  if (group.leaving) {
    return refused(
      'group-leaving',
      `shard ${shard} cannot move to group ${gid}, which is leaving: choose another group, or join it again first`,
    );
  }
  if (homeOf(record) === gid) {
    const where = record.intent === undefined ? `is at group ${gid}` : `is on its way to group ${gid}`;
    return unchanged(`shard ${shard} ${where} already`);
  }
  const sent = { ...sendTo(record, gid, config.number + 1), pinned: true };
  const first = record.intent === undefined ? '' : ` when its open move ${record.intent.moveId} has ended`;
  return {
    kind: 'changed',
    cause: `move shard ${shard} to group ${gid}`,
    message:
      sent.intent?.next === 0
        ? `shard ${shard} moves to group ${gid}; see flotilla moves`
        : `shard ${shard} goes to group ${gid}${first}; see flotilla moves`,
    shards: config.shards.map((each, at) => (at === shard ? sent : each)),
  };
}
