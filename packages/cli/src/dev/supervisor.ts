import { rmSync } from 'node:fs';
import { ownInvocation, shellLine } from '../child-command.ts';
import type { Database } from '../database.ts';
import { CommandFailure, ExitCode } from '../failure.ts';
import type { Output } from '../output.ts';
import type { DevPlan, StorePlan } from './plan.ts';
import { makeReady } from './readiness.ts';
import { exitText, type StoreExit, StoreProcess } from './store-process.ts';

/** Keeps the processes of a local cluster: starts them, tells what becomes of them, and ends all of them. */

const GRACE_MS = 15_000;
const STAY_MS = 1_000_000_000;
const REVIVE_MS_MIN = 250;
const REVIVE_MS_MAX = 5_000;
/** A store that ran so long before it ended was fine: its next start is not delayed. */
const FINE_MS = 10_000;

export interface SupervisorOptions {
  readonly plan: DevPlan;
  readonly logDirectory: string;
  readonly restart: boolean;
  /** Removed at the end. */
  readonly temporaryDirectory: string | undefined;
  readonly output: Output;
  /** Said first, as soon as the process can be stopped in good order. */
  readonly greeting: readonly string[];
  readonly open: () => Promise<Database>;
}

interface Seat {
  readonly plan: StorePlan;
  process: StoreProcess;
  startedMs: number;
  reviveMs: number;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #seats: Seat[] = [];
  readonly #listening = new Set<string>();
  #stopping = false;
  #ready = false;
  #failure: CommandFailure | undefined;
  #allGone: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves when the cluster was stopped; rejects if it never got up. */
  async run(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#allGone = resolve;
    });
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    const onSignal = (): void => this.#stop();
    for (const signal of signals) process.on(signal, onSignal);
    // All stores may be down at once and come back by hand: waiting for a signal alone keeps no process.
    const stay = setInterval(() => {}, STAY_MS);
    for (const line of this.#options.greeting) this.#options.output.note(line);
    try {
      for (const plan of this.#options.plan.stores) this.#seats.push(this.#seat(plan));
      // A cluster that ends before it is ready is not waited for.
      await Promise.race([this.#untilReady(), gone]);
      await gone;
    } finally {
      clearInterval(stay);
      for (const signal of signals) process.off(signal, onSignal);
      const { temporaryDirectory } = this.#options;
      if (temporaryDirectory !== undefined) rmSync(temporaryDirectory, { recursive: true, force: true });
    }
    if (this.#failure !== undefined) throw this.#failure;
    await this.#tell('stopped', {}, 'stopped');
  }

  async #untilReady(): Promise<void> {
    const { plan, output, open } = this.#options;
    const begin = performance.now();
    const readiness = await makeReady(open, plan, {
      wanted: () => !this.#stopping,
      onSlow: (why) => output.note(`still waiting: ${why}`),
    });
    if (readiness === undefined || this.#stopping) return;
    this.#ready = true;
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    const console = `http://${plan.endpoints[0]}/api/status`;
    const stores = this.#seats.map(({ plan: { id, address }, process: { pid } }) => ({ id, pid, address }));
    await this.#tell(
      'ready',
      { endpoints: plan.endpoints, console, stores },
      `ready  endpoints ${plan.endpoints.join(',')}  console ${console}  (${seconds} s)`,
    );
    if (readiness.health !== 'healthy') output.note(`warning: ${readiness.headline}`);
  }

  #seat(plan: StorePlan): Seat {
    const seat: Seat = {
      plan,
      process: this.#start(plan),
      startedMs: performance.now(),
      reviveMs: REVIVE_MS_MIN,
    };
    return seat;
  }

  #start(plan: StorePlan): StoreProcess {
    return new StoreProcess(plan, this.#options.logDirectory, {
      onEvent: (event) => {
        if (event.event === 'listening') this.#listening.add(plan.id);
      },
      onExit: (exit) => this.#exited(plan, exit),
    });
  }

  #exited(plan: StorePlan, exit: StoreExit): void {
    const seat = this.#seats.find((each) => each.plan.id === plan.id);
    const words = seat?.process.lastWords();
    if (!this.#stopping) {
      if (this.#ready || this.#listening.has(plan.id)) this.#lost(plan, exit, words, seat);
      else {
        // It never came up, so the person has to do something before the next try.
        const why = words ?? `it ${exitText(exit)}; its log is ${seat?.process.logFile}`;
        this.#failure ??= new CommandFailure(`store ${plan.id} did not start: ${why}`, exitCodeOf(exit));
        this.#stop();
      }
    }
    if (this.#stopping && this.#seats.every((each) => !each.process.running)) this.#allGone();
  }

  #lost(plan: StorePlan, exit: StoreExit, words: string | undefined, seat: Seat | undefined): void {
    const { restart, output } = this.#options;
    const command = shellLine(ownInvocation(plan.args));
    const why = words === undefined ? '' : ` (${words})`;
    if (restart && seat !== undefined) {
      if (performance.now() - seat.startedMs > FINE_MS) seat.reviveMs = REVIVE_MS_MIN;
      const pause = seat.reviveMs;
      seat.reviveMs = Math.min(REVIVE_MS_MAX, pause * 2);
      setTimeout(() => this.#revive(seat), pause);
    }
    const { code, signal } = exit;
    const text = `store ${plan.id} ${exitText(exit)}${why}. ${restart ? 'It is started again.' : `Start it again with:\n  ${command}`}`;
    void this.#tell('store-ended', { id: plan.id, code, signal, restart, command }, text).then(() =>
      output.flush(),
    );
  }

  #revive(seat: Seat): void {
    if (this.#stopping) return;
    seat.startedMs = performance.now();
    seat.process = this.#start(seat.plan);
    const { pid } = seat.process;
    void this.#tell('store-started', { id: seat.plan.id, pid }, `store ${seat.plan.id} was started again`);
  }

  /** The first call asks the stores to end, a second one makes them. */
  #stop(): void {
    const running = this.#seats.filter((seat) => seat.process.running);
    if (this.#stopping) {
      for (const seat of running) seat.process.kill();
      return;
    }
    this.#stopping = true;
    if (running.length === 0) {
      this.#allGone();
      return;
    }
    for (const seat of running) seat.process.stop();
    const grace = setTimeout(() => {
      for (const seat of this.#seats) seat.process.kill();
    }, GRACE_MS);
    grace.unref();
  }

  async #tell(event: string, fields: Readonly<Record<string, unknown>>, text: string): Promise<void> {
    const { output } = this.#options;
    await (output.json ? output.value({ event, ...fields }) : output.line(text));
    await output.flush();
  }
}

/** Only the codes that this program may end with; a store that broke is not our own wrong usage. */
function exitCodeOf({ code }: StoreExit): ExitCode {
  return code === ExitCode.refused ? ExitCode.refused : ExitCode.unavailable;
}
