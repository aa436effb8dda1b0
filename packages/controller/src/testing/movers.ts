import { must } from '@flotilla/base';
import { MovePhase } from '@flotilla/wire';
import type { MoveEnd, ReportedMove } from '../command.ts';
import type { ControllerBench } from './bench.ts';

/**
 * The groups behind the controller, as far as moves go: each move is decided once, in the log of its source (of its
 * target where there is no source), and what was decided there may be reported late, doubled and in any order.
 */
interface Course {
  readonly shard: number;
  readonly moveId: number;
  readonly source: number;
  readonly target: number;
  state: 'open' | 'frozen' | 'active' | 'closed';
}

export class Movers {
  readonly #bench: ControllerBench;
  readonly #courses = new Map<string, Course>();
  /** By shard: who serves it; 0 for nobody, also while a frozen source waits for its target. */
  readonly serving: number[];

  constructor(bench: ControllerBench) {
    this.#bench = bench;
    this.serving = bench.config.shards.map(() => 0);
  }

  /** What a driver does that sees the newest config, or an older one. False where nothing is open. */
  advance(shard: number, isEager: boolean): boolean {
    const course = this.#course(shard);
    if (course === undefined) return false;
    const isCancelling = this.#bench.config.shards[shard]?.intent?.phase === MovePhase.cancelling;
    if (course.state === 'open') {
      if (isCancelling && !isEager) course.state = 'closed';
      else if (course.source === 0) this.#activate(course);
      else {
        course.state = 'frozen';
        this.serving[shard] = 0;
      }
    } else if (course.state === 'frozen') this.#activate(course);
    return true;
  }

  #activate(course: Course): void {
    course.state = 'active';
    this.serving[course.shard] = course.target;
  }

  /** All that could be reported truthfully, of moves long ended as well. */
  facts(kind: MoveEnd): readonly ReportedMove[] {
    const states = { done: ['active'], cancelled: ['closed'], tooLate: ['frozen', 'active'] };
    return [...this.#courses.values()].filter(({ state, source }) =>
      kind === 'tooLate' && source === 0 ? state === 'active' : states[kind].includes(state),
    );
  }

  #course(shard: number): Course | undefined {
    const { owner, intent } = must(this.#bench.config.shards[shard], 'only shards that exist move');
    if (intent === undefined) return undefined;
    const { moveId, target } = intent;
    const key = `${moveId} ${shard}`;
    const known = this.#courses.get(key);
    if (known !== undefined) return known;
    const course: Course = { shard, moveId, source: owner, target, state: 'open' };
    this.#courses.set(key, course);
    return course;
  }
}
