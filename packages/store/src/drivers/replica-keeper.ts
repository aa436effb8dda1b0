import { assert, type GroupName, groupNameText, type StoreId } from '@flotilla/base';
import type { Host } from '@flotilla/host';
import type { LogSink } from '@flotilla/ports';
import type { ClusterConfig, GroupRecord } from '@flotilla/wire';

export interface ReplicaKeeperOptions {
  readonly storeId: StoreId;
  readonly incarnation: string;
  readonly host: Host;
  readonly log: LogSink;
  readonly clusterId: () => string;
  readonly config: () => ClusterConfig;
}

/**
 * Keeps here the replicas that the newest config gives to this incarnation of this store, and no replica of a group
 * that is dismantled (decision 20). One thing at a time happens to a gid; then the config of that moment counts.
 */
export class ReplicaKeeper {
  readonly #options: ReplicaKeeperOptions;
  /** Gids whose replica is being made or removed. */
  readonly #busy = new Set<number>();

  constructor(options: ReplicaKeeperOptions) {
    this.#options = options;
  }

  /** Called with each new config, and as the store starts. */
  reconcile(): void {
    const { config, clusterId, host } = this.#options;
    const newest = config();
    // Before the first config, and without a cluster, nobody has said what should be here.
    if (newest.number === 0 || clusterId() === '') return;
    // The controller group too: a store may have joined before it was told of the founding.
    const records = new Map([newest.controller, ...newest.groups].map((record) => [record.gid, record]));
    const here = new Map<number, GroupName>();
    for (const { group } of [...host.replicas(), ...host.unopened()]) here.set(group.gid, group);
    for (const group of here.values()) {
      if (isDismantled(group, records.get(group.gid), newest.number)) this.#remove(group, newest.number);
    }
    for (const record of records.values()) {
      if (here.get(record.gid)?.incarnation !== record.incarnation) this.#make(record);
    }
  }

  #remove(group: GroupName, configNumber: number): void {
    const { gid } = group;
    if (this.#busy.has(gid)) return;
    const { host, log } = this.#options;
    this.#busy.add(gid);
    log.log('info', 'group-dismantled', { group: groupNameText(group), config: configNumber });
    host.destroy(group, (refused) => {
      assert(refused === undefined, () => `a replica that is here can be removed: ${refused}`);
      this.#settled(gid);
    });
  }

  #make(record: GroupRecord): void {
    const { gid, incarnation, replicas } = record;
    const { storeId, host, log } = this.#options;
    const own = replicas.find((place) => place.storeId === storeId);
    if (own === undefined || own.storeIncarnation !== this.#options.incarnation || this.#busy.has(gid))
      return;
    this.#busy.add(gid);
    host.create({ gid, incarnation }, own.raftId, replicas, (refused) => {
      if (refused === undefined) {
        this.#settled(gid);
        return;
      }
      this.#busy.delete(gid);
      log.log('info', 'replica-not-created', { gid, refused });
    });
  }

  /** A config that came meanwhile may want something else. */
  #settled(gid: number): void {
    this.#busy.delete(gid);
    this.reconcile();
  }
}

/**
 * A group stands in every config from the one that founded it to the one that dismantled it, and that number is its
 * incarnation. So a later config without this very incarnation shows its end; an earlier one shows nothing.
 */
function isDismantled(group: GroupName, record: GroupRecord | undefined, configNumber: number): boolean {
  if (group.gid === 0 || configNumber <= group.incarnation) return false;
  return record === undefined || record.incarnation !== group.incarnation;
}
