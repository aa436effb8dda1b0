import { assert, type GroupName, groupNameText, must } from '@flotilla/base';
import type { HostTuning } from '@flotilla/host';
import type { MoveTuning } from '@flotilla/store';
import type { AdminMethod, AdminParams, ClusterConfig, ReplicaPlace } from '@flotilla/wire';
import { CheckFailure } from './checkers/failure.ts';
import { EntryWatch } from './entry-watch.ts';
import { SimClient, type SimClientParts } from './world/sim-client.ts';
import { type DiskQuality, type DiskSabotage, SimStore } from './world/sim-store.ts';
import { SimWorld } from './world/sim-world.ts';

export interface ClusterOptions {
  readonly stores: number;
  readonly groups: number;
  readonly shards: number;
  readonly tuning: Partial<HostTuning>;
  readonly pieceBytes: number;
  readonly moveTuning?: Partial<MoveTuning>;
  readonly sabotage?: DiskSabotage | undefined;
}

/** Replicas of one data group, as long as there are so many stores. */
const REPLICAS = 3;
const CONFIG_WATCH_MS = 25;
const ANSWER_MS = 5_000;
/** For each step of a founding. A question that gets lost costs five seconds, and several may. */
export const FOUNDING_MS = 30_000;
const ASK_AGAIN_MS = 200;

/** A whole cluster in one process: real stores and clients on a simulated world. */
export class SimCluster {
  readonly world: SimWorld;
  readonly stores: readonly SimStore[];
  readonly clients: SimClient[] = [];
  readonly options: ClusterOptions;
  readonly entries: EntryWatch;
  /** The config that each store was seen with last. */
  readonly #configs = new Map<SimStore, ClusterConfig>();

  constructor(seed: number, options: ClusterOptions) {
    assert(options.stores >= 1 && options.groups >= 1, 'a cluster has stores and groups');
    this.options = options;
    this.world = new SimWorld(seed);
    this.entries = new EntryWatch(this.world, () => this.stores);
    const ids = Array.from({ length: options.stores }, (_, at) => `s${at + 1}`);
    const founders = ids.slice(0, Math.min(ids.length, REPLICAS));
    const random = this.world.random.fork('machines');
    const disk: DiskQuality = {
      syncMs: [0.02, 0.3, 2][random.below(3)] as number,
      jitterMs: 0.05 + random.unit() * 2,
      tailProbability: 0.01,
      tailMs: 30,
    };
    this.stores = ids.map((id) => {
      return new SimStore(this.world, id, {
        bootstrap: founders.includes(id) ? founders : undefined,
        seeds: founders.map((founder) => `${founder}:7400`),
        shardCount: options.shards,
        tuning: options.tuning,
        pieceBytes: options.pieceBytes,
        moveTuning: options.moveTuning ?? {},
        onApplied: (store, replica, entry) => this.entries.applied(store, replica, entry),
        sabotage: options.sabotage,
        disk,
        clockRate: 1 + (random.unit() - 0.5) * 0.01,
        wallOffsetMs: (random.unit() - 0.5) * 500,
      });
    });
  }

  store(id: string): SimStore {
    return must(
      this.stores.find((store) => store.id === id),
      `no store ${id}`,
    );
  }

  addClient(id: string, timeoutMs = 5_000, parts: SimClientParts = {}): SimClient {
    const endpoints = this.stores.map((store) => store.address);
    const client = new SimClient(this.world, id, { endpoints, timeoutMs }, parts);
    this.clients.push(client);
    client.start();
    return client;
  }

  /** Starts all stores, founds the cluster and joins the groups; ends when all shards are served. */
  found(): void {
    for (const store of this.stores) store.start();
    const admin = this.addClient('admin');
    const groups = Array.from({ length: this.options.groups }, (_, at) => ({
      gid: at + 1,
      stores: this.#placesOf(at),
    }));
    if (!this.world.waitFor(() => this.#knownStores() === this.stores.length, FOUNDING_MS)) {
      this.#fail(`the cluster was not founded within ${FOUNDING_MS} ms`);
    }
    const trouble = this.ask(admin, 'join', { plan: false, groups }, FOUNDING_MS);
    if (trouble !== undefined) this.#fail(`the groups did not join within ${FOUNDING_MS} ms: ${trouble}`);
    if (!this.world.waitFor(() => this.#unserved() === 0, FOUNDING_MS)) {
      this.#fail(`${this.#unserved()} shards are not served ${FOUNDING_MS} ms after their groups joined`);
    }
    for (const store of this.stores) store.isSupervised = false;
    this.#watchConfigs();
  }

  /** Lets time pass while this is asked for again and again, until it is granted; else why it was not. */
  ask<M extends AdminMethod>(
    { core, timers }: SimClient,
    method: M,
    params: Omit<AdminParams[M], 'requestId'>,
    atMostMs: number,
  ): string | undefined {
    let isGranted = false;
    let trouble = 'no answer';
    const full = { requestId: core.requestId(), ...params } as AdminParams[M];
    const attempt = (): void => {
      core.admin(method, full, core.deadlineMs(ANSWER_MS), (call) => {
        isGranted = call.failure === undefined;
        trouble = call.failure?.message ?? '';
        if (!isGranted) timers.set(ASK_AGAIN_MS, attempt);
      });
    };
    attempt();
    return this.world.waitFor(() => isGranted, atMostMs) ? undefined : trouble;
  }

  /** The newest config that the controller group decided on. */
  newestConfig(): ClusterConfig | undefined {
    return this.world.configs.newest;
  }

  /** This replica of the group lives, or will when its store does: no disk has cost it. */
  isSound({ storeId, storeIncarnation }: ReplicaPlace, group: GroupName): boolean {
    const store = this.store(storeId);
    return store.incarnation === storeIncarnation && !store.losses.hasLost(groupNameText(group));
  }

  /** Something bad happens to these stores: for the account of what moves lived through. */
  storesHit(ids: readonly string[]): void {
    this.world.tally.storesHit(ids);
  }

  /** From now on, and never in the way of anything: every config that a store believes in is a decided one. */
  #watchConfigs(): void {
    for (const store of this.stores) {
      const config = store.node?.config;
      if (config === undefined || config === this.#configs.get(store)) continue;
      this.#configs.set(store, config);
      this.world.configs.held(store.id, config);
    }
    this.world.time.set(CONFIG_WATCH_MS, () => this.#watchConfigs());
  }

  /** Every store up but these, nothing slow, nothing cut. */
  heal(except: ReadonlySet<string> = new Set()): void {
    const { world } = this;
    world.links.healAll();
    world.deaf.clear();
    world.links.quality = world.quality;
    for (const frames of [world.frames, world.moveFrames])
      Object.assign(frames, { loss: 0, doubles: 0, late: 0 });
    for (const store of this.stores) if (!except.has(store.id)) this.mend(store);
    world.hub.release();
  }

  /** This store is up, and its machine as it should be. */
  mend(store: SimStore): void {
    // A commit that was told to fail may do so only now.
    store.isSupervised = true;
    store.diskDelayMs = 0;
    store.hasRoom();
    store.drift(1);
    store.stall(false);
    store.resume();
    store.start();
  }

  get elections(): number {
    return this.world.checker.groups().reduce((sum, group) => sum + group.elections, 0);
  }

  /** One line per store and replica, for stories of failures. */
  describe(): string[] {
    return this.stores.flatMap((store) => {
      const { node } = store;
      if (node === undefined) return [`${store.id} is down`];
      const replicas = [...node.host.replicas()].map((replica) => {
        const { raft, applied, name, raftId } = replica;
        return (
          `${store.id} group ${name} raft id ${raftId}: ${raft.role}, term ${raft.term}, leader ${raft.leaderId}, ` +
          `commit ${raft.commitIndex}, applied ${applied.index}${replica.broken === undefined ? '' : `, broken: ${replica.broken}`}`
        );
      });
      return [
        `${store.id}${store.isPaused ? ' (stands still)' : ''} knows config ${node.config.number}`,
        ...replicas,
      ];
    });
  }

  /** Groups go round over the stores, so that each store leads and follows some. */
  #placesOf(at: number): string[] {
    const count = Math.min(REPLICAS, this.stores.length);
    return Array.from({ length: count }, (_, replica) => {
      return (this.stores[(at + replica) % this.stores.length] as SimStore).id;
    });
  }

  #knownStores(): number {
    return Math.max(
      ...this.stores.map((store) => (store.node?.config.number ? store.node.config.stores.length : 0)),
    );
  }

  #unserved(): number {
    const shards = this.newestConfig()?.shards ?? [];
    if (shards.length === 0) return Number.POSITIVE_INFINITY;
    return shards.filter((shard) => shard.owner === 0).length;
  }

  #fail(message: string): never {
    throw new CheckFailure('liveness', message, this.describe());
  }
}
