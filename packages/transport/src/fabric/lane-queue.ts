import { BoundedQueue } from '@flotilla/base';
import type { Urgency } from '@flotilla/ports';

/** Frames that wait for the socket of one lane. Urgent ones leave first; each class keeps its order. */
export class LaneQueue {
  readonly #bytesMax: number;
  readonly #reserveBytes: number;
  readonly #urgent: BoundedQueue<Uint8Array>;
  readonly #normal: BoundedQueue<Uint8Array>;

  constructor(bytesMax: number, reserveBytes: number) {
    this.#bytesMax = bytesMax;
    this.#reserveBytes = reserveBytes;
    // The limit is a common one, so the two queues themselves have none.
    const unlimited = { itemsMax: Number.POSITIVE_INFINITY, bytesMax: Number.POSITIVE_INFINITY };
    this.#urgent = new BoundedQueue(unlimited);
    this.#normal = new BoundedQueue(unlimited);
  }

  get bytes(): number {
    return this.#urgent.bytes + this.#normal.bytes;
  }

  get isEmpty(): boolean {
    return this.#urgent.length === 0 && this.#normal.length === 0;
  }

  /** False when it does not fit. An empty queue takes one frame of any size. */
  push(frame: Uint8Array, urgency: Urgency): boolean {
    const urgent = urgency === 'urgent';
    const bytesMax = urgent ? this.#bytesMax + this.#reserveBytes : this.#bytesMax;
    if (!this.isEmpty && this.bytes + frame.length > bytesMax) return false;
    return (urgent ? this.#urgent : this.#normal).push(frame, frame.length);
  }

  shift(): Uint8Array | undefined {
    return this.#urgent.shift() ?? this.#normal.shift();
  }

  clear(): void {
    this.#urgent.clear();
    this.#normal.clear();
  }
}
