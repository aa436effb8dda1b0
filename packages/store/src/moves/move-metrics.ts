import type { Counter, Gauge, Histogram, Meter } from '@flotilla/ports';
import { type MoveState, moveStates } from '@flotilla/wire';

export type MoveEnd = 'done' | 'cancelled';

const PAUSE_BUCKETS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 30_000];

/** What the moves into the groups that this store leads come to. Never a series per shard. */
export class MoveMetrics {
  readonly bytes: Counter;
  readonly restarts: Counter;
  readonly pause: Histogram;
  readonly #states: ReadonlyMap<MoveState, Gauge>;
  readonly #ended: Readonly<Record<MoveEnd, Counter>>;

  constructor(meter: Meter) {
    const open = moveStates.filter((state) => state !== 'done' && state !== 'cancelled');
    const help = 'Open moves into groups that this store leads.';
    this.#states = new Map(open.map((state) => [state, meter.gauge('moves', help, { state })]));
    const ended = (result: MoveEnd): Counter =>
      meter.counter('moves_ended_total', 'Moves that ended while this store led their target.', { result });
    this.#ended = { done: ended('done'), cancelled: ended('cancelled') };
    this.bytes = meter.counter('move_bytes_total', 'Bytes of pages and changes taken into groups led here.');
    this.restarts = meter.counter('move_restarts_total', 'Copies that had to begin again.');
    this.pause = meter.histogram(
      'move_pause_ms',
      'Time from asking the source to freeze to the activation in the target.',
      PAUSE_BUCKETS_MS,
    );
  }

  ended(result: MoveEnd): void {
    this.#ended[result].add(1);
  }

  /** How many moves are in each state now. */
  states(counts: ReadonlyMap<MoveState, number>): void {
    for (const [state, gauge] of this.#states) gauge.set(counts.get(state) ?? 0);
  }
}
