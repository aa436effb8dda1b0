import type { SimCluster } from './sim-cluster.ts';
import type { FaultAction } from './world/faults.ts';
import type { SimStore } from './world/sim-store.ts';

/** Does to a cluster what a schedule says. */
export class FaultHand {
  readonly #cluster: SimCluster;
  /** How to undo what was done to leaders, by name. */
  readonly #undo = new Map<string, () => void>();

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** True if it changed anything. */
  apply(action: FaultAction): boolean {
    const cluster = this.#cluster;
    const { world } = cluster;
    switch (action.kind) {
      case 'crash':
        return cluster.store(action.store).crash();
      case 'power-cut':
        return cluster.store(action.store).powerCut();
      case 'fail-commit':
        return cluster.store(action.store).failNextCommit();
      case 'restart': {
        const store = cluster.store(action.store);
        if (store.isRunning) return false;
        store.start();
        return true;
      }
      case 'pause':
        return cluster.store(action.store).pause();
      case 'resume':
        return cluster.store(action.store).resume();
      case 'cut':
        world.links.cut(action.name, action.directions);
        return true;
      case 'slow':
        world.links.slow(action.name, action.left, action.right, action.ms);
        return true;
      case 'heal': {
        const was = world.links.heal(action.name);
        world.hub.release();
        return was;
      }
      case 'reset':
        return world.hub.breakLinks(action.left, action.right, action.told) > 0;
      case 'lossy':
        Object.assign(world.frames, { loss: action.loss, doubles: action.doubles, late: action.late });
        return true;
      case 'damage':
        world.links.quality = { ...world.quality, damageProbability: action.probability };
        return true;
      case 'disk':
        cluster.store(action.store).diskDelayMs = action.delayMs;
        return true;
      case 'stall':
        cluster.store(action.store).stall(true);
        return true;
      case 'unstall':
        cluster.store(action.store).stall(false);
        return true;
      case 'clock-step':
        cluster.store(action.store).stepClock(action.ms);
        return true;
      case 'leader-crash':
        return this.#onLeader(action.gid, action.name, (store) => {
          store.crash();
          return () => store.start();
        });
      case 'leader-pause':
        return this.#onLeader(action.gid, action.name, (store) => {
          store.pause();
          return () => store.resume();
        });
      case 'leader-cut':
      case 'leader-drop':
        return this.#onLeader(action.gid, action.name, ({ id }) => {
          const others = cluster.stores.map((store) => store.id).filter((other) => other !== id);
          const directions = others.flatMap((other) => [`${id}>${other}`, `${other}>${id}`]);
          world.links.cut(action.name, directions);
          if (action.kind === 'leader-drop') for (const other of others) world.hub.breakLinks(id, other);
          return () => {
            world.links.heal(action.name);
            world.hub.release();
          };
        });
      case 'leader-back': {
        const undo = this.#undo.get(action.name);
        this.#undo.delete(action.name);
        undo?.();
        return undo !== undefined;
      }
    }
  }

  #onLeader(gid: number, name: string, act: (store: SimStore) => () => void): boolean {
    const leader = this.#cluster.stores.find((store) => store.node?.host.replica(gid)?.isLeader === true);
    if (leader === undefined || leader.isPaused) return false;
    this.#cluster.world.events.tell(`${name} is ${leader.id}`);
    this.#undo.set(name, act(leader));
    return true;
  }
}
