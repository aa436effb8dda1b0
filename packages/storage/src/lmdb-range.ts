import type { Hasher } from '@flotilla/ports';
import { keyText } from './key-text.ts';
import { type LmdbTable, type LmdbTransaction, plain } from './lmdb-environment.ts';
import { decodeState } from './state-format.ts';
import type { OverlayCursor } from './state-overlay.ts';

export type Visit = (key: Uint8Array, value: Uint8Array) => boolean;

interface StoredPair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The stored value of the key, verified, as a copy that stays as it is. */
export function readStored(table: LmdbTable, hasher: Hasher, key: Uint8Array): Uint8Array | undefined {
  const bytes = table.getBinaryFast(key);
  if (bytes === undefined) return undefined;
  // What came is a buffer that LMDB uses for every read; only its length field tells how much of it is ours.
  return decodeState(hasher, key, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)).slice();
}

/** Stored pairs of [from, to) in either direction. */
export function storedRange(
  table: LmdbTable,
  from: Uint8Array,
  to: Uint8Array | undefined,
  reverse: boolean,
  transaction?: LmdbTransaction,
): Iterable<StoredPair> {
  const options = reverse
    ? {
        reverse,
        ...(to === undefined ? {} : { start: to, exclusiveStart: true }),
        end: from.length === 0 ? LOWEST : from,
        inclusiveEnd: true,
      }
    : { start: from.length === 0 ? LOWEST : from, ...(to === undefined ? {} : { end: to }) };
  return table.getRange(transaction === undefined ? options : { ...options, transaction });
}

/** The first stored keys of [from, to), without a look at what they hold. */
export function storedKeys(
  table: LmdbTable,
  from: Uint8Array,
  to: Uint8Array,
  limit: number,
): readonly Uint8Array[] {
  return [...table.getKeys({ start: from.length === 0 ? LOWEST : from, end: to, limit })];
}

/** LMDB has no empty key; no key sorts before this one. */
const LOWEST = new Uint8Array(1);

/** Visits stored pairs with pending writes on top. Returns false as soon as `visit` does. */
export function mergeRange(
  pairs: Iterable<StoredPair>,
  overlay: OverlayCursor | undefined,
  hasher: Hasher,
  visit: Visit,
  reverse: boolean,
): void {
  for (const { key, value } of pairs) {
    if (overlay?.current !== undefined) {
      const text = keyText(key);
      for (let write = overlay.current; write !== undefined && before(write.text, text, reverse); ) {
        if (write.value !== undefined && !visit(write.key, write.value)) return;
        overlay.advance();
        write = overlay.current;
      }
      if (overlay.current?.text === text) {
        const write = overlay.current;
        overlay.advance();
        if (write.value !== undefined && !visit(write.key, write.value)) return;
        continue;
      }
    }
    if (!visit(plain(key), decodeState(hasher, key, value))) return;
  }
  for (let write = overlay?.current; write !== undefined; write = overlay?.current) {
    if (write.value !== undefined && !visit(write.key, write.value)) return;
    overlay?.advance();
  }
}

function before(left: string, right: string, reverse: boolean): boolean {
  return reverse ? left > right : left < right;
}
