import { type GroupName, groupNameText } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { GroupWatch } from './group-watch.ts';
import { ReplicaWatch } from './replica-watch.ts';

/**
 * All groups and replicas under watch. Whoever observes a store tells it here what the store writes, makes
 * durable, sends and applies; the first event that no correct Raft can produce throws a `CheckFailure`.
 */
export class ConsensusChecker {
  readonly #hasher: Hasher;
  readonly #groups = new Map<string, GroupWatch>();

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  group(name: GroupName): GroupWatch {
    const text = groupNameText(name);
    let group = this.#groups.get(text);
    if (group === undefined) {
      group = new GroupWatch(name, this.#hasher);
      this.#groups.set(text, group);
    }
    return group;
  }

  /** The replica of that raft id, which lives on one store for ever. */
  replica(store: string, name: GroupName, raftId: number): ReplicaWatch {
    const group = this.group(name);
    let replica = group.replicas.get(raftId);
    if (replica === undefined) {
      replica = new ReplicaWatch(group, store, raftId);
      group.replicas.set(raftId, replica);
    }
    if (replica.store !== store) {
      group.fail('replica identity', `raft id ${raftId} lives on ${replica.store} and on ${store}`);
    }
    return replica;
  }

  /** All replicas that were ever seen on that store. */
  replicasOn(store: string): readonly ReplicaWatch[] {
    return this.groups().flatMap((group) =>
      [...group.replicas.values()].filter((each) => each.store === store),
    );
  }

  groups(): readonly GroupWatch[] {
    return [...this.#groups.values()];
  }
}
