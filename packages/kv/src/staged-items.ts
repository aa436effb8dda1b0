import { DecodeError, Reader } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { ItemKind, limits, SESSION_BYTES } from '@flotilla/wire';
import { getU32 } from './fields.ts';
import { isSoundRecord, recordVersion, type WholeRecord } from './record-table.ts';
import { isSoundRow, storedRowRevision } from './session-row.ts';
import type { Shard } from './shard.ts';
import type { Slab } from './slab.ts';

/**
 * Items of a page or delta, ready to be stored under the staged copy. All are read and proved before the first
 * is stored: a piece with one damaged item is refused whole. The checksum of the piece covers its way here; the
 * hash of each item covers its years on the source's disks.
 */

const HASH_BYTES = 8;

export interface PresentItem extends WholeRecord {
  readonly kind: typeof ItemKind.record | typeof ItemKind.row;
  readonly revision: number;
}

export interface GoneItem {
  readonly kind: typeof ItemKind.recordGone | typeof ItemKind.rowGone;
  readonly name: Uint8Array;
  /** Of its removal. */
  readonly revision: number;
}

export type StagedItem = PresentItem | GoneItem;

/** Undefined when anything among them is not as it must be. */
export function readItems(
  items: Uint8Array,
  shard: Shard,
  hasher: Hasher,
  slab: Slab,
): readonly StagedItem[] | undefined {
  const from = new Reader(items);
  const read: StagedItem[] = [];
  try {
    while (from.remaining > 0) {
      const item = readItem(from, shard, hasher, slab);
      if (item === undefined) return undefined;
      read.push(item);
    }
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
  return read;
}

function readItem(from: Reader, shard: Shard, hasher: Hasher, slab: Slab): StagedItem | undefined {
  const kind = from.u8() as ItemKind;
  const isRecord = kind === ItemKind.record || kind === ItemKind.recordGone;
  const name = from.bytes16(limits.keyBytes);
  if (isRecord ? name.length === 0 : name.length !== SESSION_BYTES) return undefined;
  switch (kind) {
    case ItemKind.recordGone:
    case ItemKind.rowGone:
      return { kind, name, revision: from.u53() };
    case ItemKind.record:
    case ItemKind.row: {
      const body = from.bytes32(limits.importBytes);
      if (!(isRecord ? isSoundRecord(body) : isSoundRow(body))) return undefined;
      // One piece of memory: what is hashed is what is stored, and nothing keeps the whole entry alive.
      const head = isRecord ? shard.recordHead : shard.rowHead;
      const storedAt = head.length + name.length;
      const hashAt = storedAt + body.length - HASH_BYTES;
      const item = slab.take(hashAt + HASH_BYTES);
      item.set(head, 0);
      item.set(name, head.length);
      item.set(body, storedAt);
      hasher.hash(item.subarray(head.length, hashAt));
      const { high: hashHi, low: hashLo } = hasher;
      if (getU32(item, hashAt) !== hashLo || getU32(item, hashAt + 4) !== hashHi) return undefined;
      const stored = item.subarray(storedAt);
      return {
        kind,
        name,
        key: item.subarray(0, storedAt),
        stored,
        hashHi,
        hashLo,
        revision: isRecord ? recordVersion(stored) : storedRowRevision(stored),
      };
    }
    default:
      return undefined;
  }
}
