import { Writer } from '@flotilla/base';
import { EMPTY_CONFIG } from '@flotilla/controller';
import type { StateStore } from '@flotilla/ports';
import {
  applyConfigDelta,
  type ClusterConfig,
  diffConfig,
  readConfig,
  readConfigDelta,
  writeConfig,
  writeConfigDelta,
} from '@flotilla/wire';

/** Above every group's range in the state store: gid 0xffffffff is no group. */
const CONFIG_KEY = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x01);

/** One step of the config held here. */
export interface ConfigChange {
  readonly config: ClusterConfig;
  readonly encoded: Uint8Array;
  /** Number of the config before. */
  readonly from: number;
  /** What turns that one into this one; undefined when there was none. */
  readonly delta: Uint8Array | undefined;
}

function deltaOf(former: ClusterConfig, config: ClusterConfig): Uint8Array | undefined {
  if (former.number === 0) return undefined;
  const out = new Writer(512);
  writeConfigDelta(out, diffConfig(former, config));
  return out.take();
}

/**
 * The newest config that this store has seen. It is kept in the state store, so that a restart without any
 * controller in reach goes on with it: the data plane never waits for the controller.
 */
export class ConfigHolder {
  readonly #stateStore: StateStore;
  readonly #failed: (cause: Error) => void;
  readonly #listeners: ((change: ConfigChange) => void)[] = [];
  #config: ClusterConfig = EMPTY_CONFIG;
  #encoded: Uint8Array = new Uint8Array(0);

  /** `failed`: a commit of the state failed, and the process must end. */
  constructor(stateStore: StateStore, failed: (cause: Error) => void) {
    this.#stateStore = stateStore;
    this.#failed = failed;
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

  onChange(listener: (change: ConfigChange) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes a config that is newer than the one held; older ones are old news. */
  offer(config: ClusterConfig): void {
    if (config.number <= this.#config.number) return;
    const former = this.#config;
    const out = new Writer(4096);
    writeConfig(out, config);
    this.#encoded = out.take();
    this.#config = config;
    // Before any replica that rests on this config becomes durable. And in a transaction that ends, too, where
    // nothing else happens: what was given up is deleted only behind the one that was open then.
    this.#stateStore.put(CONFIG_KEY, this.#encoded);
    this.#stateStore.commit((failure) => {
      if (failure !== undefined) this.#failed(failure);
    });
    const change = { config, encoded: this.#encoded, from: former.number, delta: deltaOf(former, config) };
    for (const listener of this.#listeners) listener(change);
  }

  /** Takes a delta if it fits the config held; false: ask for the whole, unless what we hold is newer. */
  offerDelta(bytes: Uint8Array): boolean {
    const delta = readConfigDelta(bytes);
    if (delta.number <= this.#config.number) return true;
    const config = applyConfigDelta(this.#config, delta);
    if (config === undefined) return false;
    this.offer(config);
    return true;
  }

  offerEncoded(encoded: Uint8Array): void {
    this.offer(readConfig(encoded));
  }
}
