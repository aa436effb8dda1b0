import type { GroupName } from '@flotilla/base';
import { replicaOf, type SimStore } from '@flotilla/testkit/internal';

/** Bytes of keys and values that a store holds as state of data groups, those that are gone included. */
export function stateBytes({ state }: SimStore): number {
  let bytes = 0;
  state.scan(new Uint8Array(0), undefined, (key, value) => {
    const gid = replicaOf(key)?.group.gid ?? 0;
    if (gid !== 0) bytes += key.length + value.length;
    return true;
  });
  return bytes;
}

export function logBytes({ log }: SimStore, group: GroupName): number {
  return log.bytes(group);
}
