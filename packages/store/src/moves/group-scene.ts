import type { Host, Replica } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';
import type { GroupRecord } from '@flotilla/wire';

/** A data group that this store leads, with everything applied from before its term. */
export interface GroupScene {
  readonly replica: Replica;
  readonly machine: DataGroup;
}

/** Undefined unless this store leads the very group that the config names. */
export function sceneOf(host: Host, group: GroupRecord | undefined): GroupScene | undefined {
  if (group === undefined) return undefined;
  const replica = host.replica(group.gid);
  if (replica === undefined || !replica.isServing || replica.group.incarnation !== group.incarnation) {
    return undefined;
  }
  const { machine } = replica;
  return machine instanceof DataGroup ? { replica, machine } : undefined;
}
