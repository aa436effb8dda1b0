import type { StoreId } from '@flotilla/base';
import type { ClusterConfig } from '@flotilla/wire';
import { Link, type LinkOwner } from './link.ts';

/** All stores that the client knows: named ones, and endpoints that have not said yet which store they are. */
export class Links {
  readonly #owner: LinkOwner;
  readonly #byStore = new Map<StoreId, Link>();
  readonly #endpoints: readonly string[];
  readonly #strangers: Link[];
  #turn: number;

  constructor(owner: LinkOwner, endpoints: readonly string[]) {
    this.#owner = owner;
    this.#endpoints = [...new Set(endpoints)];
    this.#strangers = this.#endpoints.map((address) => new Link(owner, address));
    this.#turn = owner.ports.random.below(this.#strangers.length);
  }

  of(storeId: StoreId): Link | undefined {
    return this.#byStore.get(storeId);
  }

  all(): Link[] {
    return [...this.#byStore.values(), ...this.#strangers];
  }

  /**
   * The link has found out whose it is. False if that store has an open link already: then this one is not
   * needed, and its address becomes a second way to the store.
   */
  register(link: Link, storeId: StoreId): boolean {
    const known = this.#byStore.get(storeId);
    if (known === link) return true;
    const at = this.#strangers.indexOf(link);
    if (at >= 0) this.#strangers.splice(at, 1);
    if (known?.isOpen === true) {
      known.addresses.push(...link.addresses.filter((address) => !known.addresses.includes(address)));
      return false;
    }
    if (known !== undefined) {
      link.addresses.push(...known.addresses.filter((address) => !link.addresses.includes(address)));
      link.session ??= known.session;
      known.close('another connection to the same store was faster');
    }
    this.#byStore.set(storeId, link);
    return true;
  }

  /** Learns new stores and new addresses; connections stay as they are until they are needed. */
  take(config: ClusterConfig): void {
    for (const store of config.stores) {
      if (store.address === '') continue;
      const known = this.#byStore.get(store.storeId);
      if (known === undefined) this.#byStore.set(store.storeId, this.#linkTo(store.address, store.storeId));
      else if (!known.addresses.includes(store.address)) known.prefer(store.address);
    }
    const named = new Set(config.stores.map((store) => store.storeId));
    for (const [storeId, link] of this.#byStore) {
      if (named.has(storeId) || link.isOpen || link.isDialling) continue;
      this.#byStore.delete(storeId);
    }
  }

  /** An endpoint that turns out to be this store, else a new link: two for one address would dial it twice. */
  #linkTo(address: string, storeId: StoreId): Link {
    const at = this.#strangers.findIndex((stranger) => stranger.addresses.includes(address));
    const [stranger] = at < 0 ? [] : this.#strangers.splice(at, 1);
    if (stranger === undefined) return new Link(this.#owner, address, storeId);
    stranger.storeId = storeId;
    return stranger;
  }

  /** A leader hint may name a store that no config has told us of. */
  learn(storeId: StoreId, address: string): void {
    if (this.#byStore.has(storeId) || address === '') return;
    this.#byStore.set(storeId, this.#linkTo(address, storeId));
  }

  /** Any open link, a different one each time; without one, begins to dial and returns undefined. */
  any(nowMs: number): Link | undefined {
    this.#turn++;
    const open = this.all().filter((link) => link.isOpen);
    if (open.length > 0) return open[this.#turn % open.length];
    this.#restoreEndpoints();
    const links = this.all();
    for (let step = 0; step < links.length; step++) {
      const link = links[(this.#turn + step) % links.length] as Link;
      if (link.readiness(nowMs) === 'soon') return undefined;
    }
    return undefined;
  }

  /** Stores come and go, but what the user named is always worth another attempt. */
  #restoreEndpoints(): void {
    const known = new Set(this.all().flatMap((link) => link.addresses));
    for (const address of this.#endpoints) {
      if (!known.has(address)) this.#strangers.push(new Link(this.#owner, address));
    }
  }

  /** Why each store cannot be used now, for messages to people. */
  describe(): string {
    return this.all()
      .map((link) => {
        const name = link.storeId === undefined ? '' : `${link.storeId} at `;
        const address = link.lastAddress || link.addresses[0];
        const state = link.isOpen ? 'connected' : (link.lastEnd?.reason ?? 'not tried');
        return `${name}${address}: ${state}`;
      })
      .join('; ');
  }
}
