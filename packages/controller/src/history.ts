import { assert, DecodeError, must, Reader, Writer } from '@flotilla/base';
import type { StateStore } from '@flotilla/ports';
import {
  applyConfigDelta,
  type ClusterConfig,
  type ConfigDelta,
  type ConfigSummary,
  diffConfig,
  readConfig,
  readConfigDelta,
  writeConfig,
  writeConfigDelta,
} from '@flotilla/wire';
import { controllerLimits, numberedKey, Row, rowKey } from './format.ts';

/**
 * Every config for ever. The newest stands as a whole in a row of its own, so that a start reads one row whatever
 * lies behind it. Under its number each has a row as well: what changed since the one before, and every so often
 * a whole one, where the way back to any version ends.
 */
const Form = { whole: 1, delta: 2 } as const;

export class ConfigHistory {
  readonly #store: StateStore;
  readonly #prefix: Uint8Array;
  /** The version read last: whoever reads one asks for the next one soon. */
  #last: ClusterConfig | undefined;

  constructor(store: StateStore, prefix: Uint8Array) {
    this.#store = store;
    this.#prefix = prefix;
  }

  /** The newest config; undefined before the first. Forgets what was read before, as after a snapshot. */
  load(): ClusterConfig | undefined {
    this.#last = undefined;
    const bytes = this.#store.get(this.#newestKey());
    return bytes === undefined ? undefined : readConfig(bytes);
  }

  /** `former` is the newest so far. */
  put(former: ClusterConfig, config: ClusterConfig): void {
    assert(
      config.number === former.number + 1,
      () => `config ${config.number} after config ${former.number}`,
    );
    const whole = new Writer(64 + 16 * config.shards.length);
    writeConfig(whole, config);
    const newest = whole.finish();
    this.#store.put(this.#newestKey(), newest);
    const out = new Writer(256);
    if (isWhole(config.number)) {
      out.u8(Form.whole);
      out.raw(newest);
    } else {
      out.u8(Form.delta);
      writeConfigDelta(out, diffConfig(former, config));
    }
    this.#store.put(numberedKey(this.#prefix, Row.config, config.number), out.finish());
  }

  /** Any version; undefined for a number that there never was. */
  get(number: number): ClusterConfig | undefined {
    if (this.#last?.number === number) return this.#last;
    const forward: ConfigDelta[] = [];
    let config: ClusterConfig | undefined;
    for (let at = number; config === undefined; at--) {
      if (this.#last?.number === at) {
        config = this.#last;
        continue;
      }
      const row = this.#row(at);
      if (row === undefined && at === number) return undefined;
      const { form, bytes } = must(row, () => `config ${at} is stored, since config ${number} rests on it`);
      if (form === Form.whole) config = readConfig(bytes);
      else forward.push(readConfigDelta(bytes));
    }
    for (const delta of forward.reverse()) {
      config = must(
        applyConfigDelta(config, delta),
        () => `config ${delta.number} rests on config ${delta.from}`,
      );
    }
    this.#last = config;
    return config;
  }

  /** When, by whom and why, without the shards: one row, whatever the version. */
  summary(number: number): ConfigSummary | undefined {
    const row = this.#row(number);
    if (row === undefined) return undefined;
    const { cause, author, atMs } =
      row.form === Form.whole ? readConfig(row.bytes) : readConfigDelta(row.bytes);
    return { number, cause, author, atMs };
  }

  #row(number: number): { readonly form: number; readonly bytes: Uint8Array } | undefined {
    const stored = this.#store.get(numberedKey(this.#prefix, Row.config, number));
    if (stored === undefined) return undefined;
    const from = new Reader(stored);
    const form = from.u8();
    if (form !== Form.whole && form !== Form.delta) {
      throw new DecodeError(`config ${number} is stored in the unknown form ${form}`, { number, form });
    }
    return { form, bytes: from.raw(from.remaining) };
  }

  #newestKey(): Uint8Array {
    return rowKey(this.#prefix, Row.newestConfig, new Uint8Array(0));
  }
}

/** The first is: nothing stands before it. */
function isWhole(number: number): boolean {
  return (number - 1) % controllerLimits.configsPerCopy === 0;
}
