import { assert, InvariantError, type Prng } from '@flotilla/base';
import type { HostTuning } from '@flotilla/host';
import { checkAppends, checkCounter } from './checkers/exactly-once.ts';
import { CheckFailure } from './checkers/failure.ts';
import type { Operation } from './checkers/history.ts';
import { checkLinearizability } from './checkers/linearizability.ts';
import { checkScans } from './checkers/scans.ts';
import { FaultHand } from './fault-hand.ts';
import { SimCluster } from './sim-cluster.ts';
import { SimRead } from './workload/calls.ts';
import { allKeys, type KeySpace, keySpace } from './workload/keys.ts';
import { Operator } from './workload/operator.ts';
import { Recorder } from './workload/recorder.ts';
import { Worker, type WorkerSabotage } from './workload/worker.ts';
import { EventKind, timeWords } from './world/event-log.ts';
import { actionWords, type FaultAction, type FaultKind, faultKinds, makeSchedule } from './world/faults.ts';
import type { SimClient } from './world/sim-client.ts';
import type { DiskSabotage } from './world/sim-store.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Simulated seconds of load and faults. */
  readonly seconds: number;
  readonly stores?: number;
  readonly groups?: number;
  readonly clients?: number;
  readonly workersPerClient?: number;
  readonly thinkMs?: number;
  /** Only these kinds of faults; by default a random choice among all. */
  readonly faults?: readonly FaultKind[];
  /** One thing that is wrong on purpose, to show that the checks notice. */
  readonly sabotage?: DiskSabotage | WorkerSabotage;
  /** Sees every told event as it happens. */
  readonly trace?: (ms: number, words: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly operations: number;
  readonly unknown: number;
  readonly scans: number;
  readonly elections: number;
  readonly snapshots: number;
  readonly crashes: number;
  readonly powerCuts: number;
  readonly faults: number;
  /** From the end of all faults until everything was as it should be. */
  readonly recoveryMs: number;
  readonly failure: CheckFailure | undefined;
  /** The last told events. */
  readonly story: readonly string[];
}

/** Some operators move leaders about all the time. */
const OPERATOR_PAUSES_MS = [400, 2_000, 6_000] as const;
/** What may happen to stores that are just about to meet, and for how long. */
const FOUNDING_FAULTS: readonly FaultKind[] = [
  'crash',
  'power-cut',
  'black-out',
  'reset',
  'one-way',
  'slow',
  'disk',
];
const FOUNDING_STORM_MS = 3_000;
/** Everything must answer again this long after the last fault. */
const LIVENESS_MS = 30_000;
const STORY_EVENTS = 30;
/** Mean pauses of a caller. Some clusters are busy, most have time; a busy one costs as much as five others. */
const LOADS_THINK_MS = [25, 60, 150, 150, 300, 300] as const;

/** One seed, from the founding of a cluster to the last check. Never throws for what the system did wrong. */
export function simulate(options: SimulationOptions): SimulationResult {
  const run = new Simulation(options);
  let failure: CheckFailure | undefined;
  try {
    run.run();
  } catch (error) {
    failure = asFailure(error);
  }
  const result = run.result(failure);
  if (failure?.atMs === undefined || options.trace !== undefined) return result;
  return { ...result, story: storyUntil(options, failure.atMs) };
}

/** What was found after the run happened long before its last events: the same run again tells them. */
function storyUntil(options: SimulationOptions, untilMs: number): string[] {
  const story: string[] = [];
  const trace = (ms: number, words: string): void => {
    if (ms > untilMs) return;
    story.push(`${timeWords(ms)} ${words}`);
    if (story.length > STORY_EVENTS) story.shift();
  };
  simulate({ ...options, trace });
  return story;
}

function asFailure(error: unknown): CheckFailure {
  if (error instanceof CheckFailure) return error;
  if (!(error instanceof Error)) return new CheckFailure('no error', `something threw ${String(error)}`);
  const what = error instanceof InvariantError ? 'an assertion failed' : 'an exception was thrown';
  const stack = (error.stack ?? '').split('\n').slice(1, 12);
  return new CheckFailure('no error', `${what}: ${error.message}`, stack);
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #cluster: SimCluster;
  readonly #hand: FaultHand;
  readonly #recorder: Recorder;
  readonly #random: Prng;
  readonly #keys: KeySpace;
  readonly #workers: Worker[] = [];
  readonly #thinkMs: number;
  #operator: Operator | undefined;
  #faults = 0;
  #recoveryMs = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#cluster = new SimCluster(options.seed, {
      stores: options.stores ?? 3,
      groups: options.groups ?? 2,
      shards: 16,
      tuning: tuningOf(options.seed),
      sabotage: isDiskSabotage(options.sabotage) ? options.sabotage : undefined,
    });
    const { world } = this.#cluster;
    world.events.listener = options.trace;
    this.#hand = new FaultHand(this.#cluster);
    this.#recorder = new Recorder(world.events, () => world.time.monoMs());
    this.#random = world.random.fork('simulation');
    this.#thinkMs = LOADS_THINK_MS[this.#random.below(LOADS_THINK_MS.length)] as number;
    // Few operations per key keep the search for an order short.
    const { seconds } = options;
    this.#keys = keySpace(seconds + 4, Math.ceil(seconds / 5) + 2, Math.ceil(seconds / 5) + 2);
  }

  run(): void {
    const { world } = this.#cluster;
    if (this.#random.chance(0.2)) this.#troubleFounding();
    this.#cluster.found();
    world.events.tell('the cluster is ready');
    this.#startLoad();
    this.#startOperator();
    world.time.advance(500);
    this.#scheduleFaults();
    world.time.advance(this.#options.seconds * 1_000);
    const healedMs = world.time.monoMs();
    this.#recover();
    this.#finish();
    this.#converge();
    this.#recoveryMs = world.time.monoMs() - healedMs;
    // Until the state of the last entries is committed, and thereby compared.
    world.time.advance(200);
    this.#check();
  }

  #startLoad(): void {
    const { clients = 5, workersPerClient = 3, thinkMs = this.#thinkMs, sabotage } = this.#options;
    for (let number = 1; number <= clients; number++) {
      const client = this.#cluster.addClient(`c${number}`);
      for (let at = 1; at <= workersPerClient; at++) {
        const name = `c${number}.${at}`;
        const worker = new Worker({
          name,
          core: client.core,
          timers: client.timers,
          nowMs: () => client.clock.monoMs(),
          random: this.#random.fork(name),
          recorder: this.#recorder,
          keys: this.#keys,
          thinkMs,
          sabotage: isDiskSabotage(sabotage) ? undefined : sabotage,
        });
        this.#workers.push(worker);
        worker.start();
      }
    }
  }

  #startOperator(): void {
    const { world, stores, options } = this.#cluster;
    this.#operator = new Operator({
      client: this.#cluster.addClient('op'),
      random: this.#random.fork('operator'),
      events: world.events,
      stores: stores.map((store) => store.id),
      groups: options.groups,
      meanPauseMs: OPERATOR_PAUSES_MS[this.#random.below(OPERATOR_PAUSES_MS.length)] as number,
    });
    this.#operator.start();
  }

  /** Some clusters are founded in a storm, too. */
  #troubleFounding(): void {
    const { faults = FOUNDING_FAULTS } = this.#options;
    const kinds = faults.filter((kind) => FOUNDING_FAULTS.includes(kind));
    this.#schedule(this.#random.fork('founding faults'), FOUNDING_STORM_MS, kinds);
    this.#cluster.world.time.set(FOUNDING_STORM_MS, () => this.#cluster.heal());
  }

  #scheduleFaults(): void {
    const { seconds, faults = faultKinds } = this.#options;
    this.#schedule(this.#cluster.world.random.fork('faults'), seconds * 1_000, faults);
  }

  #schedule(random: Prng, durationMs: number, kinds: readonly FaultKind[]): void {
    const { world, stores, clients, options } = this.#cluster;
    const schedule = makeSchedule(random, {
      stores: stores.map((store) => store.id),
      clients: clients.map((client) => client.id).filter((id) => id.startsWith('c')),
      groups: options.groups,
      durationMs,
      kinds,
    });
    for (const action of schedule) {
      if (action.atMs < durationMs) world.time.set(action.atMs, () => this.#act(action));
    }
  }

  #act(action: FaultAction): void {
    const { world } = this.#cluster;
    world.events.mixText(EventKind.fault, action.kind);
    if (!this.#hand.apply(action)) return;
    this.#faults++;
    world.events.tell(`fault: ${actionWords(action)}`);
  }

  /** No more faults, and everything that was broken is whole again. */
  #recover(): void {
    this.#cluster.world.events.tell('all faults end');
    this.#cluster.heal();
    for (const worker of this.#workers) worker.stop();
    this.#operator?.stop();
  }

  /** Every call is answered, and then every key can be read. */
  #finish(): void {
    const { world } = this.#cluster;
    const callers = [...this.#workers, this.#operator];
    const busy = (): number => callers.filter((caller) => caller?.isBusy === true).length;
    const fail = (what: string): never => {
      const after = `${LIVENESS_MS / 1000} s after the last fault`;
      throw new CheckFailure('liveness', `${what} ${after}`, this.#cluster.describe());
    };
    if (!world.waitFor(() => busy() === 0, LIVENESS_MS)) fail(`${busy()} calls had no answer`);
    const client = this.#cluster.addClient('last', LIVENESS_MS);
    const keys = allKeys(this.#keys);
    let left = keys.length;
    for (const key of keys) this.#readAtLast(client, key, () => left--);
    if (!world.waitFor(() => left === 0, LIVENESS_MS))
      fail(`${left} of ${keys.length} keys could not be read`);
  }

  #readAtLast(client: SimClient, key: string, done: () => void): void {
    const open = this.#recorder.invoke('last', key, { kind: 'get' });
    const deadlineMs = client.core.deadlineMs(LIVENESS_MS);
    client.core.submit(
      new SimRead(key, deadlineMs, (outcome) => {
        this.#recorder.respond(open, outcome);
        if (outcome.kind !== 'not-applied') done();
      }),
    );
  }

  /**
   * All stores know the same config, have all the replicas that it gives them, and come to the same index in
   * each group; on the way there the checker compares their states.
   */
  #converge(): void {
    const { world, stores } = this.#cluster;
    const isEqual = (): boolean => {
      const newest = Math.max(...stores.map((store) => store.node?.config.number ?? 0));
      const applied = new Map<string, number>();
      for (const { node, id } of stores) {
        if (node === undefined || node.config.number !== newest) return false;
        for (const { gid, replicas } of node.config.groups) {
          if (replicas.some((place) => place.storeId === id) && node.host.replica(gid) === undefined)
            return false;
        }
        for (const { name, applied: own, raft } of node.host.replicas()) {
          if (raft.leaderId === 0 || (applied.get(name) ?? own.index) !== own.index) return false;
          applied.set(name, own.index);
        }
      }
      return true;
    };
    if (!world.waitFor(isEqual, LIVENESS_MS, 20)) {
      throw new CheckFailure('liveness', 'the stores do not come to one state', this.#cluster.describe());
    }
  }

  #check(): void {
    const history = this.#recorder.history();
    const byKey = new Map<string, Operation[]>();
    const finals = new Map<string, string | undefined>();
    for (const operation of history) {
      const list = byKey.get(operation.key);
      if (list === undefined) byKey.set(operation.key, [operation]);
      else list.push(operation);
      if (operation.client === 'last') {
        const { outcome } = operation;
        finals.set(operation.key, outcome.kind === 'found' ? outcome.value : undefined);
      }
    }
    for (const key of this.#keys.lists) checkAppends(key, byKey.get(key) ?? [], finals.get(key));
    for (const key of this.#keys.counters) checkCounter(key, byKey.get(key) ?? [], finals.get(key));
    checkScans(history, this.#recorder.scans);
    checkLinearizability(history, this.#recorder.scans, { uniqueValues: true });
  }

  result(failure: CheckFailure | undefined): SimulationResult {
    const { world, stores } = this.#cluster;
    return {
      seed: this.#options.seed,
      hash: world.events.hash,
      events: world.events.count,
      virtualMs: world.time.monoMs(),
      operations: this.#recorder.operations.length,
      unknown: this.#recorder.unknown,
      scans: this.#recorder.scans.length,
      elections: this.#cluster.elections,
      snapshots: world.logged.get('snapshot-installed') ?? 0,
      crashes: stores.reduce((sum, store) => sum + store.crashes, 0),
      powerCuts: stores.reduce((sum, store) => sum + store.powerCuts, 0),
      faults: this.#faults,
      recoveryMs: this.#recoveryMs,
      failure,
      story: failure === undefined ? [] : world.events.story(STORY_EVENTS),
    };
  }
}

function isDiskSabotage(sabotage: DiskSabotage | WorkerSabotage | undefined): sabotage is DiskSabotage {
  return sabotage === 'disk-lies' || sabotage === 'disk-blank';
}

/** Small logs, so that stores that were down need snapshots. */
function tuningOf(seed: number): Partial<HostTuning> {
  return { logKeepBytes: [1_024, 4_096, 32_768, 16_777_216][seed % 4] as number };
}

assert(LIVENESS_MS >= 10_000, 'elections need their time');
