import { must, type StoreId } from '@flotilla/base';
import { type ClusterConfig, type GroupRecord, type JoinGroup, limits } from '@flotilla/wire';
import { arrange, arrangedText } from './arrange.ts';
import { type Decision, type Refused, refused, unchanged } from './decision.ts';
import { controllerLimits } from './format.ts';
import { groupWords, listed } from './words.ts';

/**
 * Founds groups and gives each group its share. All groups of one join are founded by one config and are balanced
 * together. Groups that exist on just these stores are left as they are, so that a join may be repeated, alone or as
 * part of a larger one; one that is leaving stays.
 */
export function join(config: ClusterConfig, wanted: readonly JoinGroup[]): Decision {
  const groups = [...wanted].sort((left, right) => left.gid - right.gid);
  const bad = misfit(config, groups);
  if (bad !== undefined) return bad;
  const existing = new Map(config.groups.map((group) => [group.gid, group]));
  const fresh = groups.filter((group) => !existing.has(group.gid));
  const back = groups.filter((group) => existing.get(group.gid)?.leaving === true).map((group) => group.gid);
  if (fresh.length === 0 && back.length === 0) {
    const exist = groups.length === 1 ? 'exists' : 'exist';
    return unchanged(`${groupWords(groups.map((group) => group.gid))} ${exist} on these stores already`);
  }
  if (config.groups.length + fresh.length > limits.groupsMax) {
    return refused(
      'limit-reached',
      `a cluster has at most ${limits.groupsMax} groups: ${config.groups.length} exist, ${fresh.length} would join`,
    );
  }
  const stayed = config.groups.map((group) =>
    back.includes(group.gid) ? { ...group, leaving: false } : group,
  );
  const founded = fresh.map((group) => foundGroup(config, group, config.number + 1));
  const joined = groups.map((group) => group.gid).filter((gid) => existing.get(gid)?.leaving !== false);
  const all = [...stayed, ...founded].sort((left, right) => left.gid - right.gid);
  const shards = arrange({ ...config, groups: all });
  const lines = fresh.map(({ gid, stores }) => `group ${gid} founded on ${listed(stores)}`);
  if (back.length > 0) lines.push(`${groupWords(back)} ${back.length === 1 ? 'stays' : 'stay'} after all`);
  lines.push(...arrangedText(config, { ...config, groups: all, shards }), ...warnings(fresh));
  return {
    kind: 'changed',
    cause: `join ${listed(joined)}`,
    message: lines.join('\n'),
    groups: all,
    shards,
  };
}

/** Every check comes before any change, so that a join is carried out whole or not at all. */
function misfit(config: ClusterConfig, groups: readonly JoinGroup[]): Refused | undefined {
  if (groups.length === 0) return refused('bad-request', 'a join names at least one group and its stores');
  if (groups.length > controllerLimits.groupsPerChange) {
    const most = controllerLimits.groupsPerChange;
    return refused('bad-request', `${groups.length} groups in one join: use several of at most ${most} each`);
  }
  for (const [at, group] of groups.entries()) {
    if (groups[at + 1]?.gid === group.gid) {
      return refused('bad-request', `group ${group.gid} stands twice in one join`);
    }
    const bad = badStores(group) ?? unknownStores(config, group) ?? otherStores(config, group);
    if (bad !== undefined) return bad;
  }
  return undefined;
}

function badStores(group: JoinGroup): Refused | undefined {
  const most = limits.replicasPerGroup;
  if (group.stores.length === 0) {
    return refused('bad-replicas', `group ${group.gid} names no store: name 1 to ${most}, best 3`);
  }
  const doubled = group.stores.find((store, at) => group.stores.indexOf(store) !== at);
  if (doubled !== undefined) {
    return refused(
      'bad-replicas',
      `store ${doubled} is named twice for group ${group.gid}: a store holds one replica of a group`,
    );
  }
  if (group.stores.length > most) {
    return refused(
      'bad-replicas',
      `group ${group.gid} names ${group.stores.length} stores: a group has at most ${most} replicas`,
    );
  }
  return undefined;
}

function unknownStores(config: ClusterConfig, group: JoinGroup): Refused | undefined {
  const known = config.stores.map((store) => store.storeId);
  const unknown = group.stores.filter((store) => !known.includes(store));
  if (unknown.length === 0) return undefined;
  const are = unknown.length === 1 ? `store ${unknown[0]} is` : `stores ${listed(unknown)} are`;
  return refused(
    'unknown-store',
    `${are} not known, so group ${group.gid} cannot run there. Known stores: ${listed(known)}. Check the name, or ` +
      `start the store first: flotilla store --id ${unknown[0]} --listen HOST:PORT --data DIR --join ` +
      `${must(config.stores[0], 'a founded cluster has stores').address}`,
  );
}

function otherStores(config: ClusterConfig, group: JoinGroup): Refused | undefined {
  const existing = config.groups.find((each) => each.gid === group.gid);
  if (existing === undefined) return undefined;
  const stores = existing.replicas.map((replica) => replica.storeId);
  const isSame =
    stores.length === group.stores.length && group.stores.every((store) => stores.includes(store));
  if (isSame) return undefined;
  const wayOut = existing.leaving
    ? 'it is leaving: wait until it is gone, or choose another group id, or join it with the stores that it has'
    : 'choose another group id for a new group, or join it with the stores that it has';
  return refused(
    'group-exists',
    `group ${group.gid} exists on stores ${listed(stores)}, and this join asks for ${listed(group.stores)}: ${wayOut}`,
  );
}

function foundGroup(config: ClusterConfig, group: JoinGroup, number: number): GroupRecord {
  const place = (storeId: StoreId, at: number) => {
    const store = config.stores.find((each) => each.storeId === storeId);
    return {
      raftId: at + 1,
      storeId,
      storeIncarnation: must(store, 'the store was found above').incarnation,
    };
  };
  return { gid: group.gid, incarnation: number, replicas: group.stores.map(place), leaving: false };
}

function warnings(groups: readonly JoinGroup[]): readonly string[] {
  return groups.flatMap(({ gid, stores }) => {
    const found: string[] = [];
    if (stores.length % 2 === 0) {
      found.push(
        `warning: group ${gid} has ${stores.length} replicas: an even number survives no more failures than ` +
          `${stores.length - 1} and makes writes wait for one more`,
      );
    }
    if (stores.length > 5) {
      found.push(`warning: group ${gid} has ${stores.length} replicas: more than 5 make every write slower`);
    }
    return found;
  });
}
