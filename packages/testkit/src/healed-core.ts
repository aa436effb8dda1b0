import type { ClusterConfig } from '@flotilla/wire';
import type { SimCluster } from './sim-cluster.ts';

/** What a store is like that nobody mends. */
export const frozenHarms = ['crash', 'pause', 'cut', 'slow', 'as-it-is'] as const;
export type FrozenHarm = (typeof frozenHarms)[number];

/** A store that stays broken while the others must do all work, if no group needs it. */
export interface FrozenStore {
  readonly store: string;
  readonly harm: FrozenHarm;
}

/** There and back within a lease: over slower links no leader is ever sure to lead, and moves wait for that. */
const SLOW_MS = 40;
const WATCH_MS = 10;

/**
 * After the last fault a majority of everything is whole again, and the rest stays broken for good: whatever is
 * promised of a minority that fails must hold now. A config may give a group to stores that are broken; then as
 * many of them are mended as the group needs.
 */
export class HealedCore {
  readonly #cluster: SimCluster;
  readonly #frozen = new Set<string>();
  #watched: ClusterConfig | undefined;
  #hasEnded = false;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** Stores that stay broken. */
  get frozen(): ReadonlySet<string> {
    return this.#frozen;
  }

  /** Mends everything but the first of these stores that all groups can do without. */
  begin(wishes: readonly FrozenStore[]): void {
    const chosen: FrozenStore[] = [];
    for (const wish of wishes) {
      this.#frozen.add(wish.store);
      if (this.#lacking().length === 0) chosen.push(wish);
      else this.#frozen.delete(wish.store);
    }
    const left = chosen.filter(({ harm }) => harm === 'as-it-is').map(({ store }) => store);
    this.#cluster.heal(new Set(left));
    for (const { store, harm } of chosen) {
      this.#cluster.world.events.tell(`${store} stays broken: ${harm}`);
      this.#break(store, harm);
    }
    if (chosen.length > 0) this.#watch();
  }

  end(): void {
    this.#hasEnded = true;
    this.#frozen.clear();
    this.#cluster.heal();
  }

  /** The first stores without which some group has no majority. */
  #lacking(): string[] {
    const config = this.#cluster.newestConfig();
    if (config === undefined) return [];
    return [config.controller, ...config.groups].flatMap((group) => {
      const { replicas } = group;
      const alive = replicas.filter((place) => this.#cluster.isSound(place, group));
      const frozen = alive.map(({ storeId }) => storeId).filter((id) => this.#frozen.has(id));
      const majority = Math.floor(replicas.length / 2) + 1;
      return frozen.slice(0, Math.max(0, majority - (alive.length - frozen.length)));
    });
  }

  #watch(): void {
    if (this.#hasEnded) return;
    const config = this.#cluster.newestConfig();
    if (config !== this.#watched) {
      this.#watched = config;
      for (const store of new Set(this.#lacking())) this.#mend(store);
    }
    this.#cluster.world.time.set(WATCH_MS, () => this.#watch());
  }

  #break(id: string, harm: FrozenHarm): void {
    const { world, stores, clients } = this.#cluster;
    const store = this.#cluster.store(id);
    const others = [...stores, ...clients].map((each) => each.id).filter((other) => other !== id);
    switch (harm) {
      case 'crash':
        store.isSupervised = false;
        store.crash();
        return;
      case 'pause':
        store.pause();
        return;
      case 'cut':
        world.links.cut(
          nameOf(id),
          others.flatMap((other) => [`${id}>${other}`, `${other}>${id}`]),
        );
        return;
      case 'slow':
        for (const other of others) world.links.slow(`${nameOf(id)} from ${other}`, id, other, SLOW_MS);
        return;
      case 'as-it-is':
        return;
    }
  }

  #mend(id: string): void {
    const { world, stores, clients } = this.#cluster;
    world.events.tell(`${id} is needed and mended`);
    this.#frozen.delete(id);
    world.links.heal(nameOf(id));
    for (const other of [...stores, ...clients]) world.links.heal(`${nameOf(id)} from ${other.id}`);
    this.#cluster.mend(this.#cluster.store(id));
    world.hub.release();
  }
}

function nameOf(store: string): string {
  return `frozen ${store}`;
}
