import { isStoreId, type StoreId } from '@flotilla/base';
import { type AddressEntry, limits } from '@flotilla/wire';

/**
 * Where stores are, as far as this one knows: one line for each store, the higher version wins. Only the
 * store itself raises its version, at every start and when it meets a line about itself that it did not
 * write (for example by the life before its disk was lost); so the lines of all stores become equal.
 */

/** Leaves room to count on from any version that was accepted from outside. */
const VERSION_MAX = 2 ** 52;

interface Line {
  entry: AddressEntry;
  /** Revision of this book at which the line changed last. */
  changedAt: number;
}

export class AddressBook {
  readonly #self: StoreId;
  readonly #lines = new Map<StoreId, Line>();
  #revision = 0;

  constructor(
    self: { readonly storeId: StoreId; readonly incarnation: string },
    address: string,
    stored: readonly AddressEntry[],
  ) {
    this.#self = self.storeId;
    const version = stored.find((entry) => entry.storeId === self.storeId)?.version ?? 0;
    this.#write({ ...self, address, version: version + 1 });
    this.merge(stored);
  }

  /** Grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  /** The line about this store. */
  get own(): AddressEntry {
    return (this.#lines.get(this.#self) as Line).entry;
  }

  get(storeId: StoreId): AddressEntry | undefined {
    return this.#lines.get(storeId)?.entry;
  }

  /** In order of store ids. */
  entries(): AddressEntry[] {
    return this.changedSince(-1);
  }

  changedSince(revision: number): AddressEntry[] {
    const changed: AddressEntry[] = [];
    for (const line of this.#lines.values()) if (line.changedAt > revision) changed.push(line.entry);
    return changed.sort((left, right) => (left.storeId < right.storeId ? -1 : 1));
  }

  setOwnAddress(address: string): boolean {
    const { own } = this;
    if (own.address === address) return false;
    this.#write({ ...own, address, version: own.version + 1 });
    return true;
  }

  /** Takes over what is newer; returns the ids of the stores whose line changed. */
  merge(entries: readonly AddressEntry[]): readonly StoreId[] {
    const changed: StoreId[] = [];
    for (const entry of entries) if (this.#consider(entry)) changed.push(entry.storeId);
    return changed;
  }

  #consider(entry: AddressEntry): boolean {
    const { storeId, version } = entry;
    if (!isStoreId(storeId) || version > VERSION_MAX || entry.address.length > limits.addressBytes)
      return false;
    const known = this.#lines.get(storeId)?.entry;
    if (known === undefined) {
      if (this.#lines.size >= limits.storesMax || entry.address === '') return false;
      this.#write(entry);
      return true;
    }
    if (storeId === this.#self) return this.#contest(known, entry);
    if (version <= known.version || entry.address === '') return false;
    this.#write({ ...entry, incarnation: entry.incarnation === '' ? known.incarnation : entry.incarnation });
    return true;
  }

  /** Someone has a line about us. If it would win over ours with other contents, ours must become newer. */
  #contest(own: AddressEntry, theirs: AddressEntry): boolean {
    // A line that came from a config knows no incarnation.
    const sameLife = theirs.incarnation === own.incarnation || theirs.incarnation === '';
    const same = theirs.address === own.address && sameLife;
    if (theirs.version < own.version || (same && theirs.version === own.version)) return false;
    this.#write({ ...own, version: theirs.version + 1 });
    return true;
  }

  #write(entry: AddressEntry): void {
    this.#lines.set(entry.storeId, { entry, changedAt: ++this.#revision });
  }
}
