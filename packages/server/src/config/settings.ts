import { CONTROLLER_GID, parseStoreId, UsageError } from '@flotilla/base';
import { limits } from '@flotilla/wire';
import { z } from 'zod';
import { addressText, isLoopback, isWildcard, parseAddress, parseAddresses, parseDuration } from './texts.ts';

/**
 * Every setting of a store process, once. Flags (`--log-level`), environment (`FLOTILLA_LOG_LEVEL`), the keys
 * of the YAML file (`log-level`), defaults, checks and help all come from this table.
 */

export type LogLevelName = 'debug' | 'info' | 'warn' | 'error';

export interface StoreConfig {
  readonly id: string;
  readonly listen: string;
  /** Undefined: the address that is listened on. */
  readonly advertise: string | undefined;
  readonly data: string;
  readonly join: readonly string[];
  /** Empty: only joins. */
  readonly bootstrap: readonly string[];
  readonly shards: number;
  readonly zone: string;
  readonly logLevel: LogLevelName;
  readonly insecure: boolean;
  readonly heartbeat: number;
  readonly electionTimeout: number;
  readonly lease: boolean;
  readonly drainTimeout: number;
}

export interface Setting<T> {
  /** Reads the text of a flag or variable, or the value of a YAML file. */
  readonly schema: z.ZodType<T>;
  /** What a person would write; undefined when it has to be given or something else steps in. */
  readonly fallback: string | undefined;
  /** Stands for the value in help; undefined for a switch. */
  readonly placeholder: string | undefined;
  readonly help: string;
}

type Scalar = z.ZodType<string>;
const scalar: Scalar = z
  .union([z.string(), z.number(), z.boolean()], { error: 'a single value is wanted here' })
  .transform(String);

/** A schema out of a function that throws {@link UsageError}. */
function parsed<T>(parse: (text: string) => T, from: Scalar = scalar): z.ZodType<T> {
  return from.transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
}

const listText: Scalar = z
  .union([z.string(), z.number().transform(String), z.array(scalar).transform((items) => items.join(','))], {
    error: 'a list is wanted here: a,b,c or one item a line',
  })
  .transform(String);

const someText = parsed((text) => {
  if (text.trim() === '') throw new UsageError('it is empty');
  return text;
});

const address = parsed((text) => addressText(parseAddress(text)));
const duration = parsed(parseDuration);

const addresses = parsed((text) => (text.trim() === '' ? [] : parseAddresses(text)), listText);

const switchOn = parsed((text) => {
  if (['true', '1', 'yes', 'on', ''].includes(text.toLowerCase())) return true;
  if (['false', '0', 'no', 'off'].includes(text.toLowerCase())) return false;
  throw new UsageError(`"${text}" is neither on nor off`);
});

const storeIds = parsed((text) => {
  const ids = text.trim() === '' ? [] : text.split(',').map((id) => parseStoreId(id.trim()));
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw new UsageError(`store ${twice} is named twice`);
  if (ids.length > limits.replicasPerGroup) {
    throw new UsageError(
      `${ids.length} stores cannot found group ${CONTROLLER_GID}: name 1 to ${limits.replicasPerGroup}, the others join`,
    );
  }
  return ids;
}, listText);

const shardCount = parsed((text) => {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= limits.shardCountMax) return count;
  throw new UsageError(`"${text}" is not a number of shards: use 1 to ${limits.shardCountMax}`);
});

const zone = parsed((text) => {
  if (text.length <= 64 && !/\p{Cc}/u.test(text)) return text;
  throw new UsageError('a zone has at most 64 characters and no control characters');
});

const logLevel = z.enum(['debug', 'info', 'warn', 'error'], { error: 'use debug, info, warn or error' });

export const settings: { readonly [K in keyof StoreConfig]: Setting<StoreConfig[K]> } = {
  id: {
    schema: parsed(parseStoreId),
    fallback: undefined,
    placeholder: 'ID',
    help: 'permanent name of the store',
  },
  listen: {
    schema: address,
    fallback: '127.0.0.1:7401',
    placeholder: 'ADDRESS',
    help: 'where peers, clients and probes reach this store',
  },
  advertise: {
    schema: address,
    fallback: undefined,
    placeholder: 'ADDRESS',
    help: 'the address that others dial (default: the one that is listened on)',
  },
  data: {
    schema: someText,
    fallback: undefined,
    placeholder: 'DIR',
    help: 'data directory, made if it is not there',
  },
  join: {
    schema: addresses,
    fallback: '',
    placeholder: 'ADDRESSES',
    help: 'addresses of some stores of the cluster, parted by commas',
  },
  bootstrap: {
    schema: storeIds,
    fallback: '',
    placeholder: 'IDS',
    help: 'found a new cluster with these stores, if all of them are blank; later starts may repeat it',
  },
  shards: {
    schema: shardCount,
    fallback: '256',
    placeholder: 'N',
    help: 'number of shards of a cluster that is founded now; never changes afterwards',
  },
  zone: {
    schema: zone,
    fallback: '',
    placeholder: 'NAME',
    help: 'failure zone of this store, for the placement of replicas',
  },
  logLevel: {
    schema: logLevel,
    fallback: 'info',
    placeholder: 'LEVEL',
    help: 'debug, info, warn or error',
  },
  insecure: {
    schema: switchOn,
    fallback: 'false',
    placeholder: undefined,
    help: 'allow to listen on other addresses than loopback without TLS',
  },
  heartbeat: {
    schema: duration,
    fallback: '50ms',
    placeholder: 'TIME',
    help: 'time between heartbeats of a leader',
  },
  electionTimeout: {
    schema: duration,
    fallback: '1s',
    placeholder: 'TIME',
    help: 'a silent leader is replaced after a random time between this and twice this',
  },
  lease: {
    schema: switchOn,
    fallback: 'on',
    placeholder: 'ON|OFF',
    help: 'off: every read asks a majority; needed where a suspended machine stops its monotonic clock',
  },
  drainTimeout: {
    schema: duration,
    fallback: '10s',
    placeholder: 'TIME',
    help: 'how long SIGTERM may take to hand over leaders and finish requests',
  },
};

export const settingNames = Object.keys(settings) as readonly (keyof StoreConfig)[];

/** `logLevel` as in flags and files: `log-level`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `logLevel` as in the environment: `FLOTILLA_LOG_LEVEL`. */
export function environmentName(name: string): string {
  return `FLOTILLA_${kebab(name).replaceAll('-', '_').toUpperCase()}`;
}

export interface Mistake {
  readonly setting: keyof StoreConfig;
  readonly text: string;
}

/**
 * Promise and lease are the same on all stores, whatever their heartbeats: a leader whose lease is longer than
 * the promise of a follower with other settings would serve stale reads.
 */
const HEARTBEAT_WITH_LEASE_MS_MAX = 65;

/** What only shows when all settings are seen together. */
export function checkTogether(config: StoreConfig): readonly Mistake[] {
  const mistakes: Mistake[] = [];
  const { host } = parseAddress(config.listen);
  if (!isLoopback(host) && !config.insecure) {
    const text = `${config.listen} can be reached from other machines, and nothing is encrypted or checked yet: listen on 127.0.0.1, or say --insecure if the network is trusted`;
    mistakes.push({ setting: 'listen', text });
  }
  if (isWildcard(host) && config.advertise === undefined) {
    const text = `nobody can dial ${config.listen}: name the address of this machine with --advertise`;
    mistakes.push({ setting: 'advertise', text });
  }
  const { id, bootstrap } = config;
  if (bootstrap.length > 0 && !bootstrap.includes(id)) {
    const text = `this store is ${id}, which is not among ${bootstrap.join(',')}: name it too, or only --join`;
    mistakes.push({ setting: 'bootstrap', text });
  }
  if (config.heartbeat < 10 || config.heartbeat > 10_000) {
    mistakes.push({ setting: 'heartbeat', text: 'use 10ms to 10s' });
  }
  if (config.lease && config.heartbeat > HEARTBEAT_WITH_LEASE_MS_MAX) {
    const text = `a lease lasts 135ms and must outlive a lost heartbeat: use at most ${HEARTBEAT_WITH_LEASE_MS_MAX}ms, or --lease off`;
    mistakes.push({ setting: 'heartbeat', text });
  }
  if (config.electionTimeout < 12 * config.heartbeat || config.electionTimeout < 600) {
    const text = 'use at least twelve heartbeats and 600ms: a few lost heartbeats must not cost a leader';
    mistakes.push({ setting: 'electionTimeout', text });
  } else if (config.electionTimeout > 600_000) {
    mistakes.push({ setting: 'electionTimeout', text: 'use at most 10m' });
  }
  return mistakes;
}
