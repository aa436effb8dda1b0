import { must } from '@flotilla/base';
import { keyText } from './key-text.ts';
import { type SortedTree, sortedTree } from './sorted-tree.ts';

/** A write that is not durable yet. */
export interface PendingWrite {
  readonly key: Uint8Array;
  readonly text: string;
  /** Undefined: the key is deleted. */
  readonly value: Uint8Array | undefined;
  /** Number of its transaction. */
  readonly transaction: number;
  /** A later write of the same key that came before this one was durable. */
  newer: PendingWrite | undefined;
}

/**
 * Writes on their way to the disk, on top of which every read looks: the newest one for each key. Point reads
 * use a hash map. The ordered index is brought up to date only when somebody scans, since most writes become
 * durable before anybody does.
 */
export class StateOverlay {
  readonly #newest = new Map<string, PendingWrite>();
  readonly #index: SortedTree<PendingWrite> = sortedTree<PendingWrite>();
  #unindexed: PendingWrite[] = [];

  get size(): number {
    return this.#newest.size;
  }

  add(key: Uint8Array, value: Uint8Array | undefined, transaction: number): PendingWrite {
    const text = keyText(key);
    const write: PendingWrite = { key, text, value, transaction, newer: undefined };
    const older = this.#newest.get(text);
    if (older !== undefined) older.newer = write;
    this.#newest.set(text, write);
    this.#unindexed.push(write);
    return write;
  }

  get(key: Uint8Array): PendingWrite | undefined {
    return this.#newest.size === 0 ? undefined : this.#newest.get(keyText(key));
  }

  /** The disk has it now. */
  remove(write: PendingWrite): void {
    if (write.newer !== undefined) return;
    this.#newest.delete(write.text);
    if (this.#index.size > 0) this.#index.delete(write.text);
  }

  /** Call it after removals: forgets writes that wait for the index and are durable already. */
  trim(): void {
    if (this.#unindexed.length <= 2 * this.#newest.size + 1_000) return;
    this.#unindexed = this.#unindexed.filter((write) => this.#newest.get(write.text) === write);
  }

  /** Newest writes of keys in [from, to), in key order; `to` undefined: to the end. */
  range(from: string, to: string | undefined, reverse: boolean): OverlayCursor | undefined {
    if (this.#newest.size === 0) return undefined;
    for (const write of this.#unindexed) {
      if (this.#newest.get(write.text) === write) this.#index.set(write.text, write);
    }
    this.#unindexed = [];
    const cursor = new OverlayCursor(this.#index, from, to, reverse);
    return cursor.current === undefined ? undefined : cursor;
  }
}

/** Walks the index in either direction. The overlay must not change meanwhile. */
export class OverlayCursor {
  current: PendingWrite | undefined;
  readonly #pairs: IterableIterator<[string, PendingWrite]>;
  readonly #from: string;
  readonly #to: string | undefined;

  constructor(index: SortedTree<PendingWrite>, from: string, to: string | undefined, reverse: boolean) {
    this.#from = from;
    this.#to = to;
    this.#pairs = reverse ? index.entriesReversed(to, undefined, true) : index.entries(from);
    this.advance();
  }

  advance(): void {
    const next = this.#pairs.next();
    const write = next.done === true ? undefined : must(next.value, 'a pair')[1];
    const inside =
      write !== undefined && write.text >= this.#from && (this.#to === undefined || write.text < this.#to);
    this.current = inside ? write : undefined;
  }
}
