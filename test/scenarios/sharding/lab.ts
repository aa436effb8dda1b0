import { must, utf8Encode } from '@flotilla/base';
import { homeOf } from '@flotilla/controller';
import type { HostTuning, Replica } from '@flotilla/host';
import { DataGroup, ShardState } from '@flotilla/kv';
import { checkLinearizability, type Operation } from '@flotilla/testkit';
import {
  checkAppends,
  checkScans,
  Finale,
  keySpace,
  Recorder,
  type SimClient,
  SimCluster,
  SimRead,
  type SimStore,
  SimWrite,
  Worker,
} from '@flotilla/testkit/internal';
import { type AdminMethod, type AdminParams, type ClusterConfig, shardOf } from '@flotilla/wire';
import { expect } from 'vitest';
import { Caller } from './caller.ts';
import { fewest } from './fewest.ts';
import { clear, type NetworkKind, spoil } from './weather.ts';

export interface LabOptions {
  /** Where each group runs when it is there. Group 1 shares its stores with the controller. */
  readonly places?: Readonly<Record<number, readonly string[]>>;
  /** The groups that are there at first. */
  readonly groups?: readonly number[];
  readonly stores?: number;
  readonly shards?: number;
  readonly tuning?: Partial<HostTuning>;
  readonly pieceBytes?: number;
}

/** Three groups that share no store. */
const PLACES: LabOptions['places'] = { 1: ['s1', 's2', 's3'], 2: ['s4', 's5', 's6'], 3: ['s7', 's8', 's9'] };

export const SHARDS = 16;
const PIECE_BYTES = 4_096;
/** Whatever is asked for has its answer by then, and all moves that nothing holds up their end. */
const PATIENCE_MS = 60_000;

/** A cluster for one situation: who is there, who is down, who calls; and at the end every check that there is. */
export class Lab {
  readonly cluster: SimCluster;
  readonly recorder: Recorder;
  readonly admin: SimClient;
  readonly shards: number;
  readonly #places: Readonly<Record<number, readonly string[]>>;
  readonly #caller: SimClient;
  readonly #lists = new Set<string>();
  readonly #registers = new Set<string>();
  readonly #callers: Caller[] = [];
  readonly #workers: Worker[] = [];

  constructor(seed: number, options: LabOptions) {
    const { places = must(PLACES, 'places'), groups = [1, 2] } = options;
    this.#places = places;
    this.shards = options.shards ?? SHARDS;
    const stores = options.stores ?? new Set(Object.values(places).flat()).size;
    this.cluster = new SimCluster(seed, {
      stores,
      groups: 1,
      shards: this.shards,
      tuning: options.tuning ?? {},
      pieceBytes: options.pieceBytes ?? PIECE_BYTES,
    });
    const { world } = this.cluster;
    this.recorder = new Recorder(world.events, () => world.time.monoMs());
    this.cluster.found();
    this.admin = this.cluster.addClient('operator');
    this.#caller = this.cluster.addClient('caller');
    const others = groups.filter((gid) => gid !== 1);
    if (others.length > 0) this.join(...others);
    this.settled();
    if (!groups.includes(1)) this.leave(1);
    this.settled(...groups);
  }

  get config(): ClusterConfig {
    return must(this.cluster.newestConfig(), 'the cluster was founded');
  }

  spoil(network: NetworkKind): void {
    spoil(this.cluster, network);
  }

  // ---------- time ----------

  run(ms: number): void {
    this.cluster.world.time.advance(ms);
  }

  /** How long it took, ms. */
  until(what: string, condition: () => boolean, atMostMs: number = PATIENCE_MS): number {
    const { world } = this.cluster;
    const begin = world.time.monoMs();
    if (!world.waitFor(condition, atMostMs)) {
      throw new Error(`not within ${atMostMs} ms: ${what}\n${this.cluster.describe().join('\n')}`);
    }
    return world.time.monoMs() - begin;
  }

  /** Holds all the time, and not only at its end. */
  throughout(ms: number, what: string, condition: () => boolean): void {
    const { world } = this.cluster;
    if (!condition()) throw new Error(`not so from the start: ${what}`);
    if (world.waitFor(() => !condition(), ms)) throw new Error(`not so for all of ${ms} ms: ${what}`);
  }

  // ---------- groups ----------

  join(...gids: readonly number[]): void {
    const groups = gids.map((gid) => ({ gid, stores: this.storesOf(gid) }));
    this.#change('join', { plan: false, groups });
  }

  leave(...gids: readonly number[]): void {
    this.#change('leave', { plan: false, gids });
  }

  move(shard: number, gid: number): void {
    this.ask('move', { plan: false, shard, gid });
  }

  ask<M extends AdminMethod>(method: M, params: Omit<AdminParams[M], 'requestId'>): void {
    const trouble = this.cluster.ask(this.admin, method, params, PATIENCE_MS);
    if (trouble !== undefined) throw new Error(`${method} was not granted: ${trouble}`);
  }

  /** What a join or leave sets going is exactly what has to move, whatever was open before. */
  #change<M extends 'join' | 'leave'>(method: M, params: Omit<AdminParams[M], 'requestId'>): void {
    const before = this.config.shards.map(homeOf);
    this.ask(method, params);
    const { shards, groups } = this.config;
    const after = shards.map(homeOf);
    const live = groups.filter((group) => !group.leaving).map((group) => group.gid);
    const moved = after.filter((gid, shard) => gid !== before[shard]).length;
    expect(moved, `shards that the ${method} moves`).toBe(fewest(before, live));
  }

  /** Without a move, balanced, and exactly these groups if any are named. Returns how long it took, ms. */
  settled(...gids: readonly number[]): number {
    const tookMs = this.until('all moves have ended', () => this.openMoves === 0);
    const { shards, groups } = this.config;
    if (gids.length > 0) {
      const wanted = [...gids].sort((left, right) => left - right);
      expect(groups.map((group) => group.gid)).toEqual(wanted);
    }
    const live = groups.filter((group) => !group.leaving).map((group) => group.gid);
    const counts = live.map((gid) => shards.filter((shard) => shard.owner === gid).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(this.shards);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    return tookMs;
  }

  get openMoves(): number {
    return this.config.shards.filter((shard) => shard.intent !== undefined).length;
  }

  shardsOf(gid: number): readonly number[] {
    return this.config.shards.flatMap(({ owner }, shard) => (owner === gid ? [shard] : []));
  }

  storesOf(gid: number): readonly string[] {
    return must(this.#places[gid], `places of group ${gid}`);
  }

  replicasOf(gid: number): readonly { readonly store: SimStore; readonly replica: Replica }[] {
    return this.cluster.stores.flatMap((store) => {
      const replica = store.node?.host.replica(gid);
      return replica === undefined ? [] : [{ store, replica }];
    });
  }

  leaderOf(gid: number): SimStore | undefined {
    return this.replicasOf(gid).find(({ replica }) => replica.isLeader)?.store;
  }

  /** Of that group, on that store. */
  servedShards(store: SimStore, gid: number): readonly number[] {
    const machine = store.node?.host.replica(gid)?.machine;
    if (!(machine instanceof DataGroup)) return [];
    return this.config.shards.flatMap((_, shard) =>
      machine.shard(shard)?.state === ShardState.serving ? [shard] : [],
    );
  }

  stop(...gids: readonly number[]): void {
    for (const id of gids.flatMap((gid) => this.storesOf(gid))) this.cluster.store(id).crash();
  }

  start(...gids: readonly number[]): void {
    for (const id of gids.flatMap((gid) => this.storesOf(gid))) this.cluster.store(id).start();
  }

  /** All machines at once, with whatever of their disks was not durable. */
  blackOut(ms: number): void {
    for (const store of this.cluster.stores) store.powerCut();
    this.run(ms);
    for (const store of this.cluster.stores) store.start();
  }

  // ---------- keys ----------

  shardOf(key: string): number {
    return shardOf(utf8Encode(key), this.shards, this.cluster.world.hasher);
  }

  /** So many keys in each of these shards, which only {@link append} writes. */
  keys(perShard: number, shards: readonly number[] = [...this.config.shards.keys()]): string[] {
    const missing = new Map(shards.map((shard) => [shard, perShard]));
    const keys: string[] = [];
    for (let number = 0; keys.length < perShard * shards.length; number++) {
      const key = `key/${number}`;
      const left = missing.get(this.shardOf(key)) ?? 0;
      if (left === 0) continue;
      missing.set(this.shardOf(key), left - 1);
      keys.push(key);
    }
    return keys;
  }

  /** Appends this to each of the keys, until every one has it. */
  append(keys: readonly string[], id: string, atMostMs: number = PATIENCE_MS): void {
    let done = 0;
    for (const key of keys) {
      this.#lists.add(key);
      const call = { kind: 'append', value: id } as const;
      const open = this.recorder.invoke('caller', key, call);
      const { core } = this.#caller;
      core.submit(
        new SimWrite(key, call, core.deadlineMs(atMostMs), (outcome) => {
          this.recorder.respond(open, outcome);
          if (outcome.kind === 'ok') done++;
        }),
      );
    }
    this.until(`${id} is appended to all keys`, () => done === keys.length, atMostMs);
  }

  /** Which of these keys are read within a time. */
  answering(keys: readonly string[], ms: number): string[] {
    const { core } = this.#caller;
    const found: string[] = [];
    let ended = 0;
    for (const key of keys) {
      const open = this.recorder.invoke('caller', key, { kind: 'get' });
      core.submit(
        new SimRead(key, core.deadlineMs(ms), (outcome) => {
          this.recorder.respond(open, outcome);
          ended++;
          if (outcome.kind === 'found' || outcome.kind === 'absent') found.push(key);
        }),
      );
    }
    this.until('every read ends', () => ended === keys.length, ms + 1_000);
    return keys.filter((key) => found.includes(key));
  }

  /** What this key holds, for those who must know it before the last check. */
  read(key: string): string | undefined {
    const { core } = this.#caller;
    let value: string | undefined;
    let isRead = false;
    core.submit(
      new SimRead(key, core.deadlineMs(PATIENCE_MS), (outcome) => {
        if (outcome.kind === 'found') value = outcome.value;
        isRead = outcome.kind === 'found' || outcome.kind === 'absent';
      }),
    );
    this.until(`${key} is read`, () => isRead);
    return value;
  }

  // ---------- callers ----------

  /** So many who append without end, each from a client of its own, two by two on one key. */
  appenders(count: number, thinkMs: number, keys: readonly string[] = this.keys(1)): readonly Caller[] {
    const chosen = Array.from({ length: count }, (_, at) => keys[Math.floor(at / 2) % keys.length] as string);
    for (const key of chosen) this.#lists.add(key);
    return this.#start(chosen, 'append', thinkMs);
  }

  /** One who reads without end, for each of these keys. */
  readers(keys: readonly string[], thinkMs: number): readonly Caller[] {
    return this.#start(keys, 'get', thinkMs);
  }

  #start(keys: readonly string[], kind: 'append' | 'get', thinkMs: number): readonly Caller[] {
    const made = keys.map((key) => {
      const client = this.cluster.addClient(`caller${this.cluster.clients.length}`);
      return new Caller({ client, recorder: this.recorder, key, kind, thinkMs });
    });
    this.#callers.push(...made);
    for (const caller of made) caller.start();
    return made;
  }

  /** So many who append, put, get, delete and scan, with and without conditions, on so many keys. */
  workers(count: number, thinkMs: number, registers: number): void {
    const { world } = this.cluster;
    const keys = keySpace(registers, 2, 1);
    for (const key of keys.registers) this.#registers.add(key);
    for (const key of keys.counters) this.#registers.add(key);
    for (const key of keys.lists) this.#lists.add(key);
    for (let at = 1; at <= count; at++) {
      const client = this.cluster.addClient(`worker${at}`);
      const worker = new Worker({
        name: client.id,
        core: client.core,
        timers: client.timers,
        nowMs: () => client.clock.monoMs(),
        random: world.random.fork(client.id),
        recorder: this.recorder,
        keys,
        thinkMs,
      });
      this.#workers.push(worker);
      worker.start();
    }
  }

  // ---------- the end ----------

  /** Everything is well again, everybody is answered, nothing is left over, and the history is in order. */
  finish(): void {
    clear(this.cluster);
    this.cluster.heal();
    const callers = [...this.#callers, ...this.#workers];
    for (const caller of callers) caller.stop();
    const keys = { registers: [...this.#registers], lists: [...this.#lists], counters: [] };
    const finale = new Finale({ cluster: this.cluster, recorder: this.recorder, keys });
    finale.answer(callers);
    this.until('all moves have ended', () => this.openMoves === 0);
    finale.converge();
    finale.checkLeftovers();
    // Until the state of the last entries is committed, and thereby compared.
    this.run(200);
    this.#check();
  }

  #check(): void {
    const history = this.recorder.history();
    const byKey = Map.groupBy(history, (operation) => operation.key);
    for (const key of this.#lists) {
      const operations = byKey.get(key) ?? [];
      checkAppends(key, operations, lastSeen(operations));
    }
    checkScans(history, this.recorder.scans);
    // Throws, too, for a history of which it cannot tell.
    checkLinearizability(history, this.recorder.scans, { uniqueValues: true });
  }
}

function lastSeen(operations: readonly Operation[]): string | undefined {
  const last = operations.findLast((operation) => operation.client === 'last');
  return last?.outcome.kind === 'found' ? last.outcome.value : undefined;
}
