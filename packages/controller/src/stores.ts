import { limits, type StoreRecord } from '@flotilla/wire';
import type { RegisterStoreCommand } from './command.ts';
import { type ControllerView, type Decision, refused, unchanged } from './decision.ts';

/**
 * A store registers at each start. The higher version of its facts wins, so a late or doubled message of a
 * former start does nothing.
 *
 * A blank data directory is a new incarnation, whose versions are counted anew: it replaces the old one at any
 * version, and gets none of its replicas, because group records keep the incarnation that they were made for.
 * A former incarnation comes back only with a higher version than it ever had. Else this would happen:
 * 1. s1 registers as A at version 5; the message is doubled and one copy lingers.
 * 2. s1 loses its disk and registers as B.
 * 3. The copy arrives: the map would name A, which does not exist any more.
 * Refusing A for ever would be wrong as well: the disk may only have been absent, and its data is good.
 */
export function registerStore(view: ControllerView, command: RegisterStoreCommand): Decision {
  const { config } = view;
  const { kind: _, ...store } = command;
  const known = config.stores.find((each) => each.storeId === store.storeId);
  if (known === undefined) {
    if (config.stores.length >= limits.storesMax) {
      return refused(
        'limit-reached',
        `a cluster has at most ${limits.storesMax} stores; ${store.storeId} is one more`,
      );
    }
    const message = `store ${store.storeId} registered at ${store.address}`;
    return changed(`register store ${store.storeId}`, message, [...config.stores, store]);
  }
  return known.incarnation === store.incarnation
    ? newFacts(config.stores, known, store)
    : newIncarnation(view, known, store);
}

function newFacts(stores: readonly StoreRecord[], known: StoreRecord, store: StoreRecord): Decision {
  if (store.addressVersion < known.addressVersion) {
    return unchanged(`store ${store.storeId} is known by newer facts, version ${known.addressVersion}`);
  }
  if (store.addressVersion === known.addressVersion) {
    if (store.address === known.address && store.zone === known.zone) {
      return unchanged(`store ${store.storeId} is registered at ${store.address}`);
    }
    return refused(
      'stale-store',
      `store ${store.storeId} is registered at ${known.address} (zone "${known.zone}") under version ` +
        `${known.addressVersion}: to register at ${store.address} (zone "${store.zone}") raise the version. ` +
        'If the store did not move, two processes may be using one store id',
    );
  }
  const message = `store ${store.storeId} registered at ${store.address}`;
  return changed(`store ${store.storeId} at ${store.address}`, message, replaced(stores, store));
}

function newIncarnation(view: ControllerView, known: StoreRecord, store: StoreRecord): Decision {
  const former = view.formerVersion(store.storeId, store.incarnation);
  if (former !== undefined && store.addressVersion <= former) {
    return refused(
      'stale-store',
      `incarnation ${store.incarnation} of store ${store.storeId} was replaced by ${known.incarnation}: ` +
        'a process that still runs on the former data directory must be stopped, or restarted if it shall take over',
    );
  }
  const message =
    `store ${store.storeId} registered at ${store.address} with a new data directory (incarnation ` +
    `${store.incarnation}): replicas of incarnation ${known.incarnation} are not given back`;
  return {
    ...changed(`new incarnation of store ${store.storeId}`, message, replaced(view.config.stores, store)),
    former: known,
  };
}

function replaced(stores: readonly StoreRecord[], store: StoreRecord): readonly StoreRecord[] {
  return stores.map((each) => (each.storeId === store.storeId ? store : each));
}

function changed(cause: string, message: string, stores: readonly StoreRecord[]) {
  const sorted = [...stores].sort((left, right) => (left.storeId < right.storeId ? -1 : 1));
  return { kind: 'changed' as const, cause, message, stores: sorted };
}
