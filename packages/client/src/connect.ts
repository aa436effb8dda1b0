import { UsageError, Xxh64 } from '@flotilla/base';
import {
  MsgpackColdCodec,
  NodeClock,
  NodeRandom,
  NodeTimers,
  parseAddress,
  WsNetwork,
} from '@flotilla/transport';
import { ClientCore, type ClientOptions, type ClientPorts } from './core/index.ts';
import { Db } from './db.ts';
import { errorOf, InvalidArgumentError } from './errors.ts';

export interface ConnectOptions extends Omit<ClientOptions, 'endpoints'> {
  /** Any stores of the cluster: a list of `host:port`, or `flotilla://host:port,host:port`. */
  readonly endpoints: string | readonly string[];
}

const SCHEME = 'flotilla://';

/** The endpoints in a list or an address; throws `InvalidArgumentError` that names the one that is wrong. */
export function parseEndpoints(given: string | readonly string[]): string[] {
  const list =
    typeof given === 'string' ? given.slice(given.startsWith(SCHEME) ? SCHEME.length : 0).split(',') : given;
  const endpoints = list.map((each) => each.trim().replace(/\/$/, '')).filter((each) => each !== '');
  if (endpoints.length === 0) {
    throw new InvalidArgumentError(`no endpoints: give a list of host:port, or ${SCHEME}host:port,host:port`);
  }
  for (const endpoint of endpoints) {
    try {
      parseAddress(endpoint);
    } catch (cause) {
      if (!(cause instanceof UsageError)) throw cause;
      throw new InvalidArgumentError(`"${endpoint}" is not an endpoint: ${cause.message}`, { cause });
    }
  }
  return endpoints;
}

/** Connects to a cluster. Rejects if no endpoint can be used, with the reason of each. */
export function connect(target: string | ConnectOptions): Promise<Db> {
  return new Promise((resolve, reject) => {
    const options = typeof target === 'string' ? { endpoints: target } : target;
    const ports: ClientPorts = {
      network: new WsNetwork(),
      timers: new NodeTimers(),
      clock: new NodeClock(),
      random: new NodeRandom(),
      hasher: new Xxh64(),
      coldCodec: new MsgpackColdCodec(),
    };
    connectOver(ports, { ...options, endpoints: parseEndpoints(options.endpoints) }).then(resolve, reject);
  });
}

/** The same over any ports, for clusters inside one process. */
export function connectOver(ports: ClientPorts, options: ClientOptions): Promise<Db> {
  return new Promise((resolve, reject) => {
    const core = new ClientCore(ports, options);
    core.start((failed) => {
      if (failed === undefined) {
        resolve(new Db(core));
        return;
      }
      core.close();
      reject(errorOf(failed));
    });
  });
}
