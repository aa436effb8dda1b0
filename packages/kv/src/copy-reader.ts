import { assert, EMPTY_BYTES, hexEncode, Writer } from '@flotilla/base';
import type { Hasher, StateStore } from '@flotilla/ports';
import { ItemKind, limits, sealDelta, writeGoneItem, writeItem, writePage } from '@flotilla/wire';
import type { ChangeIndex, Cut } from './change-index.ts';
import { cursorAt } from './cursor.ts';
import { headEnd, keyUnder } from './keys.ts';
import { recordVersion } from './record-table.ts';
import { storedRowRevision } from './session-row.ts';
import type { OpenExport, Shard } from './shard.ts';

/**
 * Pages and changes of a shard that moves away, read from the present state: no view is held from one page to
 * the next, and nothing is replayed. Session rows must have been written back.
 */

const ITEM_HEAD_BYTES = 7;

/** Everything that may be open as a shard freezes goes into one piece: writers are waiting. */
const LAST_PIECE: Cut = { bytesMax: limits.freezeBytes, leavesLargest: true };

export interface Changes {
  readonly to: number;
  /** Sealed; empty when nothing changed. */
  readonly delta: Uint8Array;
}

export class CopyReader {
  readonly #store: StateStore;
  readonly #hasher: Hasher;
  readonly #index: ChangeIndex;
  readonly #piece: Cut;

  constructor(store: StateStore, hasher: Hasher, index: ChangeIndex, pieceBytes: number) {
    this.#piece = { bytesMax: pieceBytes, leavesLargest: false };
    this.#store = store;
    this.#hasher = hasher;
    this.#index = index;
  }

  /** The sealed page that begins at `cursor`. A cursor that nobody was given is a place in the order, too. */
  page(shard: Shard, moveId: number, cursor: Uint8Array): Uint8Array {
    const head = { moveId, shard: shard.number, cursor, view: shard.revision };
    const kind = cursor[0] ?? ItemKind.record;
    const name = cursor.subarray(1);
    const write = (items: Writer): { readonly next: Uint8Array; readonly isLast: boolean } => {
      const begin = items.length;
      let next: Uint8Array | undefined;
      if (kind <= ItemKind.record) {
        const from = kind === ItemKind.record ? name : EMPTY_BYTES;
        next = this.#fill(items, begin, shard.recordHead, ItemKind.record, from);
      }
      if (next === undefined && kind <= ItemKind.row) {
        const from = kind === ItemKind.row ? name : EMPTY_BYTES;
        next = this.#fill(items, begin, shard.rowHead, ItemKind.row, from);
      }
      return { next: next ?? EMPTY_BYTES, isLast: next === undefined };
    };
    return writePage(head, this.#piece.bytesMax, write, this.#hasher);
  }

  /** Adds items from `name` on; returns the cursor of the first that has no room, if there is one. */
  #fill(
    items: Writer,
    begin: number,
    head: Uint8Array,
    kind: typeof ItemKind.record | typeof ItemKind.row,
    name: Uint8Array,
  ): Uint8Array | undefined {
    let next: Uint8Array | undefined;
    this.#store.scan(keyUnder(head, name), headEnd(head), (key, stored) => {
      const itemBytes = ITEM_HEAD_BYTES + key.length - head.length + stored.length;
      const name = key.subarray(head.length);
      if (items.length > begin && items.length + itemBytes > begin + this.#piece.bytesMax) {
        next = cursorAt(kind, name);
        return false;
      }
      writeItem(items, kind, name, stored);
      return true;
    });
    return next;
  }

  /** What changed after `from`, in pieces. */
  changes(shard: Shard, open: OpenExport, from: number): Changes {
    return this.#changes(shard, open, from, this.#piece);
  }

  /** The same, and in one piece whatever may be open as a shard freezes. */
  lastChanges(shard: Shard, open: OpenExport, from: number): Changes {
    return this.#changes(shard, open, from, LAST_PIECE);
  }

  /**
   * Items as they are now. The last entry of a name decides: an item that was changed again, later than its
   * entry says, has an entry of its own there. So they are read from the last entry to the first.
   */
  #changes(shard: Shard, open: OpenExport, from: number, cut: Cut): Changes {
    if (from === shard.revision) return { to: from, delta: EMPTY_BYTES };
    const { changes, to = shard.revision } = this.#index.list(open, from, cut);
    const items = new Writer(this.#piece.bytesMax);
    const gone = new Set<string>();
    for (let at = changes.length - 1; at >= 0; at--) {
      const { revision, kind, name } = changes[at] as (typeof changes)[number];
      const isRecord = kind === ItemKind.record;
      const stored = this.#store.get(keyUnder(isRecord ? shard.recordHead : shard.rowHead, name));
      if (stored === undefined) {
        const known = `${kind} ${hexEncode(name)}`;
        if (gone.has(known)) continue;
        gone.add(known);
        writeGoneItem(items, isRecord ? ItemKind.recordGone : ItemKind.rowGone, name, revision);
        continue;
      }
      const present = isRecord ? recordVersion(stored) : storedRowRevision(stored);
      assert(present >= revision, () => `an item at revision ${present} was changed at ${revision}`);
      if (present !== revision) continue;
      writeItem(items, isRecord ? ItemKind.record : ItemKind.row, name, stored);
    }
    const head = { moveId: open.moveId, shard: shard.number, from, to };
    return { to, delta: sealDelta({ ...head, items: items.take() }, this.#hasher) };
  }
}
