import { type Prng, sameGroup } from '@flotilla/base';
import { checkAppends, checkCounter } from './checkers/exactly-once.ts';
import { asFailure, CheckFailure } from './checkers/failure.ts';
import type { Operation } from './checkers/history.ts';
import { checkLinearizability } from './checkers/linearizability.ts';
import type { MoveCounts } from './checkers/moves/move-tally.ts';
import { checkScans } from './checkers/scans.ts';
import { CALLERS, CLIENTS } from './cluster-shape.ts';
import { FaultHand } from './fault-hand.ts';
import { Finale } from './finale.ts';
import { HealedCore } from './healed-core.ts';
import { drawSchedule, FOUNDING_STORM_MS, type Schedule } from './schedule.ts';
import { FOUNDING_MS, SimCluster } from './sim-cluster.ts';
import { checkSimulationOptions } from './simulation-input.ts';
import { Echo } from './workload/echo.ts';
import { type KeySpace, keySpace } from './workload/keys.ts';
import { type Decision, Operator } from './workload/operator.ts';
import { Recorder } from './workload/recorder.ts';
import { StepEcho } from './workload/step-echo.ts';
import { cancelSome, caretaker, moveShard, shuffler } from './workload/wishes.ts';
import { Worker, type WorkerSabotage } from './workload/worker.ts';
import { EventKind, timeWords } from './world/event-log.ts';
import { actionWords } from './world/fault-words.ts';
import type { FaultKind, ScheduledFault } from './world/faults.ts';
import { lossKinds } from './world/machine-faults.ts';
import type { DiskSabotage, SimStore } from './world/sim-store.ts';

export interface SimulationOptions {
  /** Everything that is left to chance follows from it: a whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Simulated seconds of load and faults. What comes before and after takes some seconds more. */
  readonly seconds: number;
  /** Default: 3, or 6 where shards move. */
  readonly stores?: number;
  /** Groups that serve data at the start. Default: 2, or 3 to 4 where shards move. */
  readonly groups?: number;
  /** Client processes. Default: 5. */
  readonly clients?: number;
  /** Threads in each client, which call one thing after the other. Default: 3. */
  readonly workersPerClient?: number;
  /** Mean pause of a thread between two calls, ms. Default: by the seed. */
  readonly thinkMs?: number;
  /** Mean pause between two moves of shards, ms; left out: nobody asks for any. */
  readonly movesMs?: number;
  /** Only these kinds of faults; by default a random choice among all. */
  readonly faults?: readonly FaultKind[];
  /** Instead of what the seed would draw; stores, groups, pauses of callers and kinds of faults do not count then. */
  readonly schedule?: Schedule;
  /** One thing that is wrong on purpose, to show that the checks notice. */
  readonly sabotage?: DiskSabotage | WorkerSabotage;
  /** Sees every told event as it happens. */
  readonly trace?: (ms: number, words: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  /** Over all events: two runs are the same run exactly if their hashes are equal. */
  readonly hash: string;
  readonly events: number;
  /** How long all of it took in the simulated world. */
  readonly virtualMs: number;
  /** Calls of clients that ended, however they did. */
  readonly operations: number;
  /** Those among them whose outcome the client could not know. */
  readonly unknown: number;
  readonly scans: number;
  /** Terms in which some group had a leader. */
  readonly elections: number;
  /** Snapshots that a replica took over from another one. */
  readonly snapshots: number;
  readonly crashes: number;
  readonly powerCuts: number;
  /** Actions of the schedule that changed anything. */
  readonly faults: number;
  /** How often each kind of fault struck. */
  readonly faultCounts: Readonly<Record<string, number>>;
  /** Faults that struck right after a step of a move. */
  readonly strikes: number;
  /** Commands that were sent once more after they had been executed. */
  readonly echoes: number;
  readonly moves: MoveCounts;
  /** How often the rare branch was taken, by point. */
  readonly rare: Readonly<Record<string, number>>;
  /** From the end of all faults until everything was as it should be. */
  readonly recoveryMs: number;
  /** What was decided before the run began: the same options with it are the same run. */
  readonly schedule: Schedule;
  /** The first promise of the system that was broken; undefined if all were kept. */
  readonly failure: CheckFailure | undefined;
  /** The last told events before the failure, oldest first; empty without one. */
  readonly story: readonly string[];
}

const STORY_EVENTS = 30;
/** What begins, ends or holds up moves comes this much less often than moves of single shards. */
const SHUFFLES_RARER = 1.5;
/** While shards move, there are groups enough to move them between. */
const MOVING_GROUPS_MIN = 2;
const MOVING_GROUPS_MAX = 7;
/** Groups that an operator adds where nobody moves anything on purpose. */
const EXTRA_GROUPS = 2;
/** Whoever takes first assignments back does so at once: they take no longer than an election. */
const DOUBTS_MS = 40;

/**
 * One seed, from the founding of a cluster over load and faults to the last check: see `failure` of the result.
 * Never throws for what the system did wrong. A simulated second takes some ten milliseconds, in one piece.
 */
export function simulate(options: SimulationOptions): SimulationResult {
  const result = runOnce(options);
  const { failure } = result;
  if (failure?.atMs === undefined || options.trace !== undefined) return result;
  return { ...result, story: storyUntil(options, failure.atMs) };
}

/** The same without a second run that tells the story up to what was found only at the end. */
export function runOnce(options: SimulationOptions): SimulationResult {
  const run = new Simulation(options);
  try {
    run.run();
  } catch (error) {
    return run.result(asFailure(error));
  }
  return run.result(undefined);
}

/** What was found after the run happened long before its last events: the same run again tells them. */
function storyUntil(options: SimulationOptions, untilMs: number): string[] {
  const story: string[] = [];
  const trace = (ms: number, words: string): void => {
    if (ms > untilMs) return;
    story.push(`${timeWords(ms)} ${words}`);
    if (story.length > STORY_EVENTS) story.shift();
  };
  runOnce({ ...options, trace });
  return story;
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #cluster: SimCluster;
  readonly #hand: FaultHand;
  readonly #recorder: Recorder;
  readonly #random: Prng;
  readonly #keys: KeySpace;
  readonly #workers: Worker[] = [];
  readonly #operators: Operator[] = [];
  #echo: Echo | undefined;
  #stepEcho: StepEcho | undefined;
  readonly #schedule: Schedule;
  #faults = 0;
  #recoveryMs = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    checkSimulationOptions(options);
    this.#schedule = options.schedule ?? drawSchedule(options);
    const { shape } = this.#schedule;
    this.#cluster = new SimCluster(options.seed, {
      ...shape,
      tuning: { logKeepBytes: shape.logKeepBytes },
      sabotage: isDiskSabotage(options.sabotage) ? options.sabotage : undefined,
    });
    const { world } = this.#cluster;
    world.events.listener = options.trace;
    world.rare.open(this.#schedule.rare);
    this.#hand = new FaultHand(this.#cluster);
    this.#cluster.entries.onStep = (store, step, asLeader) => this.#hand.stepApplied(store, step, asLeader);
    if (options.movesMs !== undefined) this.#startStepEcho();
    this.#recorder = new Recorder(world.events, () => world.time.monoMs());
    this.#random = world.random.fork('simulation');
    this.#keys = keySpace(shape.registers, shape.lists, shape.counters);
  }

  run(): void {
    const { world } = this.#cluster;
    if (this.#schedule.founding.length > 0) this.#troubleFounding();
    this.#cluster.found();
    if (this.#options.movesMs !== undefined) {
      this.#setPolicy();
      this.#startEcho();
    }
    world.events.tell('the cluster is ready');
    this.#startLoad();
    this.#startOperators();
    world.time.advance(500);
    this.#plan(this.#schedule.faults);
    world.time.advance(this.#options.seconds * 1_000);
    const healedMs = world.time.monoMs();
    const core = this.#recover();
    const finale = new Finale({ cluster: this.#cluster, recorder: this.#recorder, keys: this.#keys });
    finale.answer([...this.#workers, ...this.#operators]);
    const isMoving = this.#options.movesMs !== undefined;
    if (isMoving) finale.endMoves();
    if (core.frozen.size > 0) {
      core.end();
      world.events.tell('everything is mended');
      finale.answer([]);
    }
    if (isMoving) finale.balance();
    finale.converge();
    finale.checkLeftovers();
    this.#recoveryMs = world.time.monoMs() - healedMs;
    // Until the state of the last entries is committed, and thereby compared.
    world.time.advance(200);
    this.#check();
  }

  /** From the first entry on: first assignments are steps, too. */
  #startStepEcho(): void {
    const { world, stores, entries } = this.#cluster;
    this.#stepEcho = new StepEcho({
      world,
      random: world.random.fork('step echo'),
      leaderOf: (group) => {
        const hosts = stores.flatMap((store) => store.node?.host ?? []);
        return hosts.find((host) => {
          const replica = host.replica(group.gid);
          return replica?.isLeader === true && sameGroup(replica.group, group);
        });
      },
    });
    entries.onFirst = (group, entry) => this.#stepEcho?.applied(group, entry);
  }

  #startEcho(): void {
    const { world, stores } = this.#cluster;
    const leads = (store: SimStore, gid: number): boolean => store.node?.host.replica(gid)?.isLeader === true;
    const echo = new Echo({
      world,
      random: this.#random.fork('echo'),
      config: () => this.#cluster.newestConfig(),
      leaderOf: (gid) => stores.find((store) => leads(store, gid))?.address,
    });
    world.moves.onExecuted = (entry) => echo.executed(entry);
    this.#echo = echo;
  }

  #setPolicy(): void {
    const { moveBytesPerSecond } = this.#schedule.shape;
    const params = { auto: undefined, moveBytesPerSecond, movesPerStore: undefined };
    const client = this.#cluster.addClient('policy');
    const trouble = this.#cluster.ask(client, 'policy', params, FOUNDING_MS);
    if (trouble !== undefined) throw new CheckFailure('liveness', `no policy could be set: ${trouble}`);
  }

  #startLoad(): void {
    const { clients = CLIENTS, workersPerClient = CALLERS, sabotage } = this.#options;
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
          thinkMs: this.#schedule.shape.thinkMs,
          sabotage: isDiskSabotage(sabotage) ? undefined : sabotage,
        });
        this.#workers.push(worker);
        worker.start();
      }
    }
  }

  #startOperators(): void {
    const { groups, operatorPauseMs } = this.#schedule.shape;
    const { movesMs } = this.#options;
    if (movesMs === undefined) {
      this.#startOperator('op', operatorPauseMs, caretaker(groups + EXTRA_GROUPS));
      return;
    }
    this.#startOperator('op', operatorPauseMs, caretaker(0));
    this.#startOperator('mover', movesMs, moveShard);
    this.#startOperator('shuffler', SHUFFLES_RARER * movesMs, shuffler(MOVING_GROUPS_MIN, MOVING_GROUPS_MAX));
  }

  #startOperator(name: string, meanPauseMs: number, decide: Decision): Operator {
    const { world, stores } = this.#cluster;
    const operator = new Operator({
      name,
      client: this.#cluster.addClient(name),
      random: this.#random.fork(name),
      events: world.events,
      stores: stores.map((store) => store.id),
      config: () => this.#cluster.newestConfig(),
      meanPauseMs,
      replicasMin: this.#schedule.faults.some(({ kind }) => lossKinds.includes(kind)) ? 3 : 1,
      decide,
    });
    this.#operators.push(operator);
    operator.start();
    return operator;
  }

  /** Some clusters are founded in a storm, too, and first assignments are taken back meanwhile. */
  #troubleFounding(): void {
    this.#plan(this.#schedule.founding);
    const isMoving = this.#options.movesMs !== undefined;
    const doubter = isMoving ? this.#startOperator('doubter', DOUBTS_MS, cancelSome) : undefined;
    this.#cluster.world.time.set(FOUNDING_STORM_MS, () => {
      this.#cluster.heal();
      doubter?.stop();
    });
  }

  #plan(actions: readonly ScheduledFault[]): void {
    for (const action of actions) this.#cluster.world.time.set(action.atMs, () => this.#act(action));
  }

  #act(action: ScheduledFault): void {
    const { world } = this.#cluster;
    world.events.mixText(EventKind.fault, action.kind);
    if (!this.#hand.apply(action)) return;
    this.#faults++;
    world.events.tell(`fault: ${actionWords(action)}`);
  }

  /** No more faults, and so much of what was broken is whole again that everything can go on. */
  #recover(): HealedCore {
    this.#cluster.world.events.tell('all faults end');
    this.#hand.rest();
    this.#cluster.world.rare.rest();
    this.#echo?.stop();
    this.#stepEcho?.stop();
    const core = new HealedCore(this.#cluster);
    core.begin(this.#schedule.frozen);
    for (const caller of [...this.#workers, ...this.#operators]) caller.stop();
    return core;
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
      faultCounts: Object.fromEntries(this.#hand.struck),
      strikes: this.#hand.strikes,
      echoes: this.#echo?.count ?? 0,
      moves: world.tally.counts,
      rare: Object.fromEntries(world.rare.taken),
      recoveryMs: this.#recoveryMs,
      schedule: this.#schedule,
      failure,
      story: failure === undefined ? [] : world.events.story(STORY_EVENTS),
    };
  }
}

function isDiskSabotage(sabotage: DiskSabotage | WorkerSabotage | undefined): sabotage is DiskSabotage {
  return sabotage === 'disk-lies' || sabotage === 'disk-blank';
}
