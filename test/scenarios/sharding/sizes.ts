import type { GroupName } from '@flotilla/base';
import type { SimStore } from '@flotilla/testkit';

/** Bytes of keys and values that a store holds as state, of all groups and of the host. */
export function stateBytes({ state }: SimStore): number {
  let bytes = 0;
  state.scan(new Uint8Array(0), undefined, (key, value) => {
    bytes += key.length + value.length;
    return true;
  });
  return bytes;
}

export function logBytes({ log }: SimStore, group: GroupName): number {
  return log.bytes(group);
}
