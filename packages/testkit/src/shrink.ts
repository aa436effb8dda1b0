import { CALLERS, CLIENTS } from './cluster-shape.ts';
import type { Schedule } from './schedule.ts';
import type { SimulationOptions, SimulationResult } from './simulation.ts';
import type { ScheduledFault } from './world/faults.ts';

/**
 * Makes a run that fails as small as it gets. Each smaller one is run, and kept if the same checker fails
 * again: first the load is made shorter, then faults are left out (halves first, then quarters, and so on;
 * a start goes with its end), then the storm of the founding, rare points, stores that stay broken, moves,
 * clients and callers; and all of it again as long as that helps and there is time. Nothing says that the
 * smallest run has been found, only that none of the single steps makes this one smaller.
 */

export interface ShrinkOptions {
  /** Real time that may pass before no other run is begun. */
  readonly budgetMs: number;
  readonly nowMs: () => number;
  readonly run: (options: SimulationOptions) => SimulationResult;
  /** Hears a line whenever the run has become smaller. */
  readonly tell?: (line: string) => void;
}

export interface Shrunk {
  readonly options: SimulationOptions & { readonly schedule: Schedule };
  /** Of the smallest run, which failed by the checker that the first one failed by. */
  readonly result: SimulationResult;
  readonly runs: number;
  /** False: time was up, and it may get smaller. */
  readonly isDone: boolean;
}

type Case = Shrunk['options'];

/** Undefined if the run does not fail. */
export function shrink(options: SimulationOptions, shrinkOptions: ShrinkOptions): Shrunk | undefined {
  const result = shrinkOptions.run(options);
  if (result.failure === undefined) return undefined;
  const shrinker = new Shrinker(options, result, shrinkOptions);
  const isDone = shrinker.run();
  return { options: shrinker.options, result: shrinker.result, runs: shrinker.runs, isDone };
}

/** Less of moves, least first. */
const RARER_MOVES = [8, 4, 2];

class Shrinker {
  options: Case;
  result: SimulationResult;
  runs = 1;
  readonly #checker: string;
  /** What did not fail, so that nothing is tried twice. */
  readonly #sound = new Set<string>();
  readonly #how: ShrinkOptions;
  readonly #untilMs: number;
  /** Nothing smaller is looked for as soon as this is true. */
  #isLate = false;

  constructor(options: SimulationOptions, result: SimulationResult, how: ShrinkOptions) {
    this.options = { ...options, schedule: result.schedule };
    this.result = result;
    this.#checker = result.failure?.checker ?? '';
    this.#how = how;
    this.#untilMs = how.nowMs() + how.budgetMs;
  }

  /** True when nothing more can be left out. */
  run(): boolean {
    this.#tell();
    for (let before = Number.POSITIVE_INFINITY; this.#size() < before && !this.#isLate; ) {
      before = this.#size();
      this.#shorten();
      this.#prefix();
      this.#faults(strikeOf);
      this.#faults(pairOf);
      this.#founding();
      this.#rare();
      this.#frozen();
      this.#moves();
      this.#callers();
    }
    return !this.#isLate;
  }

  #size(): number {
    const { seconds, movesMs, clients = CLIENTS, workersPerClient = CALLERS, schedule } = this.options;
    const { founding, faults, rare, frozen } = schedule;
    const drawn = founding.length + faults.length + frozen.length + Object.keys(rare).length;
    return drawn + seconds + clients * workersPerClient + (movesMs === undefined ? 0 : 10_000 / movesMs);
  }

  #fails(options: Case): boolean {
    this.#isLate ||= this.#how.nowMs() >= this.#untilMs;
    const words = JSON.stringify(options);
    if (this.#isLate || this.#sound.has(words)) return false;
    const result = this.#how.run(options);
    this.runs++;
    if (result.failure?.checker !== this.#checker) {
      this.#sound.add(words);
      return false;
    }
    this.options = options;
    this.result = result;
    this.#tell();
    return true;
  }

  #failsWith(drawn: Partial<Schedule>): boolean {
    return this.#fails({ ...this.options, schedule: { ...this.options.schedule, ...drawn } });
  }

  /** One second, two, four, eight …, and then what lies in between. */
  #shorten(): void {
    const cutTo = (seconds: number): boolean => {
      const { schedule } = this.options;
      const faults = schedule.faults.filter((action) => action.atMs < seconds * 1_000);
      return this.#fails({ ...this.options, seconds, schedule: { ...schedule, faults } });
    };
    const { seconds } = this.options;
    let tooShort = 0;
    for (let length = 1; length < seconds; length *= 2) {
      if (cutTo(length)) break;
      tooShort = length;
    }
    while (this.options.seconds - tooShort > 1) {
      const middle = Math.floor((tooShort + this.options.seconds) / 2);
      if (!cutTo(middle)) tooShort = middle;
    }
  }

  /** What comes after the failure has no part in it. */
  #prefix(): void {
    const all = this.options.schedule.faults;
    const names = [...Map.groupBy(all, strikeOf).keys()];
    let tooFew = -1;
    let enough = names.length;
    while (enough - tooFew > 1) {
      const middle = Math.floor((tooFew + enough) / 2);
      const kept = new Set(names.slice(0, middle));
      if (this.#failsWith({ faults: all.filter((action) => kept.has(action.strike)) })) enough = middle;
      else tooFew = middle;
    }
  }

  /** Delta debugging over units that each go as a whole; says whether it fails without those it is given. */
  #leaveOut<T>(units: readonly T[], failsWithout: (gone: readonly T[]) => boolean): void {
    let left = units;
    for (let parts = 1; left.length > 0; ) {
      const size = Math.ceil(left.length / parts);
      const starts = Array.from({ length: Math.ceil(left.length / size) }, (_, at) => at * size);
      const gone = starts.find((from) => failsWithout(left.slice(from, from + size)));
      if (gone !== undefined) {
        left = left.toSpliced(gone, size);
        parts = Math.max(1, parts - 1);
      } else if (size === 1) {
        return;
      } else {
        parts = Math.min(left.length, parts * 2);
      }
    }
  }

  #faults(unitOf: (action: ScheduledFault) => string): void {
    const units = [...Map.groupBy(this.options.schedule.faults, unitOf).keys()];
    this.#leaveOut(units, (gone) =>
      this.#failsWith({
        faults: this.options.schedule.faults.filter((action) => !gone.includes(unitOf(action))),
      }),
    );
  }

  #founding(): void {
    const units = [...Map.groupBy(this.options.schedule.founding, strikeOf).keys()];
    this.#leaveOut(units, (gone) =>
      this.#failsWith({
        founding: this.options.schedule.founding.filter((action) => !gone.includes(action.strike)),
      }),
    );
  }

  #rare(): void {
    this.#leaveOut(Object.keys(this.options.schedule.rare), (gone) => {
      const left = Object.entries(this.options.schedule.rare).filter(([point]) => !gone.includes(point));
      return this.#failsWith({ rare: Object.fromEntries(left) });
    });
  }

  #frozen(): void {
    this.#leaveOut(this.options.schedule.frozen, (gone) =>
      this.#failsWith({ frozen: this.options.schedule.frozen.filter((each) => !gone.includes(each)) }),
    );
  }

  #moves(): void {
    const { movesMs, ...others } = this.options;
    if (movesMs === undefined || this.#fails(others)) return;
    RARER_MOVES.find((times) => this.#fails({ ...others, movesMs: movesMs * times }));
  }

  #callers(): void {
    const { clients = CLIENTS, workersPerClient = CALLERS } = this.options;
    for (let fewer = 1; fewer < clients; fewer++) {
      if (this.#fails({ ...this.options, clients: fewer })) break;
    }
    for (let fewer = 1; fewer < workersPerClient; fewer++) {
      if (this.#fails({ ...this.options, workersPerClient: fewer })) break;
    }
  }

  #tell(): void {
    const { seconds, movesMs, clients = CLIENTS, workersPerClient = CALLERS, schedule } = this.options;
    const founding = schedule.founding.length === 0 ? '' : ` and ${schedule.founding.length} at the founding`;
    this.#how.tell?.(
      `run ${this.runs}: fails with ${schedule.faults.length} fault actions${founding}, ${Object.keys(schedule.rare).length} rare points, ${seconds} s, ` +
        `${clients} clients of ${workersPerClient} callers, ` +
        `${movesMs === undefined ? 'no moves' : `a move every ${movesMs} ms`}`,
    );
  }
}

function strikeOf(action: ScheduledFault): string {
  return action.strike;
}

/** Of a strike at several stores, what each of them suffers. */
function pairOf(action: ScheduledFault): string {
  return `${action.strike} ${'store' in action ? action.store : ''}`;
}
