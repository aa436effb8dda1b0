import {
  CorruptionError,
  compareBytes,
  type GroupName,
  groupNameText,
  must,
  prefixEnd,
  u32BigAt,
  u64BigAt,
} from '@flotilla/base';
import type { StateStore } from '@flotilla/ports';
import { decodeMeta, groupPrefix, metaKey } from './layout.ts';

/** No group has the highest id: the keys from here on are not those of replicas. */
const REPLICAS_END = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

/**
 * Removes what is left of replicas whose creation came to nothing: their state is written before their log, so a
 * store that ends in between keeps a record that nothing points at. If the group is dismantled before the store
 * comes back, nobody makes the replica again and nobody removes it. What anything was ever applied to stays,
 * whatever the log says: damage is not absence. True if there was anything.
 *
 * It goes with the transaction that is open, and is not released for later: the replica may be made again at once,
 * and what is released later would take its state along.
 */
export function removeLitter(
  stateStore: StateStore,
  known: readonly GroupName[],
  firstGeneration: number,
): boolean {
  const names = new Set(known.map(groupNameText));
  let from = new Uint8Array(0);
  let isFound = false;
  for (;;) {
    const group = firstGroup(stateStore, from);
    if (group === undefined) return isFound;
    const begin = groupPrefix(group);
    const end = must(prefixEnd(begin), 'no group has the highest id');
    const record = metaKey(group, firstGeneration);
    if (!names.has(groupNameText(group)) && isUnborn(stateStore, begin, end, record)) {
      stateStore.delete(record);
      isFound = true;
    }
    from = end.slice();
  }
}

/** The first group of which something is stored from that key on. What cannot be read ends the search. */
function firstGroup(stateStore: StateStore, from: Uint8Array): GroupName | undefined {
  let group: GroupName | undefined;
  try {
    stateStore.scan(from, REPLICAS_END, (key) => {
      group = { gid: u32BigAt(key, 0), incarnation: u64BigAt(key, 4) };
      return false;
    });
  } catch (cause) {
    if (!(cause instanceof CorruptionError)) throw cause;
    return undefined;
  }
  return group;
}

/** Nothing is there but the host's record, to which nothing was applied. */
function isUnborn(stateStore: StateStore, begin: Uint8Array, end: Uint8Array, record: Uint8Array): boolean {
  let isBlank = true;
  try {
    stateStore.scan(begin, end, (key, value) => {
      isBlank = compareBytes(key, record) === 0 && decodeMeta(value).appliedIndex === 0;
      return isBlank;
    });
  } catch (cause) {
    if (!(cause instanceof CorruptionError)) throw cause;
    return false;
  }
  return isBlank;
}
