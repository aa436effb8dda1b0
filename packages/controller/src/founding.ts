import { CONTROLLER_GID } from '@flotilla/base';
import type { GroupRecord, ReplicaPlace, ShardRecord } from '@flotilla/wire';
import type { FoundCommand } from './command.ts';
import { type ControllerView, type Decision, refused, unchanged } from './decision.ts';
import { listed } from './words.ts';

/**
 * The first entry of group 0 gives the cluster its id and its number of shards, both for ever. Several members
 * may propose it, each after it became leader, so the same founding again is a success.
 */
export function found(view: ControllerView, command: FoundCommand): Decision {
  if (view.config.number > 0) {
    if (isSameFounding(view, command)) return unchanged(`cluster ${view.clusterId} is founded`);
    return refused(
      'other-cluster',
      `this controller group belongs to cluster ${view.clusterId} with ${view.config.shards.length} shards, ` +
        `so it cannot found cluster ${command.clusterId} with ${command.shardCount}`,
    );
  }
  const bad = misfit(command);
  if (bad !== undefined) return refused('bad-replicas', bad);
  const stores = [...command.stores].sort((left, right) => (left.storeId < right.storeId ? -1 : 1));
  const blank: ShardRecord = { owner: 0, epoch: 0, intent: undefined, pinned: false };
  return {
    kind: 'changed',
    cause: `found cluster ${command.clusterId}`,
    message: `cluster ${command.clusterId} founded with ${command.shardCount} shards`,
    clusterId: command.clusterId,
    shards: new Array<ShardRecord>(command.shardCount).fill(blank),
    controller: controllerGroup(command.replicas),
    stores,
  };
}

export function controllerGroup(replicas: readonly ReplicaPlace[]): GroupRecord {
  return { gid: CONTROLLER_GID, incarnation: 0, replicas, leaving: false };
}

/** The founding as it was; where the controller runs and who is known may have changed since. */
function isSameFounding(view: ControllerView, command: FoundCommand): boolean {
  if (command.clusterId !== view.clusterId) return false;
  return command.shardCount === view.config.shards.length;
}

/** Why the members or stores of a founding do not fit together. */
function misfit(command: FoundCommand): string | undefined {
  if (command.replicas.length === 0) return 'a controller group needs at least one replica';
  const stores = new Map(command.stores.map((store) => [store.storeId, store]));
  if (stores.size !== command.stores.length) return 'a founding names each store once';
  const placed = new Set<string>();
  let raftId = 0;
  for (const replica of command.replicas) {
    if (replica.raftId <= raftId) return 'the raft ids of the controller group must ascend';
    raftId = replica.raftId;
    if (placed.has(replica.storeId))
      return `store ${replica.storeId} has two replicas of the controller group`;
    placed.add(replica.storeId);
    if (stores.get(replica.storeId)?.incarnation !== replica.storeIncarnation) {
      const known = listed(command.stores.map((store) => `${store.storeId} (${store.incarnation})`));
      return `store ${replica.storeId} (${replica.storeIncarnation}) is not among the stores of the founding: ${known}`;
    }
  }
  return undefined;
}
