import type { ClusterConfig } from '@flotilla/wire';
import { arrange, arrangedText } from './arrange.ts';
import { type Decision, type Refused, refused, unchanged } from './decision.ts';
import { dismantle } from './dismantle.ts';
import { controllerLimits } from './format.ts';
import { groupWords, listed } from './words.ts';

/**
 * Groups that leave give their shards to the others, and end when the last one has gone. All groups of one leave
 * are planned together, so that no shard goes to one that leaves as well.
 */
export function leave(config: ClusterConfig, wanted: readonly number[]): Decision {
  const gids = [...wanted].sort((left, right) => left - right);
  const bad = misfit(config, gids);
  if (bad !== undefined) return bad;
  const leaving = new Set(config.groups.filter((group) => group.leaving).map((group) => group.gid));
  const fresh = gids.filter((gid) => !leaving.has(gid));
  if (fresh.length === 0) {
    return unchanged(
      `${groupWords(gids)} ${gids.length === 1 ? 'is' : 'are'} leaving already; see flotilla moves`,
    );
  }
  const marked = config.groups.map((group) =>
    fresh.includes(group.gid) ? { ...group, leaving: true } : group,
  );
  const owned = config.shards.some((shard) => shard.owner !== 0);
  if (owned && marked.every((group) => group.leaving)) {
    return refused(
      'no-group-left',
      `${groupWords(fresh)} cannot leave: no other group stays that could take the shards. Join another one first: ` +
        'flotilla join GID --stores …',
    );
  }
  const shards = arrange({ ...config, groups: marked });
  const { groups, note } = dismantle(marked, shards);
  const later = groups.filter((group) => fresh.includes(group.gid)).map((group) => group.gid);
  const lines = [
    `${groupWords(fresh)} ${fresh.length === 1 ? 'leaves' : 'leave'}${note}`,
    ...arrangedText(config, { ...config, groups, shards }),
  ];
  if (later.length > 0)
    lines.push(`${groupWords(later)} ${later.length === 1 ? 'goes' : 'go'} with the last shard`);
  return {
    kind: 'changed',
    cause: `leave ${listed(fresh)}${note}`,
    message: lines.join('\n'),
    groups,
    shards,
  };
}

function misfit(config: ClusterConfig, gids: readonly number[]): Refused | undefined {
  if (gids.length === 0) return refused('bad-request', 'a leave names at least one group');
  if (gids.length > controllerLimits.groupsPerChange) {
    const most = controllerLimits.groupsPerChange;
    return refused('bad-request', `${gids.length} groups in one leave: use several of at most ${most} each`);
  }
  const doubled = gids.find((gid, at) => gids[at + 1] === gid);
  if (doubled !== undefined) return refused('bad-request', `group ${doubled} stands twice in one leave`);
  const known = new Set(config.groups.map((group) => group.gid));
  const unknown = gids.filter((gid) => !known.has(gid));
  return unknown.length === 0 ? undefined : unknownGroups(config, unknown);
}

export function unknownGroups(config: ClusterConfig, gids: readonly number[]): Refused {
  const are = gids.length === 1 ? 'does not exist' : 'do not exist';
  const known = listed(config.groups.map((group) => group.gid));
  return refused('unknown-group', `${groupWords(gids)} ${are}. Groups of this cluster: ${known}`);
}
