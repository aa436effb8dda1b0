import type { GroupName } from '@flotilla/base';

/**
 * Map from group names without a string per look-up: by gid first, then along the few incarnations of that
 * gid that a store knows (nearly always one).
 */
export class GroupMap<T> {
  readonly #byGid = new Map<number, { readonly incarnation: number; readonly value: T }[]>();

  get(group: GroupName): T | undefined {
    const slots = this.#byGid.get(group.gid);
    if (slots === undefined) return undefined;
    for (const slot of slots) if (slot.incarnation === group.incarnation) return slot.value;
    return undefined;
  }

  /** Adds a group that is not there yet. */
  add(group: GroupName, value: T): void {
    const slots = this.#byGid.get(group.gid);
    const slot = { incarnation: group.incarnation, value };
    if (slots === undefined) this.#byGid.set(group.gid, [slot]);
    else slots.push(slot);
  }

  *values(): Generator<T> {
    for (const slots of this.#byGid.values()) for (const slot of slots) yield slot.value;
  }
}
