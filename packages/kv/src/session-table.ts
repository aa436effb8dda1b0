import { assert, equalBytes } from '@flotilla/base';
import type { Hasher, StateStore } from '@flotilla/ports';
import { ItemKind, SESSION_BYTES } from '@flotilla/wire';
import type { ChangeIndex } from './change-index.ts';
import { getU32 } from './fields.ts';
import { keyUnder } from './keys.ts';
import { rowDueAt, SessionRow } from './session-row.ts';
import type { Shard } from './shard.ts';
import { Slab } from './slab.ts';

const DIRTY_ROWS_MAX = 4096;

/**
 * Session rows of all shards, decoded and cached. Rows that changed are written once per flush, however many
 * commands touched them.
 *
 * The cache is two maps of slots: what is used moves to the young one; when that is full after a flush it
 * becomes the old one, and the former old one goes. Two rows that meet in a slot push each other out, so no
 * choice of session ids makes a lookup slow. A young slot always decides: the old map may still hold an
 * outdated object of a row that was pushed out and read again.
 */
export class SessionTable {
  readonly #store: StateStore;
  readonly #hasher: Hasher;
  readonly #changes: ChangeIndex;
  readonly #slab: Slab = new Slab();
  readonly #bytesMax: number;
  #young: Map<number, SessionRow> = new Map();
  #old: Map<number, SessionRow> = new Map();
  #youngBytes = 0;
  #dirty: SessionRow[] = [];

  constructor(store: StateStore, hasher: Hasher, changes: ChangeIndex, bytesMax: number) {
    this.#changes = changes;
    this.#store = store;
    this.#hasher = hasher;
    this.#bytesMax = bytesMax;
  }

  /** The row of a session in a shard; undefined if there is none. `mix` is `mixSession(session)`. */
  find(shard: Shard, session: Uint8Array, mix: number): SessionRow | undefined {
    const slot = slotOf(shard, mix);
    let row = this.#young.get(slot);
    if (row === undefined) {
      row = this.#old.get(slot);
      if (row !== undefined && isRowOf(row, shard, session)) this.#place(slot, row);
    }
    if (row !== undefined && isRowOf(row, shard, session)) return row;
    const key = keyUnder(shard.rowHead, session);
    const stored = this.#store.get(key);
    if (stored === undefined) return undefined;
    const read = new SessionRow(shard, session.slice(), key);
    read.decode(stored);
    this.#place(slot, read);
    return read;
  }

  create(shard: Shard, session: Uint8Array, mix: number): SessionRow {
    const row = new SessionRow(shard, session.slice(), keyUnder(shard.rowHead, session));
    this.#place(slotOf(shard, mix), row);
    shard.rowCount++;
    const dueAt = rowDueAt(session);
    if (dueAt < shard.nextDue) shard.nextDue = dueAt;
    return row;
  }

  #place(slot: number, row: SessionRow): void {
    const other = this.#young.get(slot);
    if (other !== undefined) {
      if (other.dirty) this.#write(other);
      this.#youngBytes -= other.countedBytes;
    }
    this.#young.set(slot, row);
    row.countedBytes = 0;
    this.#count(row);
  }

  #count(row: SessionRow): void {
    const bytes = row.memoryBytes;
    this.#youngBytes += bytes - row.countedBytes;
    row.countedBytes = bytes;
  }

  touch(row: SessionRow): void {
    if (row.dirty) return;
    row.dirty = true;
    row.shard.dirty = true;
    this.#dirty.push(row);
  }

  #write(row: SessionRow): void {
    const { shard, session, storedRevision, storedBytes } = row;
    assert(row.generation === shard.generation, () => `a late row of generation ${row.generation}`);
    const stored = row.encode(this.#hasher, this.#slab);
    this.#store.put(row.key, stored);
    row.dirty = false;
    if (shard.openExport !== undefined) {
      const former = SESSION_BYTES + storedBytes;
      const now = SESSION_BYTES + stored.length;
      this.#changes.note(shard.openExport, ItemKind.row, session, storedRevision, former, row.revision, now);
    }
    this.#count(row);
  }

  /** There is so much in memory that it should be written back before the slice ends. */
  get isFull(): boolean {
    return this.#dirty.length >= DIRTY_ROWS_MAX || this.#youngBytes * 2 > this.#bytesMax;
  }

  flush(): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    for (const row of dirty) if (row.dirty) this.#write(row);
    this.#dirty = [];
    if (this.#youngBytes * 2 <= this.#bytesMax) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  /** Forgets a row that was removed from the store. Nothing may be dirty. */
  forget(shard: Shard, session: Uint8Array): void {
    const slot = slotOf(shard, mixSession(session));
    this.#youngBytes -= this.#young.get(slot)?.countedBytes ?? 0;
    this.#young.delete(slot);
    this.#old.delete(slot);
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#youngBytes = 0;
    this.#dirty = [];
  }
}

function isRowOf(row: SessionRow, shard: Shard, session: Uint8Array): boolean {
  return row.shard === shard && row.generation === shard.generation && equalBytes(row.session, session);
}

/** A number that stands for the session in slots; computed once per entry. */
export function mixSession(session: Uint8Array): number {
  let mix = getU32(session, 0);
  for (let at = 4; at < 16; at += 4) mix = Math.imul(mix ^ (mix >>> 15), 0x2c1b3c6d) ^ getU32(session, at);
  mix = Math.imul(mix ^ (mix >>> 12), 0x297a2d39);
  return mix ^ (mix >>> 15);
}

function slotOf(shard: Shard, mix: number): number {
  return (Math.imul(shard.number + 1, 0x9e3779b1) ^ mix) & 0x3fff_ffff;
}
