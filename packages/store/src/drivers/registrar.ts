import type { ClusterConfig, StoreRecord } from '@flotilla/wire';
import type { InternalCommand } from '../admin/changes.ts';

const REPEAT_MS = 500;

/** Tells the controller who and where this store is, until the config says the same. */
export class Registrar {
  readonly #self: StoreRecord;
  readonly #config: () => ClusterConfig;
  readonly #now: () => number;
  readonly #command: (command: InternalCommand, done: () => void) => void;
  #open = false;
  #askedAt: number = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly self: StoreRecord;
    readonly config: () => ClusterConfig;
    readonly now: () => number;
    readonly command: (command: InternalCommand, done: () => void) => void;
  }) {
    this.#self = options.self;
    this.#config = options.config;
    this.#now = options.now;
    this.#command = options.command;
  }

  tick(): void {
    const now = this.#now();
    if (this.#open || now - this.#askedAt < REPEAT_MS || this.#isKnown()) return;
    this.#open = true;
    this.#askedAt = now;
    this.#command({ kind: 'registerStore', ...this.#self }, () => {
      this.#open = false;
    });
  }

  /**
   * A restart at the same place is no news, though it raised the version of the address: a config for each
   * start of each store would only fill the history.
   */
  #isKnown(): boolean {
    const { storeId, incarnation, address, zone, addressVersion } = this.#self;
    const known = this.#config().stores.find((store) => store.storeId === storeId);
    if (known?.incarnation !== incarnation) return false;
    return known.addressVersion >= addressVersion || (known.address === address && known.zone === zone);
  }
}
