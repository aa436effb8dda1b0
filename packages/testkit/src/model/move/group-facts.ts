import { compareBytes, hexEncode, Reader, utf8Decode, Writer, Xxh64 } from '@flotilla/base';
import { type DataGroup, GROUP_SHARD, readShardNames, ShardState, type ShardStatus } from '@flotilla/kv';
import type { CellStore } from './cell-store.ts';

/**
 * What the model reads off the stored state of a group, independently of the code that wrote it: which items a
 * copy holds and at which revisions, what its change index names, and whether anything contradicts itself.
 */

/** Prefix of all keys, as short as can be. */
export const PREFIX: Uint8Array = new Uint8Array([0x67]);
/** The only shard. */
export const SHARD = 0;

/** Keys are prefix · shard u16 · generation u64 · kind u8 · name, big endian (`kv/keys.ts`). */
const GENERATION_AT = PREFIX.length + 2;
const KIND_AT = GENERATION_AT + 8;
const NAME_AT = KIND_AT + 1;
const KeyKind = { record: 1, row: 2, expiry: 3, change: 4 } as const;

/** Where a stored item keeps the revision of its last change, by kind. */
const REVISION_AT = { [KeyKind.record]: 1, [KeyKind.row]: 8 } as const;
const HASH_BYTES = 8;

export interface Item {
  /** Kind and name: what a cursor would say. */
  readonly id: string;
  /** For people. */
  readonly words: string;
  readonly revision: number;
  readonly bytes: Uint8Array;
}

export interface GroupFacts {
  readonly state: ShardState;
  readonly status: ShardStatus | undefined;
  readonly lastStamp: number;
  /** Records and rows of the copy: served, frozen or staged. */
  readonly items: ReadonlyMap<string, Item>;
  /** Highest revision that the open export's index names for an item. */
  readonly indexed: ReadonlyMap<string, number>;
  /** Canonical bytes of `items`, for comparing whole copies. */
  readonly content: Uint8Array;
  /** Generations in use, also by what is named no more. */
  readonly generationMax: number;
  /** Ranges that wait to be removed. */
  readonly releasedCount: number;
  /** Nothing is stored under generations that no shard record names. */
  readonly isSwept: boolean;
  /** What contradicts itself; undefined if nothing does. */
  readonly fault: string | undefined;
}

function orderedAt(key: Uint8Array, at: number): number {
  const from = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return from.getUint32(at) * 0x1_0000_0000 + from.getUint32(at + 4);
}

function generationOf(key: Uint8Array): number {
  return orderedAt(key, GENERATION_AT);
}

function shardOf(key: Uint8Array): number {
  return (key[PREFIX.length] as number) * 256 + (key[PREFIX.length + 1] as number);
}

export function itemId(kind: number, name: Uint8Array): string {
  return `${kind}${hexEncode(name)}`;
}

function itemWords(kind: number, name: Uint8Array): string {
  // The last byte of a session id tells the sessions of the model apart.
  return kind === KeyKind.row ? `the row of session ${name[name.length - 1]}` : utf8Decode(name);
}

interface Found {
  readonly items: Map<string, Item>;
  readonly indexed: Map<string, number>;
  readonly content: Uint8Array;
  readonly sums: { readonly records: bigint; readonly rows: bigint };
  readonly wrongHash: string | undefined;
}

const hasher = new Xxh64();
const TWO_64 = 1n << 64n;

/** Everything that is stored under one generation of the copy and one of the index. */
function collect(store: CellStore, copy: number, index: number): Found {
  const items = new Map<string, Item>();
  const indexed = new Map<string, number>();
  const content = new Writer(256);
  const sums = { records: 0n, rows: 0n };
  let wrongHash: string | undefined;
  store.keys.forEach((key, at) => {
    if (shardOf(key) !== SHARD) return;
    const generation = generationOf(key);
    const kind = key[KIND_AT] as number;
    const name = key.subarray(NAME_AT);
    const bytes = store.values[at] as Uint8Array;
    if (generation === index && kind === KeyKind.change) {
      // Names in the index: revision u64 · kind u8 · name of the item, so the highest revision comes last.
      indexed.set(itemId(name[8] as number, name.subarray(9)), orderedAt(key, NAME_AT));
    }
    if (generation !== copy || (kind !== KeyKind.record && kind !== KeyKind.row)) return;
    const words = itemWords(kind, name);
    const from = new Reader(bytes, REVISION_AT[kind]);
    const id = itemId(kind, name);
    items.set(id, { id, words, revision: from.u53(), bytes });
    content.u8(kind);
    content.bytes16(name);
    content.bytes32(bytes);
    const hashAt = bytes.length - HASH_BYTES;
    const hash = new Writer(name.length + hashAt);
    hash.raw(name);
    hash.raw(bytes.subarray(0, hashAt));
    hasher.hash(hash.bytes.subarray(0, hash.length));
    const stored = new Reader(bytes, hashAt);
    if (stored.u32() !== hasher.low || stored.u32() !== hasher.high) wrongHash ??= words;
    const sum = (BigInt(hasher.high) << 32n) | BigInt(hasher.low);
    if (kind === KeyKind.record) sums.records = (sums.records + sum) % TWO_64;
    else sums.rows = (sums.rows + sum) % TWO_64;
  });
  return { items, indexed, content: content.finish(), sums, wrongHash };
}

/** The stored record of the shard, and whether anything lies about that it does not name. */
function namesIn(store: CellStore): { copies: readonly number[]; generationMax: number; isSwept: boolean } {
  let copies: readonly number[] = [];
  const found = new Set<number>();
  store.keys.forEach((key, at) => {
    if (shardOf(key) === SHARD) found.add(generationOf(key));
    // Of the group's own keys, those of kind 2 are shard records.
    else if (shardOf(key) === GROUP_SHARD && key[KIND_AT] === 2)
      copies = readShardNames(store.values[at] as Uint8Array).copies;
  });
  for (const { from } of store.released) if (shardOf(from) === SHARD) found.add(generationOf(from));
  const isSwept = [...found].every((generation) => copies.includes(generation));
  return { copies, generationMax: Math.max(0, ...copies, ...found), isSwept };
}

export function readFacts(group: DataGroup, store: CellStore): GroupFacts {
  const status = group.shard(SHARD);
  const { copies, generationMax, isSwept } = namesIn(store);
  const hasCopy = status !== undefined && status.state !== ShardState.absent;
  const copy = hasCopy ? status.generation : 0;
  const index = copies.find((generation) => generation !== copy) ?? 0;
  const found = collect(store, copy, status?.openExport === undefined ? 0 : index);
  return {
    state: status?.state ?? ShardState.absent,
    status,
    lastStamp: group.lastStamp,
    items: found.items,
    indexed: found.indexed,
    content: found.content,
    generationMax,
    releasedCount: store.released.length,
    isSwept,
    fault: faultOf(status, found, group),
  };
}

function faultOf(status: ShardStatus | undefined, found: Found, group: DataGroup): string | undefined {
  if (status === undefined) return undefined;
  const { state, fence, moveId, openExport, staging } = status;
  if (found.wrongHash !== undefined) return `the item hash of ${found.wrongHash} does not fit`;
  if (staging !== undefined && moveId <= fence) return `staging of move ${moveId} below fence ${fence}`;
  if ((staging !== undefined) !== (state === ShardState.importing)) return 'staging outside of Importing';
  if (openExport !== undefined) {
    const isOwn = state === ShardState.frozen && openExport.moveId === moveId;
    if (openExport.moveId <= fence && !isOwn)
      return `export of move ${openExport.moveId} below fence ${fence}`;
    if (state !== ShardState.serving && state !== ShardState.frozen) return 'an export of no copy';
    for (const item of found.items.values()) {
      if (item.revision > openExport.r0 && found.indexed.get(item.id) !== item.revision) {
        return `${item.words} changed at revision ${item.revision}, and the change index does not say so`;
      }
    }
  }
  const digests = group.digest(SHARD);
  if (digests === undefined) return undefined;
  const same = (sum: bigint, digest: { readonly hi: number; readonly lo: number }): boolean =>
    sum === ((BigInt(digest.hi) << 32n) | BigInt(digest.lo));
  if (!same(found.sums.records, digests.records)) return 'the digest of records is not the one of the items';
  if (!same(found.sums.rows, digests.rows)) return 'the digest of rows is not the one of the items';
  return undefined;
}

/**
 * The promise of `pos`: every item copied so far equals the source's, or the source's present revision of it is
 * above `pos`. Returns what breaks it.
 */
export function brokenPromise(source: GroupFacts, target: GroupFacts): string | undefined {
  const staging = target.status?.staging;
  if (staging === undefined) return undefined;
  const cursor = staging.cursor;
  const isCopied = (id: string): boolean =>
    staging.isComplete || id < itemId(cursor[0] ?? 0, cursor.subarray(1));
  for (const item of source.items.values()) {
    if (!isCopied(item.id) || item.revision > staging.pos) continue;
    const staged = target.items.get(item.id);
    if (staged === undefined) return `${item.words} is missing in the copy up to revision ${staging.pos}`;
    if (compareBytes(staged.bytes, item.bytes) !== 0)
      return `${item.words} differs in the copy up to revision ${staging.pos}`;
  }
  for (const staged of target.items.values()) {
    if (!isCopied(staged.id)) return `${staged.words} is in the copy before its page`;
    // Of what went before r0 nobody knows when: the copy must begin again, and cannot be completed.
    if ((source.status?.openExport?.r0 ?? 0) > staging.pos) continue;
    if (source.items.has(staged.id) || (source.indexed.get(staged.id) ?? 0) > staging.pos) continue;
    return `${staged.words} is gone in the source, and lives in the copy up to revision ${staging.pos}`;
  }
  return undefined;
}
