import { ShardState, type ShardStatus } from '@flotilla/kv';
import type { ClusterConfig, MoveProgress, MoveState } from '@flotilla/wire';
import { type Candidate, type Turn, turnsOf } from './admission.ts';
import { FirstAssignments } from './first-assignments.ts';
import { type GroupScene, sceneOf } from './group-scene.ts';
import type { MoveCalls } from './move-calls.ts';
import { MoveLog } from './move-log.ts';
import { MoveMetrics } from './move-metrics.ts';
import { groupOf, type MoveOrder, moveKey } from './move-order.ts';
import { EndedMoves, progressOf, type Stage, stateOf } from './move-progress.ts';
import { MoveReports } from './move-reports.ts';
import { MoveRun } from './move-run.ts';
import type { MoveWorld } from './move-world.ts';
import { placeOf } from './next-step.ts';
import { TokenBucket } from './token-bucket.ts';

/** An open move into a group that this store leads. */
interface Tracked {
  order: MoveOrder;
  readonly log: MoveLog;
  run: MoveRun | undefined;
  /** Number of the config under which source or target would hear no more of it. */
  closedAt: number;
  /** As of the last look. */
  scene: GroupScene;
  shard: ShardStatus | undefined;
}

/**
 * Pushes the moves into the groups that this store leads. It starts and stops runs as the config and their
 * turn want it, and steps a run whenever something happened to it.
 */
export class MoveDriver {
  readonly #world: MoveWorld;
  readonly #calls: MoveCalls;
  readonly #metrics: MoveMetrics;
  readonly #bucket: TokenBucket;
  readonly #assignments: FirstAssignments;
  readonly #done: MoveReports;
  readonly #ended = new EndedMoves();
  readonly #tracked = new Map<string, Tracked>();
  readonly #due = new Set<Tracked>();
  readonly #onWake: () => void;
  #config: ClusterConfig | undefined;
  #isPlanDue = false;

  /** `onWake`: something happened, and {@link work} wants to be called soon. */
  constructor(world: MoveWorld, calls: MoveCalls, onWake: () => void) {
    this.#world = world;
    this.#calls = calls;
    this.#onWake = onWake;
    this.#metrics = new MoveMetrics(world.meter);
    this.#bucket = new TokenBucket(0, world.now());
    this.#assignments = new FirstAssignments(world, () => {
      this.#isPlanDue = true;
      onWake();
    });
    this.#done = new MoveReports(world, 'done');
  }

  /** Steps the runs to which something happened. True if others may have their turn now. */
  work(): boolean {
    const due = [...this.#due];
    this.#due.clear();
    for (const each of due) {
      this.#step(each);
      if (each.run?.hasEnded === true) this.#isPlanDue = true;
    }
    return this.#isPlanDue;
  }

  /** Looks at everything anew: leaderships, turns, what got no answer. */
  plan(orders: readonly MoveOrder[]): void {
    const config = this.#world.config();
    const nowMs = this.#world.now();
    this.#isPlanDue = false;
    const { moveBytesPerSecond, movesPerStore } = config.policy;
    this.#bucket.setRate(moveBytesPerSecond, nowMs);
    if (config !== this.#config) this.#drop(config, orders);
    this.#config = config;
    const moving: Tracked[] = [];
    const served: MoveOrder[] = [];
    const scenes = new Map<number, GroupScene | undefined>();
    for (const order of orders) {
      const { target } = order;
      if (!scenes.has(target)) scenes.set(target, sceneOf(this.#world.host, groupOf(config, target)));
      const each = this.#track(order, scenes.get(target));
      if (each === undefined) continue;
      if (isServed(each)) served.push(order);
      else if (order.source === 0) this.#assign(each);
      else moving.push(each);
    }
    this.#giveTurns(moving, movesPerStore, config.number);
    for (const each of moving) this.#step(each);
    this.#done.tell(served);
    this.#count();
  }

  progress(): readonly MoveProgress[] {
    const nowMs = this.#world.now();
    const open = [...this.#tracked.values()].map((each) => {
      const { order, log } = each;
      return progressOf(order, stateOf(order, stageOf(each)), log, bytesOf(each), nowMs);
    });
    return [...open, ...this.#ended.all()];
  }

  /** What the newest config does not want any more has ended, one way or the other. */
  #drop(config: ClusterConfig, orders: readonly MoveOrder[]): void {
    const wanted = new Set(orders.map(moveKey));
    const nowMs = this.#world.now();
    for (const [key, each] of [...this.#tracked]) {
      if (wanted.has(key)) continue;
      this.#untrack(key, each);
      const { order, log } = each;
      const record = config.shards[order.shard];
      const isOwner = record?.owner === order.target && record.epoch === order.epoch;
      // By the time this config arrives the shard may be on its way to the next group.
      each.shard = each.scene.machine.shard(order.shard);
      const result = isOwner || isServed(each) ? 'done' : 'cancelled';
      // First assignments come by the hundred, and nobody waits for any of them.
      if (order.source === 0) continue;
      log.ended(result, nowMs);
      this.#ended.add(order, result, log, bytesOf(each), nowMs);
    }
  }

  /** Undefined unless this store leads the target: then it has a scene. */
  #track(order: MoveOrder, scene: GroupScene | undefined): Tracked | undefined {
    const key = moveKey(order);
    let each = this.#tracked.get(key);
    if (scene === undefined) {
      if (each !== undefined) this.#untrack(key, each);
      return undefined;
    }
    const shard = scene.machine.shard(order.shard);
    if (each === undefined) {
      const log = new MoveLog(order, this.#world.log, this.#metrics, this.#world.now());
      each = { order, log, run: undefined, closedAt: 0, scene, shard };
      this.#tracked.set(key, each);
    } else {
      each.order = order;
      each.scene = scene;
      each.shard = shard;
    }
    return each;
  }

  #untrack(key: string, each: Tracked): void {
    each.run?.stop();
    this.#tracked.delete(key);
    this.#due.delete(each);
  }

  #assign({ order, scene, shard }: Tracked): void {
    const isOver = shard !== undefined && order.moveId <= shard.fence;
    if (!order.isPaused && !order.isCancelling && !isOver) this.#assignments.activate(scene, order);
  }

  #giveTurns(moving: readonly Tracked[], movesMax: number, configNumber: number): void {
    const nowMs = this.#world.now();
    for (const each of moving) {
      if (each.run?.hasEnded !== true) continue;
      each.run = undefined;
      each.closedAt = configNumber;
    }
    const open = moving.filter((each) => each.closedAt !== configNumber);
    const candidates = open.map(
      ({ order, run, shard }): Candidate => ({
        order,
        isRunning: run !== undefined,
        isUrgent: run?.isPastFreeze === true || placeOf(shard, order.moveId)?.isComplete === true,
        isStalled: run?.isStalled(nowMs) === true,
      }),
    );
    for (const [at, turn] of turnsOf(candidates, movesMax).entries()) {
      this.#giveTurn(open[at] as Tracked, turn, movesMax);
    }
  }

  #giveTurn(each: Tracked, turn: Turn, movesMax: number): void {
    if (turn === 'runs') {
      if (each.run !== undefined && this.#world.rare?.take('move-run-begun-anew') === true) {
        each.run.stop();
        each.run = undefined;
      }
      each.run ??= this.#start(each);
      return;
    }
    const { log, order, run } = each;
    if (run !== undefined && turn === 'held-back') log.heldBack();
    run?.stop();
    each.run = undefined;
    if (turn === 'full') log.problem = `its turn has not come: ${movesMax} at a time move into one store`;
    else if (turn === 'source-stalled') log.problem = `group ${order.source}, its source, does not answer`;
    else log.problem = '';
  }

  #start(each: Tracked): MoveRun | undefined {
    const { order, log } = each;
    const scene = this.#runScene(each);
    if (scene === undefined) return undefined;
    log.problem = '';
    return new MoveRun(order, scene, {
      world: this.#world,
      calls: this.#calls,
      bucket: this.#bucket,
      log,
      wake: () => {
        if (each.run === undefined) return;
        this.#due.add(each);
        this.#onWake();
      },
    });
  }

  /** Undefined while this store does not lead the target, or the config does not name the source. */
  #runScene({ order }: Tracked) {
    const config = this.#world.config();
    const source = groupOf(config, order.source);
    const scene = sceneOf(this.#world.host, groupOf(config, order.target));
    if (scene === undefined || source === undefined) return undefined;
    return { ...scene, source, isHeldBack: order.isPaused || order.isCancelling };
  }

  #step(each: Tracked): void {
    const scene = each.run === undefined ? undefined : this.#runScene(each);
    if (scene === undefined) return;
    const { run } = each;
    this.#world.host.attempt(scene.replica, () => run?.step(scene));
  }

  #count(): void {
    const counts = new Map<MoveState, number>();
    for (const each of this.#tracked.values()) {
      const state = stateOf(each.order, stageOf(each));
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    this.#metrics.states(counts);
  }
}

function isServed({ order, shard }: Tracked): boolean {
  return shard?.state === ShardState.serving && shard.moveId === order.moveId;
}

function stageOf(each: Tracked): Stage {
  if (isServed(each)) return 'serving';
  if (each.run === undefined) return 'waiting';
  if (each.run.isPastFreeze) return 'cutting-over';
  return placeOf(each.shard, each.order.moveId)?.isComplete === true ? 'catching-up' : 'copying';
}

/** Of the shard's records, in the target. */
function bytesOf({ order, shard }: Tracked): number {
  const isCopy = shard?.state === ShardState.importing || shard?.state === ShardState.serving;
  return isCopy && shard.moveId === order.moveId ? shard.recordBytes : 0;
}
