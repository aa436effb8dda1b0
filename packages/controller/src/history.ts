import { DecodeError, Reader, Writer } from '@flotilla/base';
import type { StateStore } from '@flotilla/ports';
import { type ClusterConfig, readConfig, writeConfig } from '@flotilla/wire';
import { numberedKey, Row } from './format.ts';

/**
 * Every config for ever. How a version is stored is known here alone: today each one in full, behind a byte
 * that tells, so that old versions can become differences to a later one without touching what is written.
 */
const FULL = 1;

export class ConfigHistory {
  readonly #store: StateStore;
  readonly #prefix: Uint8Array;

  constructor(store: StateStore, prefix: Uint8Array) {
    this.#store = store;
    this.#prefix = prefix;
  }

  put(config: ClusterConfig): void {
    const out = new Writer(64 + 16 * config.shards.length);
    out.u8(FULL);
    writeConfig(out, config);
    this.#store.put(numberedKey(this.#prefix, Row.config, config.number), out.finish());
  }

  get(number: number): ClusterConfig | undefined {
    const bytes = this.#store.get(numberedKey(this.#prefix, Row.config, number));
    if (bytes === undefined) return undefined;
    const from = new Reader(bytes);
    const form = from.u8();
    if (form !== FULL) throw new DecodeError(`config ${number} is stored in the unknown form ${form}`);
    return readConfig(from.raw(from.remaining));
  }
}
