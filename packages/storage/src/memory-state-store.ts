import { assert, CorruptionError, hexEncode } from '@flotilla/base';
import type { StateSnapshot, StateStore, StateView, TimerId } from '@flotilla/ports';
import { keyText } from './key-text.ts';
import { storageTuning } from './limits.ts';
import { MemoryCommits, type MemoryWorld } from './memory-commits.ts';
import { type SortedTree, sortedTree } from './sorted-tree.ts';

export interface Item {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly damaged: boolean;
}

type Items = SortedTree<Item>;

/** The state of a disk at some moment. */
export interface StateCopy {
  readonly items: Items;
}

interface Change {
  readonly from: string;
  /** Set for a range, which is removed; else the item at `from` becomes `item`. */
  readonly to: string | undefined;
  readonly item: Item | undefined;
}

/** State store for simulations: an applied and a durable tree, and the changes that wait between them. */
export class MemoryStateStore implements StateStore {
  readonly #world: MemoryWorld;
  readonly #commits: MemoryCommits;
  #applied: Items = sortedTree<Item>();
  #durable: Items = sortedTree<Item>();
  #open: Change[] = [];
  #sealed = 0;
  #synced = 0;
  readonly #snapshots = new Set<MemorySnapshot>();
  readonly #releases: { readonly from: string; readonly to: string; readonly after: number }[] = [];
  #releasing = false;
  #visiting = false;
  /** What is stored, whether its checksum fits or not: for observers, who must not stumble over damage. */
  readonly raw: StateView = {
    get: (key) => this.#applied.get(keyText(key))?.value,
    scan: (from, to, visit, options) =>
      walk(this.#applied, from, to, visit, options?.reverse === true, (item) => item),
  };

  constructor(world: MemoryWorld) {
    this.#world = world;
    this.#commits = new MemoryCommits(world);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#enter();
    return read(this.#applied, key);
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
    options?: { readonly reverse?: boolean },
  ): void {
    this.#enter();
    this.#visiting = true;
    try {
      walk(this.#applied, from, to, visit, options?.reverse === true);
    } finally {
      this.#visiting = false;
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#enter();
    const text = keyText(key);
    const item = { key, value, damaged: false };
    this.#applied.set(text, item);
    this.#open.push({ from: text, to: undefined, item });
  }

  delete(key: Uint8Array): void {
    this.#enter();
    const text = keyText(key);
    this.#applied.delete(text);
    this.#open.push({ from: text, to: undefined, item: undefined });
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#enter();
    const change = { from: keyText(from), to: keyText(to), item: undefined };
    this.#applied.deleteRange(change.from, change.to, false);
    this.#open.push(change);
  }

  commit(done: (failure: Error | undefined) => void): void {
    const changes = this.#open;
    this.#open = [];
    this.#sealed++;
    this.#commits.push(() => {
      this.#synced++;
      for (const change of changes) applyChange(this.#durable, change);
    }, done);
  }

  snapshot(): StateSnapshot | undefined {
    this.#commits.assertAlive();
    if (this.#snapshots.size >= storageTuning.snapshotsMax) return undefined;
    const { timers } = this.#world;
    const snapshot = new MemorySnapshot(this.#durable.clone(), (timer) => {
      timers.clear(timer);
      this.#snapshots.delete(snapshot);
    });
    snapshot.timer = timers.set(storageTuning.snapshotLifeMsMax, () => snapshot.close());
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  release(from: Uint8Array, to: Uint8Array): void {
    this.#commits.assertAlive();
    // The open transaction may still write into the range; it must be gone first.
    const after = this.#open.length > 0 ? this.#sealed + 1 : this.#sealed;
    this.#releases.push({ from: keyText(from), to: keyText(to), after });
    this.#releaseLater();
  }

  // What only the simulator calls.

  get pendingCommits(): number {
    return this.#commits.pendingCount;
  }

  /** Keys in the durable state; tests of range removal watch it shrink. */
  get durableCount(): number {
    return this.#durable.size;
  }

  /** The process dies, the machine stays up: all that was committed survives, the open transaction does not. */
  crash(): MemoryStateStore {
    return this.powerCut((pending) => pending);
  }

  /** The machine dies: of the pending commits the first `keep(count)` survive. */
  powerCut(keep: (pendingCount: number) => number): MemoryStateStore {
    this.#commits.die(keep(this.#commits.pendingCount));
    for (const snapshot of this.#snapshots) snapshot.close();
    const next = new MemoryStateStore(this.#world);
    next.#applied = this.#durable.clone();
    next.#durable = this.#durable;
    return next;
  }

  failNextCommit(failure: Error = new Error('injected: input/output error')): void {
    this.#commits.failNext(failure);
  }

  stall(): void {
    this.#commits.stall();
  }

  resume(): void {
    this.#commits.resume();
  }

  /** Flips a bit in the value of the key; the next write of the key heals it. */
  corrupt(key: Uint8Array): void {
    const text = keyText(key);
    for (const items of [this.#applied, this.#durable]) {
      const item = items.get(text);
      if (item !== undefined) items.set(text, { ...item, damaged: true });
    }
  }

  /** A copy of the durable state, for {@link rolledBackTo}. */
  copy(): StateCopy {
    return { items: this.#durable.clone() };
  }

  /** After the machine died: the disk comes back with what it held when the copy was made. */
  rolledBackTo({ items }: StateCopy): MemoryStateStore {
    const next = new MemoryStateStore(this.#world);
    next.#durable = items.clone();
    next.#applied = items.clone();
    return next;
  }

  #enter(): void {
    this.#commits.assertAlive();
    assert(!this.#visiting, 'the visitor of a scan must not use the store');
  }

  #releaseLater(): void {
    if (this.#releasing || this.#releases.length === 0) return;
    this.#releasing = true;
    this.#world.timers.set(storageTuning.releaseDelayMs, () => {
      this.#releasing = false;
      if (this.#commits.dead) return;
      this.#releaseSlice();
      this.#releaseLater();
    });
  }

  #releaseSlice(): void {
    const isOne = this.#world.rare?.take('release-of-one') === true;
    for (let left = isOne ? 1 : storageTuning.releaseKeysMax; left > 0; ) {
      const release = this.#releases[0];
      if (release === undefined || this.#synced < release.after) return;
      const texts: string[] = [];
      this.#durable.forRange(release.from, release.to, false, (text: string) => {
        texts.push(text);
        return texts.length < left ? undefined : { break: true };
      });
      for (const text of texts) {
        this.#applied.delete(text);
        this.#durable.delete(text);
      }
      if (texts.length < left) this.#releases.shift();
      // An empty range costs something, too.
      left -= texts.length + 1;
    }
  }
}

class MemorySnapshot implements StateSnapshot {
  timer: TimerId = 0;
  #items: Items | undefined;
  readonly #closed: (timer: TimerId) => void;

  constructor(items: Items, closed: (timer: TimerId) => void) {
    this.#items = items;
    this.#closed = closed;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return read(this.#live(), key);
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
    options?: { readonly reverse?: boolean },
  ): void {
    walk(this.#live(), from, to, visit, options?.reverse === true);
  }

  close(): void {
    if (this.#items === undefined) return;
    this.#items = undefined;
    this.#closed(this.timer);
  }

  #live(): Items {
    if (this.#items === undefined)
      throw new Error('this snapshot of the state is closed or outlived its time');
    return this.#items;
  }
}

function applyChange(items: Items, change: Change): void {
  if (change.to !== undefined) items.deleteRange(change.from, change.to, false);
  else if (change.item === undefined) items.delete(change.from);
  else items.set(change.from, change.item);
}

function sound(item: Item): Item {
  if (!item.damaged) return item;
  throw new CorruptionError('state: the checksum of a value does not fit (injected)', {
    key: hexEncode(item.key),
  });
}

function read(items: Items, key: Uint8Array): Uint8Array | undefined {
  const item = items.get(keyText(key));
  return item === undefined ? undefined : sound(item).value;
}

function walk(
  items: Items,
  from: Uint8Array,
  to: Uint8Array | undefined,
  visit: (key: Uint8Array, value: Uint8Array) => boolean,
  reverse: boolean,
  checked: (item: Item) => Item = sound,
): void {
  const low = keyText(from);
  const high = to === undefined ? undefined : keyText(to);
  assert(high === undefined || low <= high, 'a scan goes from a lower key to a higher one');
  if (items.size === 0) return;
  if (reverse) {
    for (const [text, item] of items.entriesReversed(high, undefined, true)) {
      if (text < low) return;
      if (!visit(checked(item).key, item.value)) return;
    }
    return;
  }
  const stop = { break: true };
  const each = (_text: string, item: Item): { break: boolean } | undefined =>
    visit(checked(item).key, item.value) ? undefined : stop;
  const max = high ?? items.maxKey();
  if (max !== undefined) items.forRange(low, max, high === undefined, each);
}
