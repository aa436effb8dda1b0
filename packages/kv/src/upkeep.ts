import type { StateStore } from '@flotilla/ports';
import { ItemKind, SESSION_BYTES } from '@flotilla/wire';
import type { ChangeIndex } from './change-index.ts';
import { getOrdered } from './fields.ts';
import { EXPIRY_NAME_AT, headEnd, keyUnder } from './keys.ts';
import type { RecordTable } from './record-table.ts';
import { forgetStoredRow, rowDueAt, storedRowRevision } from './session-row.ts';
import type { SessionTable } from './session-table.ts';
import type { Shard } from './shard.ts';

/**
 * Removal of what expired. Only entries remove: which items are due follows from the shard's own time, and
 * their order is that of the keys, so every replica takes the same ones away.
 */

/** Collects up to `itemsMax` due records, then session rows; returns how many there are. */
function collectDue(
  store: StateStore,
  shard: Shard,
  now: number,
  itemsMax: number,
  record: ((name: Uint8Array) => void) | undefined,
  row: ((session: Uint8Array, stored: Uint8Array) => void) | undefined,
): number {
  let count = 0;
  const expiryHead = shard.expiryHead;
  store.scan(expiryHead, headEnd(expiryHead), (key) => {
    if (count === itemsMax || getOrdered(key, expiryHead.length) > now) return false;
    record?.(key.slice(expiryHead.length + EXPIRY_NAME_AT));
    count++;
    return true;
  });
  if (count === itemsMax) return count;
  const rowHead = shard.rowHead;
  store.scan(rowHead, headEnd(rowHead), (key, stored) => {
    const session = key.subarray(rowHead.length, rowHead.length + SESSION_BYTES);
    if (count === itemsMax || rowDueAt(session) > now) return false;
    row?.(session.slice(), stored);
    count++;
    return true;
  });
  return count;
}

export function countDue(store: StateStore, shard: Shard, now: number, itemsMax: number): number {
  return collectDue(store, shard, now, itemsMax, undefined, undefined);
}

/** Removes up to `itemsMax` due items under one revision. Session rows must have been written back. */
export function removeDue(
  store: StateStore,
  records: RecordTable,
  sessions: SessionTable,
  changes: ChangeIndex,
  shard: Shard,
  now: number,
  itemsMax: number,
): void {
  const names: Uint8Array[] = [];
  const gone: { readonly session: Uint8Array; readonly revision: number; readonly bytes: number }[] = [];
  const count = collectDue(
    store,
    shard,
    now,
    itemsMax,
    (name) => names.push(name),
    (session, stored) => {
      gone.push({ session, revision: storedRowRevision(stored), bytes: SESSION_BYTES + stored.length });
      forgetStoredRow(shard, stored);
    },
  );
  if (count > 0) {
    shard.revision++;
    shard.dirty = true;
    for (const name of names) {
      records.find(shard, name, now);
      records.remove();
    }
    const open = shard.openExport;
    for (const { session, revision, bytes } of gone) {
      if (open !== undefined) {
        changes.note(open, ItemKind.row, session, revision, bytes, shard.revision, SESSION_BYTES);
      }
      store.delete(keyUnder(shard.rowHead, session));
      sessions.forget(shard, session);
    }
  }
  findNextDue(store, shard);
}

/** Looks up the first item to fall due. Session rows must have been written back. */
export function findNextDue(store: StateStore, shard: Shard): void {
  let due = Number.POSITIVE_INFINITY;
  const { expiryHead, rowHead } = shard;
  store.scan(expiryHead, headEnd(expiryHead), (key) => {
    due = getOrdered(key, expiryHead.length);
    return false;
  });
  store.scan(rowHead, headEnd(rowHead), (key) => {
    due = Math.min(due, rowDueAt(key.subarray(rowHead.length, rowHead.length + SESSION_BYTES)));
    return false;
  });
  shard.nextDue = due;
}
