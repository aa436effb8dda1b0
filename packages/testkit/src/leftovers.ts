import { groupNameText, sameGroup } from '@flotilla/base';
import { DataGroup, readShardNames, ShardState } from '@flotilla/kv';
import type { ClusterConfig } from '@flotilla/wire';
import type { SimStore } from './world/sim-store.ts';
import { copyOf, isHostRecord, recordedShardOf, replicaOf, shardOf } from './world/state-keys.ts';

/**
 * What a store has of groups and shards that it should not have when all moves have ended: in words, one
 * sentence each; empty when there is nothing.
 */
export function findLeftovers(store: SimStore, config: ClusterConfig): string {
  return [...shardLeftovers(store, config), ...storedLeftovers(store, config)]
    .map((what) => `${store.id}: ${what}. `)
    .join('');
}

/** Whoever owns a shard serves it at its epoch, and of all other shards a group has a fence at most. */
function* shardLeftovers({ node, losses }: SimStore, config: ClusterConfig): Generator<string> {
  for (const { machine, group } of node?.host.replicas() ?? []) {
    if (!(machine instanceof DataGroup) || losses.hasLost(groupNameText(group))) continue;
    for (const [number, { owner, epoch }] of config.shards.entries()) {
      const shard = machine.shard(number);
      const where = `group ${groupNameText(group)}, shard ${number}`;
      if (owner === group.gid) {
        if (shard?.state !== ShardState.serving) yield `${where} is not served`;
        else if (shard.epoch !== epoch) yield `${where} is served at epoch ${shard.epoch}, not ${epoch}`;
      } else if ((shard?.state ?? ShardState.absent) !== ShardState.absent) {
        yield `${where} is still in state ${shard?.state}`;
      }
      if (shard?.openExport !== undefined) yield `${where} has an export of move ${shard.openExport.moveId}`;
    }
  }
}

/** Keys of replicas that are gone, and of copies that no shard record names. */
function* storedLeftovers({ state, node, losses }: SimStore, config: ClusterConfig): Generator<string> {
  const stored = new Map<string, number>();
  const named = new Set<string>();
  state.scan(new Uint8Array(0), undefined, (key, value) => {
    const replica = replicaOf(key);
    if (replica === undefined) return true;
    const { group, generation } = replica;
    if (losses.hasLost(groupNameText(group))) return true;
    const name = `group ${groupNameText(group)}`;
    const isConfigured = [config.controller, ...config.groups].some((each) => sameGroup(each, group));
    if (!isConfigured || node?.host.replica(group.gid)?.generation !== generation) {
      count(stored, `generation ${generation} of ${name}`);
      return true;
    }
    if (group.gid === 0 || isHostRecord(key)) return true;
    const shard = shardOf(group.gid, key);
    if (shard !== undefined) {
      count(stored, `copy ${copyOf(key)} of shard ${shard} in ${name}`);
      return true;
    }
    const recorded = recordedShardOf(key);
    const copies = recorded === undefined ? [] : readShardNames(value).copies;
    for (const copy of copies) named.add(`copy ${copy} of shard ${recorded} in ${name}`);
    return true;
  });
  for (const [what, keys] of stored) if (!named.has(what)) yield `${keys} keys are left of ${what}`;
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
