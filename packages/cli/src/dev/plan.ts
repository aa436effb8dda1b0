import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure } from '../failure.ts';

/** What a local cluster consists of, decided before anything is started. */

export interface DevOptions {
  readonly directory: string;
  readonly stores: number;
  readonly port: number;
  readonly groups: number;
  readonly shards: number;
}

export interface StorePlan {
  readonly id: string;
  readonly address: string;
  readonly data: string;
  /** Arguments of `flotilla` that start this store, now and again by hand. */
  readonly args: readonly string[];
}

export interface DevPlan {
  readonly stores: readonly StorePlan[];
  readonly endpoints: readonly string[];
  /** Where the data groups belong, by gid. */
  readonly groups: Readonly<Record<number, readonly string[]>>;
}

const HOST = '127.0.0.1';
const REPLICAS = 3;

function idOf(at: number): string {
  return `s${at + 1}`;
}

export function planDev(options: DevOptions): DevPlan {
  const { directory, stores, port, groups, shards } = options;
  if (port + stores - 1 > 65_535) {
    throw new CommandFailure(`--port ${port} leaves no room for ${stores} stores: ports end at 65535`);
  }
  const ids = Array.from({ length: stores }, (_, at) => idOf(at));
  const endpoints = ids.map((_, at) => `${HOST}:${port + at}`);
  const founders = ids.slice(0, REPLICAS);
  return {
    endpoints,
    groups: Object.fromEntries(
      Array.from({ length: groups }, (_, at) => [at + 1, replicasOf(ids, at)] as const),
    ),
    stores: ids.map((id, at) => {
      const address = endpoints[at] as string;
      const data = join(directory, id);
      const others = endpoints.filter((endpoint) => endpoint !== address);
      const args = ['store', '--id', id, '--listen', address, '--data', data];
      if (others.length > 0) args.push('--join', others.join(','));
      if (founders.includes(id)) args.push('--bootstrap', founders.join(','), '--shards', String(shards));
      return { id, address, data, args };
    }),
  };
}

/** Three stores for each group, beginning at another one each time, so that leaders and load spread. */
function replicasOf(ids: readonly string[], group: number): string[] {
  const count = Math.min(REPLICAS, ids.length);
  const chosen = Array.from({ length: count }, (_, at) => ids[(group + at) % ids.length] as string);
  return ids.filter((id) => chosen.includes(id));
}

interface FoundIdentity {
  readonly storeId: string;
  readonly clusterId: string;
}

/** What the identity file says, if it says anything; the store itself judges damaged ones. */
function identityIn(data: string): FoundIdentity | undefined {
  try {
    const found = JSON.parse(readFileSync(join(data, 'identity.json'), 'utf8'));
    const { storeId, clusterId } = found as FoundIdentity;
    return typeof storeId === 'string' && typeof clusterId === 'string' ? { storeId, clusterId } : undefined;
  } catch {
    return undefined;
  }
}

/** Stores that would never find together are told before they are started. Returns whether there is data. */
export function checkData(plan: DevPlan): boolean {
  let first: { readonly plan: StorePlan; readonly clusterId: string } | undefined;
  for (const store of plan.stores) {
    const identity = identityIn(store.data);
    if (identity === undefined) continue;
    if (identity.storeId !== store.id) {
      throw new CommandFailure(
        `${store.data} belongs to store ${identity.storeId}, not to ${store.id}: rename the directory, or choose another one with --dir`,
      );
    }
    if (first !== undefined && first.clusterId !== identity.clusterId) {
      throw new CommandFailure(
        `${store.data} belongs to cluster ${identity.clusterId}, but ${first.plan.data} to cluster ${first.clusterId}: ` +
          'move the one that is wrong out of the way, or choose another directory with --dir',
      );
    }
    first ??= { plan: store, clusterId: identity.clusterId };
  }
  return first !== undefined;
}

/** Stores with data that this start leaves out. */
export function forgottenStores(directory: string, plan: DevPlan): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  const planned = plan.stores.map(({ id }) => id);
  return names
    .filter((name) => /^s\d+$/.test(name) && !planned.includes(name))
    .filter((name) => identityIn(join(directory, name)) !== undefined);
}
