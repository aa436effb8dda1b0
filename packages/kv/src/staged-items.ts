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
 * hash of each item covers its years on the source's disks. What is stored are views of the piece, which the
 * store keeps until all of it is durable.
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
  const nameBytes = from.u16();
  if (isRecord ? nameBytes === 0 || nameBytes > limits.keyBytes : nameBytes !== SESSION_BYTES)
    return undefined;
  switch (kind) {
    case ItemKind.recordGone:
    case ItemKind.rowGone:
      return { kind, name: from.raw(nameBytes), revision: from.u53() };
    case ItemKind.record:
    case ItemKind.row: {
      const storedBytes = from.u32();
      const nameAt = from.at;
      const name = from.raw(nameBytes);
      const stored = from.raw(storedBytes);
      if (!(isRecord ? isSoundRecord(stored) : isSoundRow(stored))) return undefined;
      const hashAt = from.at - HASH_BYTES;
      hasher.hash(from.bytes.subarray(nameAt, hashAt));
      const { high: hashHi, low: hashLo } = hasher;
      const isSame = getU32(from.bytes, hashAt) === hashLo && getU32(from.bytes, hashAt + 4) === hashHi;
      if (!isSame) return undefined;
      const head = isRecord ? shard.recordHead : shard.rowHead;
      const key = slab.take(head.length + nameBytes);
      key.set(head, 0);
      key.set(name, head.length);
      const revision = isRecord ? recordVersion(stored) : storedRowRevision(stored);
      return { kind, name, key, stored, hashHi, hashLo, revision };
    }
    default:
      return undefined;
  }
}
