import { type Entry, EntryKind, type GroupName, groupNameText, sameGroup } from '@flotilla/base';
import { ControllerGroup } from '@flotilla/controller';
import { hostTuning, type Replica } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';
import { ENTRY_HEAD_BYTES, EntryBody, type MoveStep } from '@flotilla/wire';
import { CheckFailure } from './checkers/failure.ts';
import { stateOf } from './world/applied-state.ts';
import type { SimStore } from './world/sim-store.ts';
import type { SimWorld } from './world/sim-world.ts';

const NOTHING = new Uint8Array(0);

/**
 * Every entry that any replica applies passes by here: the first replica of its group to come that far shows what
 * the log says, and whoever else believes to lead that group may not stand on a lease and know less.
 */
export class EntryWatch {
  readonly #world: SimWorld;
  readonly #stores: () => readonly SimStore[];
  /** By group, how far its furthest replica is. */
  readonly #furthest = new Map<string, number>();
  /** Hears of each step of a move, wherever it is applied. */
  onStep: (store: SimStore, step: MoveStep, asLeader: boolean) => void = () => {};
  /** Hears of each entry with a step of a move once. */
  onFirst: (group: GroupName, entry: Uint8Array) => void = () => {};

  constructor(world: SimWorld, stores: () => readonly SimStore[]) {
    this.#world = world;
    this.#stores = stores;
  }

  applied(store: SimStore, replica: Replica, entry: Entry): void {
    const data = entry.kind === EntryKind.normal ? entry.data : NOTHING;
    const { machine, group } = replica;
    if (machine instanceof DataGroup) {
      const isFirst = this.#world.moves.applied(group, entry.index, data, stateOf(machine));
      if (data[1] === EntryBody.move) {
        this.onStep(store, stepOf(data), replica.isLeader);
        if (isFirst) this.onFirst(group, data);
      }
    }
    const name = groupNameText(group);
    if (entry.index <= (this.#furthest.get(name) ?? 0)) return;
    this.#furthest.set(name, entry.index);
    if (machine instanceof ControllerGroup) this.#world.configs.decided(machine.config);
    this.#checkLeases(store, replica, entry.index);
  }

  /** A lease lets its holder answer reads without asking anybody: it must know all that anybody has applied. */
  #checkLeases(store: SimStore, replica: Replica, index: number): void {
    for (const other of this.#stores()) {
      const rival = other === store ? undefined : other.node?.host.replica(replica.group.gid);
      if (rival === undefined || !sameGroup(rival.group, replica.group) || !rival.isServing) continue;
      const now = other.clock.monoMs();
      const stamp = rival.lease.quorumStamp(rival.raftId, now, rival.voterSets());
      if (now - stamp >= hostTuning.leaseMs || rival.raft.commitIndex >= index) continue;
      throw new CheckFailure(
        'leases',
        `group ${replica.name}: ${other.id} leads on a lease and knows entries to ${rival.raft.commitIndex}, ` +
          `while ${store.id} has applied entry ${index}`,
      );
    }
  }
}

/** The first byte of an entry's body, which has no refusal bits before it. */
function stepOf(entry: Uint8Array): MoveStep {
  return entry[ENTRY_HEAD_BYTES] as MoveStep;
}
