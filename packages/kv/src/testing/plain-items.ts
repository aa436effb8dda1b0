import { Writer, Xxh64 } from '@flotilla/base';
import { type Digest, ItemKind, sealDelta, sealPage } from '@flotilla/wire';
import type { PlainDelta, PlainDigests, PlainItem, PlainPage } from './move-reference.ts';

/** Items, pages and deltas as bytes, made by hand: not by the code that they test. */

const RECORD = '\u0001';

export function raw(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

export function isRecord(name: string): boolean {
  return name.startsWith(RECORD);
}

export function recordName(key: string): string {
  return `${RECORD}${key}`;
}

export function rowName(tag: number): string {
  return `\u0002${'\u0000'.repeat(15)}${String.fromCharCode(tag)}`;
}

/** Hash of name and stored bytes without their hash. */
function hashOf(name: string, stored: Uint8Array): Digest {
  const hasher = new Xxh64();
  hasher.hash(Uint8Array.of(...raw(name.slice(1)), ...stored));
  return { hi: hasher.high, lo: hasher.low };
}

/** The stored bytes of an item; a row of them keeps no results. */
export function storedOf(item: PlainItem): Uint8Array {
  const out = new Writer(64);
  if (isRecord(item.name)) {
    out.u8(0);
    out.u53(item.revision);
    out.u53(1);
    out.raw(raw(item.body ?? ''));
  } else {
    out.u53(0);
    out.u53(item.revision);
  }
  const { hi, lo } = hashOf(item.name, out.finish());
  out.u32(lo);
  out.u32(hi);
  return out.finish();
}

export function sumOf(items: ReadonlyMap<string, PlainItem>): PlainDigests {
  let records = 0n;
  let rows = 0n;
  for (const item of items.values()) {
    const stored = storedOf(item);
    const { hi, lo } = hashOf(item.name, stored.subarray(0, stored.length - 8));
    const hash = (BigInt(hi) << 32n) | BigInt(lo);
    if (isRecord(item.name)) records = BigInt.asUintN(64, records + hash);
    else rows = BigInt.asUintN(64, rows + hash);
  }
  return { records, rows };
}

export function digestOf(sum: bigint): Digest {
  return { hi: Number(sum >> 32n), lo: Number(sum & 0xffff_ffffn) };
}

export function itemsOf(items: readonly PlainItem[]): Uint8Array {
  const out = new Writer(256);
  for (const item of items) {
    const isGone = item.body === undefined;
    if (isRecord(item.name)) out.u8(isGone ? ItemKind.recordGone : ItemKind.record);
    else out.u8(isGone ? ItemKind.rowGone : ItemKind.row);
    const name = raw(item.name.slice(1));
    const stored = isGone ? undefined : storedOf(item);
    out.u16(name.length);
    if (stored !== undefined) out.u32(stored.length);
    out.raw(name);
    if (stored === undefined) out.u53(item.revision);
    else out.raw(stored);
  }
  return out.finish();
}

function damaged(bytes: Uint8Array, isDamaged: boolean): Uint8Array {
  if (isDamaged) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  return bytes;
}

export function pageBytes(page: PlainPage): Uint8Array {
  const { moveId, shard, view, isLast } = page;
  const head = { moveId, shard, cursor: raw(page.cursor), view, next: raw(page.next), isLast };
  return damaged(sealPage({ ...head, items: itemsOf(page.items) }, new Xxh64()), page.isDamaged);
}

export function deltaBytes(delta: PlainDelta): Uint8Array {
  const { moveId, shard, from, to } = delta;
  return damaged(
    sealDelta({ moveId, shard, from, to, items: itemsOf(delta.items) }, new Xxh64()),
    delta.isDamaged,
  );
}
