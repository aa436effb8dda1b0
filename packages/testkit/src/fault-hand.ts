import type { MoveStep } from '@flotilla/wire';
import type { SimCluster } from './sim-cluster.ts';
import { type FaultAction, type Harm, kindOf, type MoveEnd, type ScheduledFault } from './world/faults.ts';
import type { MachineAction } from './world/machine-faults.ts';
import type { SimStore } from './world/sim-store.ts';

type Armed = Extract<FaultAction, { kind: 'move-step' }>;

/** Does to a cluster what a schedule says. */
export class FaultHand {
  readonly #cluster: SimCluster;
  /** How to undo what was done to stores chosen at the time, by name. */
  readonly #undo = new Map<string, () => void>();
  /** What waits for a step of a move. */
  #armed: Armed[] = [];
  /** How often a fault struck that waited for a step. */
  strikes = 0;
  /** How often each kind of fault really struck. */
  readonly struck: Map<string, number> = new Map();
  /** Strikes of which the first action is over. */
  readonly #begun = new Set<string>();
  #isResting = false;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** Nothing strikes any more that still waits for its moment, and nothing ends by itself: whoever calls this heals. */
  rest(): void {
    this.#isResting = true;
    this.#armed = [];
    this.#undo.clear();
  }

  /** A store applied this step of a move, right now and in the middle of its turn. */
  stepApplied(store: SimStore, step: MoveStep, asLeader: boolean): void {
    const action = this.#armed.find((each) => each.step === step && each.asLeader === asLeader);
    if (action === undefined || store.isPaused) return;
    this.#armed = this.#armed.filter((each) => each !== action);
    const { time } = this.#cluster.world;
    time.set(action.delayMs, () => {
      if (this.#isResting || !store.isRunning || store.isPaused) return;
      this.strikes++;
      this.#count(action.kind);
      this.#harm(store, action.name, action.harm);
      time.set(action.forMs, () => this.#end(action.name));
    });
  }

  /** True if it changed anything. */
  apply(action: ScheduledFault): boolean {
    const didHit = this.#apply(action);
    const isFirst = !this.#begun.has(action.strike);
    this.#begun.add(action.strike);
    // What waits for a step counts when that comes.
    if (isFirst && didHit && action.kind !== 'move-step') this.#count(kindOf(action.strike));
    if (didHit) this.#tellWhomItHits(action);
    return didHit;
  }

  #count(kind: string): void {
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  #apply(action: FaultAction): boolean {
    const cluster = this.#cluster;
    const { world } = cluster;
    switch (action.kind) {
      case 'crash':
        return cluster.store(action.store).crash();
      case 'power-cut':
        return cluster.store(action.store).powerCut();
      case 'fail-commit':
        return cluster.store(action.store).failNextCommit('log');
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
        return this.#onLeader(action.gid, action.name, 'crash');
      case 'leader-pause':
        return this.#onLeader(action.gid, action.name, 'pause');
      case 'leader-cut':
        return this.#onLeader(action.gid, action.name, 'cut');
      case 'leader-drop':
        return this.#onLeader(action.gid, action.name, 'drop');
      case 'leader-back':
        return this.#end(action.name);
      case 'deaf':
        world.deaf.set(action.name, action.store);
        return true;
      case 'hearing':
        return world.deaf.delete(action.name);
      case 'move-frames':
        Object.assign(world.moveFrames, { loss: action.loss, doubles: action.doubles, late: action.late });
        return true;
      case 'move-leader': {
        const gid = this.#gidOf(action.end, action.choice);
        return gid !== undefined && this.#onLeader(gid, action.name, action.harm);
      }
      case 'move-step':
        this.#armed.push(action);
        return true;
      default:
        return this.#onMachine(action);
    }
  }

  #onMachine(action: MachineAction): boolean {
    const { world } = this.#cluster;
    switch (action.kind) {
      case 'bandwidth':
        world.links.narrow(action.name, action.left, action.right, action.bytesPerMs);
        return true;
      case 'torn-frame':
        world.links.tear(action.left, action.right);
        return true;
      case 'drift':
        this.#cluster.store(action.store).drift(action.factor);
        return true;
      case 'full-disk':
        this.#cluster.store(action.store).freeBytes = action.freeBytes;
        return true;
      case 'room':
        return this.#cluster.store(action.store).hasRoom();
      case 'fail-state-commit':
        return this.#cluster.store(action.store).failNextCommit('state');
      case 'fail-read':
        return this.#cluster.store(action.store).failNextRead();
      case 'blank-disk':
        return this.#cluster.store(action.store).replaceDisk();
      case 'copy-state':
        return this.#cluster.store(action.store).copyState();
      case 'old-state':
        return this.#cluster.store(action.store).rollBack();
      case 'bit-flip':
        return this.#cluster.store(action.store).flipBit(action.choice);
    }
  }

  /** The group at that end of one of the open moves; undefined while there is none. */
  #gidOf(end: MoveEnd, choice: number): number | undefined {
    const moving = (this.#cluster.newestConfig()?.shards ?? []).filter(
      (shard) => shard.intent !== undefined && shard.owner !== 0,
    );
    const shard = moving[choice % Math.max(1, moving.length)];
    if (shard === undefined) return undefined;
    if (end === 'controller') return 0;
    return end === 'source' ? shard.owner : shard.intent?.target;
  }

  #onLeader(gid: number, name: string, harm: Harm | 'drop'): boolean {
    const leader = this.#cluster.stores.find((store) => store.node?.host.replica(gid)?.isLeader === true);
    if (leader === undefined || leader.isPaused) return false;
    this.#harm(leader, name, harm);
    return true;
  }

  #harm(store: SimStore, name: string, harm: Harm | 'drop'): void {
    this.#cluster.world.events.tell(`${name} is ${store.id}`);
    this.#undo.set(name, this.#do(store, name, harm));
    this.#cluster.storesHit([store.id]);
  }

  /** Returns what undoes it. */
  #do(store: SimStore, name: string, harm: Harm | 'drop'): () => void {
    const { world, stores } = this.#cluster;
    switch (harm) {
      case 'crash':
        store.crash();
        return () => store.start();
      case 'power-cut':
        store.powerCut();
        return () => store.start();
      case 'pause':
        store.pause();
        return () => store.resume();
      case 'cut':
      case 'drop': {
        const others = stores.map((each) => each.id).filter((other) => other !== store.id);
        world.links.cut(
          name,
          others.flatMap((other) => [`${store.id}>${other}`, `${other}>${store.id}`]),
        );
        if (harm === 'drop') for (const other of others) world.hub.breakLinks(store.id, other);
        return () => {
          world.links.heal(name);
          world.hub.release();
        };
      }
    }
  }

  #end(name: string): boolean {
    const undo = this.#undo.get(name);
    this.#undo.delete(name);
    undo?.();
    return undo !== undefined;
  }

  /** For the account of moves during which something went wrong. What is chosen at the time tells by itself. */
  #tellWhomItHits(action: FaultAction): void {
    const { stores } = this.#cluster;
    switch (action.kind) {
      case 'crash':
      case 'power-cut':
      case 'fail-commit':
      case 'pause':
      case 'stall':
      case 'deaf':
      case 'full-disk':
      case 'fail-state-commit':
      case 'fail-read':
      case 'blank-disk':
      case 'old-state':
      case 'bit-flip':
        this.#cluster.storesHit([action.store]);
        return;
      case 'disk':
        if (action.delayMs > 0) this.#cluster.storesHit([action.store]);
        return;
      case 'cut': {
        const cut = new Set(action.directions.flatMap((direction) => direction.split('>')));
        this.#cluster.storesHit(stores.map((store) => store.id).filter((id) => cut.has(id)));
        return;
      }
      case 'slow':
      case 'reset':
      case 'bandwidth':
      case 'torn-frame':
        this.#cluster.storesHit([action.left, action.right]);
        return;
      case 'lossy':
      case 'move-frames':
        if (action.loss > 0) this.#cluster.storesHit(stores.map((store) => store.id));
        return;
      default:
    }
  }
}
