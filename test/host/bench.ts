import { type GroupName, Prng, VirtualTime } from '@flotilla/base';
import { Host, type HostTuning, type Replica } from '@flotilla/host';
import type { Hasher, LogStore, StateStore, TimerId, Timers } from '@flotilla/ports';
import { MemoryLogStore, MemoryStateStore } from '@flotilla/storage';
import type { ReplicaPlace } from '@flotilla/wire';
import { Journal, Line, Look } from './journal.ts';
import { Wires } from './wires.ts';

const GIB = 1024 ** 3;

/** Timers of one life of a process: a dead one hears nothing, a paused one hears everything later. */
class LifeTimers implements Timers {
  isAlive = true;
  #waiting: (() => void)[] | undefined;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  set(delayMs: number, callback: () => void): TimerId {
    return this.#time.set(delayMs, () => this.#run(callback));
  }

  clear(id: TimerId): void {
    this.#time.clear(id);
  }

  soon(callback: () => void): void {
    this.#time.soon(() => this.#run(callback));
  }

  pause(): void {
    this.#waiting = [];
  }

  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const callback of waiting) this.#run(callback);
  }

  #run(callback: () => void): void {
    if (!this.isAlive) return;
    if (this.#waiting === undefined) callback();
    else this.#waiting.push(callback);
  }
}

/** Notices every flipped bit and is many times faster than the real one in plain JavaScript. */
class QuickHash implements Hasher {
  high = 0;
  low = 0;

  hash(bytes: Uint8Array): number {
    let sum = bytes.length;
    for (let at = 0; at < bytes.length; at++) sum = (Math.imul(sum, 31) + (bytes[at] as number)) | 0;
    this.low = sum >>> 0;
    return this.low;
  }
}

export interface StoreHooks {
  readonly logStore?: (store: LogStore) => LogStore;
  readonly stateStore?: (store: StateStore) => StateStore;
}

/** One machine with its disk, and the host that runs on it from time to time. */
export class BenchStore {
  readonly id: string;
  log: MemoryLogStore;
  state: MemoryStateStore;
  diskMs = 0.2;
  wallOffsetMs = 0;
  monoOffsetMs = 0;
  freeBytes = 100 * GIB;
  readonly fatal: string[] = [];
  readonly events: string[] = [];
  readonly leaderships: string[] = [];
  onFatal: () => void = () => {};
  incarnation: string;
  hooks: StoreHooks = {};
  #life: { readonly host: Host; readonly timers: LifeTimers } | undefined;
  #lives = 0;
  readonly #bench: Bench;

  constructor(bench: Bench, id: string) {
    this.#bench = bench;
    this.id = id;
    this.incarnation = `${id}-1`;
    const disk = { timers: bench.time, delayMs: () => this.diskMs };
    this.log = new MemoryLogStore(disk);
    this.state = new MemoryStateStore(disk);
  }

  get host(): Host {
    if (this.#life === undefined) throw new Error(`${this.id} does not run`);
    return this.#life.host;
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  start(): void {
    const { time, wires, tuning } = this.#bench;
    const timers = new LifeTimers(time);
    const state = this.hooks.stateStore?.(this.state) ?? this.state;
    const host = new Host(
      {
        clock: {
          monoMs: () => time.monoMs() + this.monoOffsetMs,
          wallMs: () => time.wallMs() + this.wallOffsetMs,
        },
        timers,
        random: new Prng(this.#bench.seed).fork(`${this.id} ${++this.#lives}`),
        hasher: new QuickHash(),
        logStore: this.hooks.logStore?.(this.log) ?? this.log,
        stateStore: state,
        links: wires.attach(this.id, this.incarnation, timers),
        disk: { freeBytes: () => this.freeBytes, totalBytes: () => 200 * GIB },
        log: { log: (_level, event, fields) => this.events.push(`${event} ${JSON.stringify(fields)}`) },
      },
      {
        machines: (_group, prefix) => new Journal(state, prefix),
        tuning,
        onFatal: (reason, code) => {
          this.fatal.push(`${code} ${reason}`);
          this.onFatal();
        },
        onLeadership: (replica, leads) => this.leaderships.push(`${replica.name} ${leads}`),
      },
    );
    this.#life = { host, timers };
    host.start();
  }

  /** kill -9: what was written is safe, the connections drop. */
  crash(): void {
    this.#die();
    this.log = this.log.crash();
    this.state = this.state.crash();
  }

  powerCut(keep: (pending: number) => number = () => 0): void {
    this.#die();
    this.log = this.log.powerCut(keep);
    this.state = this.state.powerCut(keep);
  }

  pause(): void {
    this.#life?.timers.pause();
  }

  resume(): void {
    this.#life?.timers.resume();
  }

  replica(gid = 1): Replica {
    const replica = this.host.replica(gid);
    if (replica === undefined) throw new Error(`${this.id} has no replica of group ${gid}`);
    return replica;
  }

  journal(gid = 1): Journal {
    return this.replica(gid).machine as Journal;
  }

  lines(gid = 1): readonly string[] {
    return this.journal(gid).lines;
  }

  propose(text: string, gid = 1): Line {
    const line = new Line(text);
    this.host.propose(this.replica(gid), line);
    return line;
  }

  look(gid = 1, onEvaluate: () => void = () => {}): Look {
    const look = new Look(() => this.journal(gid), onEvaluate);
    this.host.read(this.replica(gid), look);
    return look;
  }

  #die(): void {
    const life = this.#life;
    if (life === undefined) throw new Error(`${this.id} does not run`);
    this.#life = undefined;
    life.timers.isAlive = false;
    this.#bench.wires.detach(this.id);
  }
}

/** A few stores with groups of journals, on virtual time. */
export class Bench {
  readonly time = new VirtualTime();
  readonly wires: Wires = new Wires(this.time);
  readonly stores: readonly BenchStore[];
  readonly tuning: Partial<HostTuning>;
  readonly seed: number;

  constructor(count = 3, tuning: Partial<HostTuning> = {}, seed = 1) {
    this.tuning = tuning;
    this.seed = seed;
    this.stores = Array.from({ length: count }, (_, at) => new BenchStore(this, `s${at + 1}`));
  }

  start(): this {
    for (const store of this.stores) store.start();
    this.run(30);
    return this;
  }

  store(id: string): BenchStore {
    const store = this.stores.find((each) => each.id === id);
    if (store === undefined) throw new Error(`no store ${id}`);
    return store;
  }

  places(ids: readonly string[] = this.stores.map((store) => store.id)): ReplicaPlace[] {
    return ids.map((storeId, at) => ({
      raftId: at + 1,
      storeId,
      storeIncarnation: this.store(storeId).incarnation,
    }));
  }

  /** Creates a group on all its stores. */
  found(gid = 1, places: readonly ReplicaPlace[] = this.places(), incarnation = 1): void {
    const group: GroupName = { gid, incarnation };
    for (const place of places) {
      this.store(place.storeId).host.create(group, place.raftId, places, (refused) => {
        if (refused !== undefined) throw new Error(refused);
      });
    }
  }

  /** A bench whose group 1 has a leader that serves. */
  withLeader(): this {
    this.start().found();
    this.until(() => this.leaderOf() !== undefined);
    return this;
  }

  run(ms: number): void {
    this.time.advance(ms);
  }

  /** Lets time pass until it holds; returns how long that took. */
  until(condition: () => boolean, ms = 10_000): number {
    const begin = this.time.monoMs();
    while (!condition()) {
      if (this.time.monoMs() - begin > ms || !this.time.runNext()) {
        throw new Error(`not within ${ms} ms: ${condition}`);
      }
    }
    return this.time.monoMs() - begin;
  }

  /** The store that leads and serves, by the highest term. */
  leaderOf(gid = 1): BenchStore | undefined {
    let best: BenchStore | undefined;
    let term = -1;
    for (const store of this.stores) {
      const replica = store.isRunning ? store.host.replica(gid) : undefined;
      if (replica === undefined || !replica.isServing || replica.raft.term <= term) continue;
      best = store;
      term = replica.raft.term;
    }
    return best;
  }

  leader(gid = 1): BenchStore {
    const leader = this.leaderOf(gid);
    if (leader === undefined) throw new Error(`group ${gid} has no leader`);
    return leader;
  }

  followers(gid = 1): BenchStore[] {
    const leader = this.leader(gid);
    return this.stores.filter((store) => store !== leader && store.isRunning);
  }

  /** Proposes at the leader and waits until it is applied there. */
  write(text: string, gid = 1): Line {
    const line = this.leader(gid).propose(text, gid);
    this.until(() => line.fate !== 'open');
    if (line.fate !== 'applied') throw new Error(`"${text}" was ${line.fate}`);
    return line;
  }

  /** Waits until all running stores have applied the same. */
  settle(gid = 1, ms = 10_000): readonly string[] {
    this.until(() => {
      const leader = this.leaderOf(gid);
      if (leader === undefined) return false;
      const { index } = leader.replica(gid).applied;
      const replicas = this.stores.filter((store) => store.isRunning).map((store) => store.replica(gid));
      return replicas.every((replica) => replica.broken !== undefined || replica.applied.index === index);
    }, ms);
    return this.leader(gid).lines(gid);
  }
}
