import type { ConfState, Entry, HardState, SnapshotMeta } from '@flotilla/base';

/**
 * A synchronous view of the durable log. With asynchronous storage writes it may lag behind what was handed
 * out for writing; it must never be ahead of what a crash would leave, except for entries whose write is
 * under way and will be repeated in the same place.
 *
 * An empty log has `lastIndex() = firstIndex() - 1`; the term of `firstIndex() - 1` is known (0 for index 0).
 */
export interface RaftStorage {
  initialState(): { readonly hardState: HardState | undefined; readonly confState: ConfState };
  /** The first index after what was compacted. */
  firstIndex(): number;
  lastIndex(): number;
  /** Undefined if compacted or not there yet. */
  term(index: number): number | undefined;
  /** Entries of [lo, hi), at least one, then as many as fit into `bytesMax` as {@link entryBytes} counts them. */
  entries(lo: number, hi: number, bytesMax: number): readonly Entry[];
  /**
   * The newest snapshot that can be sent; undefined if there is none at the moment. It is sent only to members
   * that its configuration names: after adding one, make a snapshot that is new enough.
   */
  snapshot(): SnapshotMeta | undefined;
}

/** Bytes that an entry counts for in all limits but the one of uncommitted bytes: its data and its head. */
const ENTRY_HEAD_BYTES = 16;

export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_HEAD_BYTES;
}

export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length + ENTRY_HEAD_BYTES;
  return bytes;
}

/** Bytes of the data alone. Empty entries are free, so that a new leader's first one is never refused. */
export function payloadBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}

/** How many of the entries from `begin` on fit into `bytesMax`; one always does. */
export function countWithin(entries: readonly Entry[], begin: number, end: number, bytesMax: number): number {
  let bytes = 0;
  for (let at = begin; at < end; at++) {
    bytes += (entries[at] as Entry).data.length + ENTRY_HEAD_BYTES;
    if (bytes > bytesMax && at > begin) return at - begin;
  }
  return end - begin;
}
