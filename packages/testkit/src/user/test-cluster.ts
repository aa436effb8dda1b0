import { must, type Prng, UsageError, utf8Encode } from '@flotilla/base';
import { Db } from '@flotilla/client';
import { limits, shardOf } from '@flotilla/wire';
import { asFailure, CheckFailure } from '../checkers/failure.ts';
import { SimCluster } from '../sim-cluster.ts';
import { EventKind } from '../world/event-log.ts';
import { ProcessGate } from '../world/process-gate.ts';
import type { SimStore } from '../world/sim-store.ts';
import { CallHistory, WatchedCore } from './call-history.ts';
import { Programs } from './programs.ts';
import { planStorm, type StormKind, stormKinds } from './storm.ts';

export interface TestClusterOptions {
  /** Everything that is left to chance follows from it: a whole number from 0 to 2^32 - 1. Default: 1. */
  readonly seed?: number;
  /** Stores, named `s1`, `s2` and so on: 1 to 9. Default: 3. */
  readonly stores?: number;
  /** Groups that serve data, on three stores each if there are so many: 1 to 64. Default: 2. */
  readonly groups?: number;
  /** Parts of the key space, spread over the groups: 1 to 4096, and no fewer than groups. Default: 16. */
  readonly shards?: number;
  /** Keep the calls of all clients, for the story and the check of the history. Default: true. */
  readonly record?: boolean;
  /** Sees every told event as it happens, with its virtual time. */
  readonly trace?: (ms: number, words: string) => void;
}

export interface TestClientOptions {
  /** Names the client in stories and for partitions. Default: `c1`, `c2` and so on. */
  readonly name?: string;
  /** For a call and all its retries, ms of virtual time. Default: 10,000, as in production. */
  readonly timeout?: number;
}

export interface RunOptions {
  /** How long the program may take, ms of virtual time. Default: 60,000. */
  readonly withinMs?: number;
}

const WITHIN_MS = 60_000;
const CLIENT_TIMEOUT_MS = 10_000;
const STORES_MAX = 9;
const GROUPS_MAX = 64;
const STORY_EVENTS = 30;
/** A call that nobody lets go on waits so long, in real time, before somebody is told. */
const UNRUN_CALL_MS = 1_000;

/** What reaches the process of a client may settle a promise, and then programs go on. */
class WakingGate extends ProcessGate {
  readonly #wake: () => void;

  constructor(wake: () => void) {
    super();
    this.#wake = wake;
  }

  override enter(callback: () => void): void {
    super.enter(callback);
    this.#wake();
  }
}

/** A cluster in this process on virtual time, founded and serving. See docs/simulating.md. */
export function testCluster(options: TestClusterOptions = {}): TestCluster {
  return new TestCluster(options);
}

/**
 * Real stores and real clients; network, disks and clocks are simulated, and time passes only while `run` or
 * `advance` wait. The same seed and the same program are the same course of events, with the same `hash`.
 */
export class TestCluster implements Disposable {
  readonly seed: number;
  /** The names of all stores, up or down. */
  readonly stores: readonly string[];
  readonly #cluster: SimCluster;
  readonly #programs: Programs;
  readonly #history: CallHistory | undefined;
  readonly #clients = new Map<string, Db>();
  readonly #random: Prng;
  #partitions = 0;
  #storms = 0;
  /** What a check found; from then on nothing else can be learnt from this cluster. */
  #broken: CheckFailure | undefined;
  #isClosed = false;
  #unrunTimer: NodeJS.Timeout | undefined;

  constructor(options: TestClusterOptions) {
    const { seed = 1, stores = 3, groups = 2, shards = 16 } = options;
    this.seed = wholeNumber('seed', seed, 0, 0xffff_ffff);
    wholeNumber('groups', groups, 1, GROUPS_MAX);
    this.#cluster = new SimCluster(seed, {
      stores: wholeNumber('stores', stores, 1, STORES_MAX),
      groups,
      shards: wholeNumber('shards', shards, groups, limits.shardCountMax),
      tuning: {},
      pieceBytes: limits.importPieceBytes,
    });
    const { world } = this.#cluster;
    world.events.listener = options.trace;
    this.stores = this.#cluster.stores.map((store) => store.id);
    this.#random = world.random.fork('program');
    this.#programs = new Programs(
      world.time,
      () => this.#openCalls(),
      (error) => this.#break(error),
    );
    if (options.record !== false) this.#history = new CallHistory(world.events, () => world.time.monoMs());
    this.#act(() => this.#cluster.found());
  }

  /** A new client, which may be used at once: the class that `connect` gives, in a process of its own. */
  client(options: TestClientOptions = {}): Db {
    this.#checkOpen();
    const { name = this.#freeName(), timeout = CLIENT_TIMEOUT_MS } = options;
    if (!/^[\w-]{1,40}$/.test(name)) {
      throw new UsageError(`"${name}" cannot name a client: take up to 40 letters, digits, - and _`);
    }
    if ([...this.#cluster.clients, ...this.#cluster.stores].some(({ id }) => id === name)) {
      throw new UsageError(`${name} is taken: give the client another name`);
    }
    const client = this.#cluster.addClient(name, wholeNumber('timeout', timeout, 1, 3_600_000), {
      gate: new WakingGate(() => this.#programs.wake()),
      makeCore: (ports, settings) => {
        return new WatchedCore(ports, settings, (operation) => {
          this.#history?.watch(name, operation);
          this.#watchUnrun();
        });
      },
    });
    const db = new Db(client.core);
    this.#clients.set(name, db);
    return db;
  }

  // ---------- time ----------

  /**
   * Lets virtual time pass until the program has ended, and gives its result. The program may wait for calls of
   * this cluster's clients and for `advance`, and for nothing else. Rejects with `CheckFailure` at the first
   * event that breaks a promise of the system, with `UsageError` if the program does not end `withinMs`.
   */
  run<T>(program: () => PromiseLike<T> | T, options: RunOptions = {}): Promise<T> {
    if (this.#isClosed) return Promise.reject(closed());
    return this.#programs.run(program, wholeNumber('withinMs', options.withinMs ?? WITHIN_MS, 1, 1e9));
  }

  /** Resolves after so many milliseconds of virtual time. Within a program it is a pause of that program. */
  advance(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed());
    if (!(ms >= 0 && ms <= 1e9)) {
      return Promise.reject(new UsageError(`time advances by 0 to 10^9 ms, not by ${ms}`));
    }
    return this.#programs.run(() => this.#programs.sleep(ms), ms + 1);
  }

  /** Virtual ms since 1970: instead of `Date.now()`. */
  now(): number {
    return this.#cluster.world.time.wallMs();
  }

  /** From 0 to below 1, by the seed: instead of `Math.random()`. */
  random(): number {
    return this.#random.unit();
  }

  // ---------- faults ----------

  /** The process dies, as by `kill -9`: what it wrote is on its disk, its connections are closed. */
  kill(store: string): void {
    const victim = this.#runningStore(store, 'killed');
    this.#act(() => victim.crash(), `${store} is killed`);
  }

  /** The machine dies without a word, with what its disk had not made durable. Several at once: a black-out. */
  powerCut(...stores: readonly string[]): void {
    const victims = stores.map((store) => this.#runningStore(store, 'cut from power'));
    this.#act(
      () => {
        for (const victim of victims) victim.powerCut();
      },
      `${stores.join(', ')} lose power`,
    );
  }

  /** Starts a store that is down; one that is up dies first. */
  restart(store: string): void {
    const subject = this.#store(store);
    this.#act(() => {
      subject.crash();
      subject.start();
    }, `${store} is started`);
  }

  /** The process stands still, as by `SIGSTOP`, and meets everything that came meanwhile at `resume`. */
  pause(store: string): void {
    const victim = this.#runningStore(store, 'paused');
    this.#act(() => victim.pause(), `${store} stands still`);
  }

  resume(store: string): void {
    const victim = this.#runningStore(store, 'resumed');
    this.#act(() => victim.resume(), `${store} goes on`);
  }

  /**
   * Nothing gets from one side to another until `heal`. Sides hold names of stores and clients; who is on no
   * side reaches everybody. One side alone is cut off from all other stores: `partition(['s1'])`.
   */
  partition(...sides: readonly (readonly string[])[]): void {
    const named = sides.flat();
    for (const name of named) this.#checkNode(name);
    const twice = named.find((name, at) => named.indexOf(name) !== at);
    if (twice !== undefined) throw new UsageError(`${twice} cannot be on two sides of one partition`);
    if (named.length === 0) throw new UsageError('a partition needs names on at least one side');
    const all = sides.length > 1 ? sides : [named, this.stores.filter((store) => !named.includes(store))];
    const directions = all.flatMap((from, at) =>
      all.flatMap((to, other) =>
        at === other ? [] : from.flatMap((left) => to.map((right) => `${left}>${right}`)),
      ),
    );
    const words = all.map((side) => side.join(' ')).join(' | ');
    const name = `partition ${++this.#partitions}`;
    this.#act(() => this.#cluster.world.links.cut(name, directions), `${name}: ${words}`);
  }

  /** Everything between these two, stores or clients, takes so much longer until `heal`. */
  slow(left: string, right: string, ms: number): void {
    for (const name of [left, right]) this.#checkNode(name);
    const delay = wholeNumber('a delay', ms, 0, 3_600_000);
    const { links } = this.#cluster.world;
    this.#act(
      () => links.slow(`slow ${left} ${right}`, left, right, delay),
      `${left} and ${right} are ${ms} ms further apart`,
    );
  }

  /** Every write to the disk of that store takes so much longer; 0 ends it, and so does `recover`. */
  slowDisk(store: string, ms: number): void {
    const victim = this.#store(store);
    const delay = wholeNumber('a delay', ms, 0, 3_600_000);
    this.#act(() => {
      victim.diskDelayMs = delay;
    }, `the disk of ${store} takes ${ms} ms longer`);
  }

  /** All partitions and delays of the network end. What was on its way arrives. */
  heal(): void {
    const { links, hub } = this.#cluster.world;
    this.#act(() => {
      links.healAll();
      hub.release();
    }, 'the network is healed');
  }

  /** Everything ends that was done to the cluster: all stores are up, nothing is cut, slow or paused. */
  recover(): void {
    this.#act(() => this.#cluster.heal(), 'everything is healed');
  }

  /**
   * Faults of all kinds, or of these, chosen by the seed, for so many ms of virtual time; resolves when it is over
   * and everything has recovered. For a program that runs meanwhile: `Promise.all([storm(5_000), program()])`.
   */
  async storm(ms: number, kinds: readonly StormKind[] = stormKinds): Promise<void> {
    const unknown = kinds.find((kind) => !stormKinds.includes(kind));
    if (unknown !== undefined) {
      throw new UsageError(`a storm has no ${unknown}: choose among ${stormKinds.join(', ')}`);
    }
    wholeNumber('a storm', ms, 1, 3_600_000);
    this.#act(() => planStorm(this.#cluster, ++this.#storms, ms, kinds), `a storm of ${ms} ms`);
    await this.advance(ms);
    this.recover();
  }

  // ---------- what is so now ----------

  isUp(store: string): boolean {
    return this.#store(store).isRunning;
  }

  /** The store that leads a group, or the group that owns a key; undefined while nobody does. */
  leaderOf(where: number | string): string | undefined {
    const gid = typeof where === 'string' ? this.groupOf(where) : where;
    let leader: { readonly id: string; readonly term: number } | undefined;
    for (const { id, node } of this.#cluster.stores) {
      const replica = node?.host.replica(gid);
      if (replica?.isLeader !== true) continue;
      // One that was cut off may not know yet that there is a newer one.
      if (leader === undefined || replica.raft.term > leader.term) leader = { id, term: replica.raft.term };
    }
    return leader?.id;
  }

  /** The group that owns the shard of a key, in the newest config. */
  groupOf(key: string): number {
    const { shards } = must(this.#cluster.newestConfig(), 'the cluster was founded');
    const shard = shardOf(utf8Encode(key), shards.length, this.#cluster.world.hasher);
    return must(shards[shard], 'a shard of the config').owner;
  }

  /** The last events in words, oldest first: what was done to the cluster, what it logged, what clients called. */
  story(events: number = STORY_EVENTS): string[] {
    return this.#cluster.world.events.story(events);
  }

  /** Over everything that has happened so far. Two runs are the same run exactly if their hashes are equal. */
  get hash(): string {
    return this.#cluster.world.events.hash;
  }

  /**
   * Throws `CheckFailure` if the system broke a promise: the first thing that a check found while time passed,
   * or calls of clients that no order explains. Keys that expire, or were deleted by range, are left out.
   */
  check(): void {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      this.#history?.check();
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw this.#explain(error);
    }
  }

  /** Closes all clients; programs that still run end with an error. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#unrunTimer);
    this.#programs.end(closed());
    for (const client of this.#cluster.clients) client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #freeName(): string {
    let number = this.#clients.size + 1;
    while (this.#clients.has(`c${number}`)) number++;
    return `c${number}`;
  }

  #store(name: string): SimStore {
    this.#checkOpen();
    const found = this.#cluster.stores.find((store) => store.id === name);
    if (found !== undefined) return found;
    throw new UsageError(`there is no store ${name}: this cluster has ${this.stores.join(', ')}`);
  }

  #runningStore(name: string, what: string): SimStore {
    const store = this.#store(name);
    if (store.isRunning) return store;
    throw new UsageError(`${name} is down and cannot be ${what}: restart it first`);
  }

  #checkNode(name: string): void {
    if (!this.#clients.has(name)) this.#store(name);
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw closed();
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** What is done to the cluster may itself be what brings a mistake to light. */
  #act(act: () => void, words?: string): void {
    this.#checkOpen();
    if (words !== undefined) {
      const { events } = this.#cluster.world;
      events.mixText(EventKind.fault, words);
      events.tell(words);
    }
    try {
      act();
    } catch (error) {
      const failure = this.#break(error);
      this.#programs.end(failure);
      throw failure;
    }
  }

  #break(error: unknown): CheckFailure {
    this.#broken = this.#explain(error);
    return this.#broken;
  }

  get #openCount(): number {
    return this.#cluster.clients.reduce((sum, { core }) => sum + core.openOperations, 0);
  }

  #openCalls(): string {
    const open = this.#openCount;
    return open === 0 ? 'no call of a client' : `${open} calls of clients`;
  }

  /** The whole report is the message, since that is what test runners print. */
  #explain(error: unknown): CheckFailure {
    const { checker, message, story, atMs } = asFailure(error);
    const { time } = this.#cluster.world;
    const lines = story.length > 0 ? story : this.story();
    const head = `${checker}: ${message} (seed ${this.seed}, after ${time.monoMs().toFixed(1)} ms)`;
    return new CheckFailure(checker, [head, ...lines.map((line) => `  ${line}`)].join('\n'), lines, atMs);
  }

  /** A call that is awaited while no time passes would hang without a word. */
  #watchUnrun(): void {
    if (this.#programs.isDriving || this.#unrunTimer !== undefined) return;
    this.#unrunTimer = setTimeout(() => {
      this.#unrunTimer = undefined;
      if (this.#programs.isDriving || this.#isClosed || this.#openCount === 0) return;
      process.emitWarning('a call to a test cluster waits, but no time passes: use it within cluster.run');
    }, UNRUN_CALL_MS);
    this.#unrunTimer.unref();
  }
}

function closed(): UsageError {
  return new UsageError('this cluster is closed: make a new one with testCluster()');
}

function wholeNumber(what: string, given: number, least: number, most: number): number {
  if (Number.isSafeInteger(given) && given >= least && given <= most) return given;
  throw new UsageError(`${what} must be a whole number from ${least} to ${most}, not ${given}`);
}
