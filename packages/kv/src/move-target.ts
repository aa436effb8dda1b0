import { compareBytes, DecodeError, equalBytes } from '@flotilla/base';
import type { Hasher, StateStore } from '@flotilla/ports';
import {
  type Abort,
  type Activate,
  type ActivateEmpty,
  type BeginImport,
  type ImportChunk,
  type ImportDelta,
  ItemKind,
  MoveAnswer,
  type MoveOutcome,
  openDelta,
  openPage,
  type Page,
} from '@flotilla/wire';
import { CURSOR_END, compareToCursor } from './cursor.ts';
import { keyUnder } from './keys.ts';
import type { RecordTable } from './record-table.ts';
import { forgetStoredRow, storedRowRevision } from './session-row.ts';
import { type Shard, ShardState, type Staging } from './shard.ts';
import { Slab } from './slab.ts';
import { type PresentItem, readItems, type StagedItem } from './staged-items.ts';
import { findNextDue } from './upkeep.ts';

/**
 * The steps of a move in the group that takes the shard: a copy grows beside everything else, under a
 * generation of its own that nobody reads, until it is proved equal to the frozen source.
 *
 * What a source said, whichever of its replicas and however long ago, is taken only where it fits: a page at
 * the cursor and not older than `pos`, changes that begin at or before `pos` and end after it. Then each
 * staged item equals the source's, or the source's revision of it is above `pos`.
 */
export class MoveTarget {
  readonly #store: StateStore;
  readonly #hasher: Hasher;
  readonly #records: RecordTable;
  readonly #slab: Slab = new Slab();

  constructor(store: StateStore, hasher: Hasher, records: RecordTable) {
    this.#store = store;
    this.#hasher = hasher;
    this.#records = records;
  }

  activateEmpty(shard: Shard, step: ActivateEmpty, index: number): MoveOutcome {
    const { moveId } = step;
    if (shard.state !== ShardState.absent || moveId <= shard.fence) return activeOrStale(shard, moveId);
    shard.activateEmpty(moveId, step.epoch, index);
    return { answer: MoveAnswer.active };
  }

  beginImport(shard: Shard, step: BeginImport, index: number): MoveOutcome {
    const { moveId, sourceGid, sourceIncarnation, base } = step;
    if (moveId > shard.fence && mayBegin(shard, step)) {
      const isComplete = false;
      const staging = { sourceGid, sourceIncarnation, cursor: new Uint8Array(0), isComplete, pos: base };
      shard.beginImport(moveId, step.epoch, index, staging);
    }
    return whereItStands(shard, moveId);
  }

  importChunk(shard: Shard, step: ImportChunk): MoveOutcome {
    const staging = stagingOf(shard, step.moveId);
    if (staging !== undefined && !staging.isComplete) this.#takePage(shard, staging, step);
    return whereItStands(shard, step.moveId);
  }

  #takePage(shard: Shard, staging: Staging, step: ImportChunk): void {
    const page = opened(() => openPage(step.page, this.#hasher));
    if (page === undefined || page.moveId !== step.moveId || page.shard !== step.shard) return;
    if (!equalBytes(page.cursor, staging.cursor) || page.view < staging.pos) return;
    const items = readItems(page.items, shard, this.#hasher, this.#slab);
    if (items === undefined || !isRange(items, page)) return;
    // Nothing is staged at the cursor or beyond, so nothing is looked for.
    for (const item of items) {
      if (item.kind === ItemKind.record) this.#records.add(shard, item);
      else this.#addRow(shard, item);
    }
    shard.moveCursor(page.isLast ? CURSOR_END : page.next.slice(), page.isLast);
  }

  importDelta(shard: Shard, step: ImportDelta): MoveOutcome {
    const staging = stagingOf(shard, step.moveId);
    if (staging !== undefined) this.#takeDelta(shard, staging, step);
    return whereItStands(shard, step.moveId);
  }

  #takeDelta(shard: Shard, staging: Staging, step: ImportDelta): void {
    const delta = opened(() => openDelta(step.delta, this.#hasher));
    if (delta === undefined || delta.moveId !== step.moveId || delta.shard !== step.shard) return;
    if (delta.from > staging.pos || delta.to <= staging.pos) return;
    const items = readItems(delta.items, shard, this.#hasher, this.#slab);
    if (items === undefined) return;
    for (const item of items) {
      const isRecord = item.kind === ItemKind.record || item.kind === ItemKind.recordGone;
      const kind = isRecord ? ItemKind.record : ItemKind.row;
      // The page that brings it is still to come, and will not be older than this.
      if (compareToCursor(kind, item.name, staging.cursor) >= 0) continue;
      if (isRecord) this.#takeRecord(shard, item);
      else this.#takeRow(shard, item);
    }
    shard.movePos(delta.to);
  }

  /** Of two states of an item the one of the higher revision stays. */
  #takeRecord(shard: Shard, item: StagedItem): void {
    this.#records.find(shard, item.name, 0);
    if (this.#records.storedRevision >= item.revision) return;
    if (item.kind === ItemKind.record) this.#records.adopt(item);
    else this.#records.remove();
  }

  #takeRow(shard: Shard, item: StagedItem): void {
    const key = keyUnder(shard.rowHead, item.name);
    const stored = this.#store.get(key);
    if (stored !== undefined) {
      if (storedRowRevision(stored) >= item.revision) return;
      forgetStoredRow(shard, stored);
    }
    if (item.kind === ItemKind.row) this.#addRow(shard, item);
    else if (stored !== undefined) this.#store.delete(key);
  }

  activate(shard: Shard, step: Activate): MoveOutcome {
    const { moveId, revision, digests } = step;
    const staging = stagingOf(shard, moveId);
    if (staging === undefined) return activeOrStale(shard, moveId);
    const { cursor, isComplete, pos } = staging;
    if (!isComplete || pos !== revision) return { answer: MoveAnswer.gap, cursor, isComplete, pos };
    if (!shard.records.equals(digests.records) || !shard.rows.equals(digests.rows)) {
      // The fence stays: the only way to serve the shard is to copy it again.
      shard.becomeAbsent();
      return { answer: MoveAnswer.digest };
    }
    shard.activate(revision, step.time);
    findNextDue(this.#store, shard);
    return { answer: MoveAnswer.active };
  }

  abort(shard: Shard, step: Abort): MoveOutcome {
    const { moveId } = step;
    if (moveId < shard.fence) return { answer: MoveAnswer.stale };
    if (isServingBy(shard, moveId)) return { answer: MoveAnswer.active };
    if (moveId > 0) shard.raiseFence(moveId);
    return { answer: MoveAnswer.aborted };
  }

  #addRow(shard: Shard, row: PresentItem): void {
    shard.rowCount++;
    shard.rows.add(row.hashHi, row.hashLo);
    this.#store.put(row.key, row.stored);
  }
}

function mayBegin(shard: Shard, step: BeginImport): boolean {
  switch (shard.state) {
    case ShardState.absent:
      return true;
    case ShardState.frozen:
      // By an older move, since this one is above the fence.
      return true;
    case ShardState.serving:
      return false;
    case ShardState.importing:
      // A late one of the same move must not throw the copy away.
      if (shard.moveId === step.moveId) return step.base > (shard.staging?.pos ?? 0);
      return shard.moveId < step.moveId;
  }
}

/** Records and rows that rise from the page's cursor to the next one. */
function isRange(items: readonly StagedItem[], page: Page): items is readonly PresentItem[] {
  let last: StagedItem | undefined;
  for (const item of items) {
    if (item.kind !== ItemKind.record && item.kind !== ItemKind.row) return false;
    const isNext =
      last === undefined
        ? compareToCursor(item.kind, item.name, page.cursor) >= 0
        : item.kind > last.kind || (item.kind === last.kind && compareBytes(item.name, last.name) > 0);
    if (!isNext) return false;
    last = item;
  }
  if (page.isLast) return true;
  // Beyond all kinds there is nothing, and a copy that went there could not come to its end.
  if (page.next[0] !== ItemKind.record && page.next[0] !== ItemKind.row) return false;
  return last === undefined
    ? compareBytes(page.next, page.cursor) > 0
    : compareToCursor(last.kind, last.name, page.next) < 0;
}

function stagingOf(shard: Shard, moveId: number): Staging | undefined {
  return shard.moveId === moveId ? shard.staging : undefined;
}

function isServingBy(shard: Shard, moveId: number): boolean {
  return shard.state === ShardState.serving && shard.moveId === moveId;
}

function activeOrStale(shard: Shard, moveId: number): MoveOutcome {
  return { answer: isServingBy(shard, moveId) ? MoveAnswer.active : MoveAnswer.stale };
}

function whereItStands(shard: Shard, moveId: number): MoveOutcome {
  const staging = stagingOf(shard, moveId);
  if (staging === undefined) return activeOrStale(shard, moveId);
  const { cursor, isComplete, pos } = staging;
  return { answer: MoveAnswer.staged, cursor, isComplete, pos };
}

/** What the reader returns; undefined too for bytes that cannot be decoded. */
function opened<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
