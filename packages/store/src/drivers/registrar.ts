import type { ClusterConfig, StoreRecord } from '@flotilla/wire';
import { type InternalCommand, registerCommand } from '../admin/router.ts';

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
    this.#command(registerCommand(this.#self), () => {
      this.#open = false;
    });
  }

  #isKnown(): boolean {
    const known = this.#config().stores.find((store) => store.storeId === this.#self.storeId);
    return known?.incarnation === this.#self.incarnation && known.addressVersion >= this.#self.addressVersion;
  }
}
