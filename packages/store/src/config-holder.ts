import { Writer } from '@flotilla/base';
import { EMPTY_CONFIG } from '@flotilla/controller';
import type { StateStore } from '@flotilla/ports';
import { type ClusterConfig, readConfig, writeConfig } from '@flotilla/wire';

/** Above every group's range in the state store: gid 0xffffffff is no group. */
const CONFIG_KEY = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x01);

/**
 * The newest config that this store has seen. It is kept in the state store, so that a restart without any
 * controller in reach goes on with it: the data plane never waits for the controller.
 */
export class ConfigHolder {
  readonly #stateStore: StateStore;
  readonly #listeners: ((config: ClusterConfig, encoded: Uint8Array) => void)[] = [];
  #config: ClusterConfig = EMPTY_CONFIG;
  #encoded: Uint8Array = new Uint8Array(0);

  constructor(stateStore: StateStore) {
    this.#stateStore = stateStore;
  }

  /** Called once before anything is opened. */
  load(): void {
    const stored = this.#stateStore.get(CONFIG_KEY);
    if (stored === undefined) return;
    this.#encoded = stored.slice();
    this.#config = readConfig(this.#encoded);
  }

  get config(): ClusterConfig {
    return this.#config;
  }

  /** Bytes of {@link config}; empty before the first. */
  get encoded(): Uint8Array {
    return this.#encoded;
  }

  onChange(listener: (config: ClusterConfig, encoded: Uint8Array) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes a config that is newer than the one held; older ones are old news. */
  offer(config: ClusterConfig): void {
    if (config.number <= this.#config.number) return;
    const out = new Writer(4096);
    writeConfig(out, config);
    this.#encoded = out.take();
    this.#config = config;
    // Joins the next transaction, which is before any replica that rests on this config becomes durable.
    this.#stateStore.put(CONFIG_KEY, this.#encoded);
    for (const listener of this.#listeners) listener(config, this.#encoded);
  }

  offerEncoded(encoded: Uint8Array): void {
    this.offer(readConfig(encoded));
  }
}
