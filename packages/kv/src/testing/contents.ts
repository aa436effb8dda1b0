import { concatBytes, hexEncode, Reader, Xxh64 } from '@flotilla/base';
import { type Delta, ItemKind, openDelta, openPage, type Page } from '@flotilla/wire';
import { DigestSum } from '../digest.ts';
import { getOrdered, getU32, getU53 } from '../fields.ts';
import { Kind } from '../keys.ts';
import type { Rig } from './rig.ts';

/** What a rig holds, read from its store alone. */

const HASH_BYTES = 8;

interface Stored {
  readonly kind: number;
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** Items under one generation of a shard. */
export function storedUnder(rig: Rig, shard: number, generation: number): Stored[] {
  rig.group.flush();
  const found: Stored[] = [];
  for (const [key, value] of rig.store.dump(rig.prefix)) {
    const isHere =
      (key[0] as number) * 256 + (key[1] as number) === shard && getOrdered(key, 2) === generation;
    if (isHere) found.push({ kind: key[10] as number, name: key.subarray(11), value });
  }
  return found;
}

/** Records, rows and expiry index of the copy that the shard names, as texts to compare. */
export function contentOf(rig: Rig, shard: number): string[] {
  const generation = rig.group.shard(shard)?.generation ?? 0;
  return storedUnder(rig, shard, generation).map(
    ({ kind, name, value }) => `${kind} ${hexEncode(name)} ${shortText(value)}`,
  );
}

/** Of large values the hash, since texts of megabytes take longer to compare than to move. */
function shortText(value: Uint8Array): string {
  if (value.length < 256) return hexEncode(value);
  const hasher = new Xxh64();
  hasher.hash(value);
  return `${value.length} bytes ${hasher.high} ${hasher.low}`;
}

/** Digests computed from nothing but the stored items. */
export function digestsOf(rig: Rig, shard: number): unknown {
  const generation = rig.group.shard(shard)?.generation ?? 0;
  const records = new DigestSum();
  const rows = new DigestSum();
  const hasher = new Xxh64();
  for (const { kind, name, value } of storedUnder(rig, shard, generation)) {
    if (kind !== Kind.record && kind !== Kind.row) continue;
    hasher.hash(concatBytes(name, value.subarray(0, value.length - HASH_BYTES)));
    (kind === Kind.record ? records : rows).add(hasher.high, hasher.low);
  }
  return { records: records.value(), rows: rows.value() };
}

/** Revision of a stored record or row. */
export function revisionOf(kind: number, stored: Uint8Array): number {
  return getU53(stored, kind === ItemKind.record ? 1 : 8);
}

export interface IndexEntry {
  readonly revision: number;
  readonly item: string;
  /** What the entry and its item weigh. */
  readonly weight: number;
}

export function itemText(kind: number, name: Uint8Array): string {
  return `${kind} ${hexEncode(name)}`;
}

/** The change index under the index of its `BeginExport` entry. */
export function changeIndexOf(rig: Rig, shard: number, begunAt: number): IndexEntry[] {
  return storedUnder(rig, shard, begunAt).map(({ kind, name, value }) => {
    if (kind !== Kind.change) throw new Error(`a key of kind ${kind} in a change index`);
    return {
      revision: getOrdered(name, 0),
      item: itemText(name[8] as number, name.subarray(9)),
      weight: 64 + getU32(value, 0),
    };
  });
}

export interface SeenItem {
  readonly kind: number;
  readonly name: Uint8Array;
  /** Undefined: gone. */
  readonly stored: Uint8Array | undefined;
  readonly revision: number;
}

export function itemsIn(items: Uint8Array): SeenItem[] {
  const from = new Reader(items);
  const seen: SeenItem[] = [];
  while (from.remaining > 0) {
    const kind = from.u8();
    const nameBytes = from.u16();
    if (kind === ItemKind.recordGone || kind === ItemKind.rowGone) {
      const name = from.raw(nameBytes);
      seen.push({ kind: kind - 2, name, stored: undefined, revision: from.u53() });
    } else {
      const storedBytes = from.u32();
      const name = from.raw(nameBytes);
      const stored = from.raw(storedBytes);
      seen.push({ kind, name, stored, revision: revisionOf(kind, stored) });
    }
  }
  return seen;
}

export function pageIn(bytes: Uint8Array): Page {
  const page = openPage(bytes, new Xxh64());
  if (page === undefined) throw new Error('the checksum of a page does not fit');
  return page;
}

export function deltaIn(bytes: Uint8Array): Delta {
  const delta = openDelta(bytes, new Xxh64());
  if (delta === undefined) throw new Error('the checksum of changes does not fit');
  return delta;
}
