import { compareBytes } from '@flotilla/base';
import { ItemKind } from '@flotilla/wire';

/**
 * Where a copy stands: kind u8 · name of the first item that is still to come. Records go first, in key order,
 * then session rows, so the byte order of cursors is the order of the copy. Empty at the start; a copy that is
 * whole stands behind all kinds, where no page begins.
 */
export const CURSOR_END: Uint8Array = Uint8Array.of(ItemKind.row + 1);

export function cursorAt(kind: ItemKind, name: Uint8Array): Uint8Array {
  const cursor = new Uint8Array(1 + name.length);
  cursor[0] = kind;
  cursor.set(name, 1);
  return cursor;
}

/** Below 0 for an item before the cursor. `kind` is that of an item which is there. */
export function compareToCursor(kind: ItemKind, name: Uint8Array, cursor: Uint8Array): number {
  const at = cursor[0];
  if (at === undefined) return 1;
  return kind === at ? compareBytes(name, cursor.subarray(1)) : kind - at;
}
