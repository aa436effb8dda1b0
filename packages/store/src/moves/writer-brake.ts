import { AskKind, type GroupRecord, MoveStep, Verdict } from '@flotilla/wire';
import type { MoveCalls } from './move-calls.ts';
import type { MoveOrder } from './move-order.ts';

/** The source forgets a request after five seconds. */
const REPEAT_MS = 2_000;

/** Keeps asking the source's leader to hold its writers of one shard below a rate. */
export class WriterBrake {
  readonly #calls: MoveCalls;
  #nextMs: number = Number.NEGATIVE_INFINITY;
  /** Whoever was asked last does not lead the source. */
  #isLost = false;

  constructor(calls: MoveCalls) {
    this.#calls = calls;
  }

  get isOn(): boolean {
    return this.#nextMs !== Number.NEGATIVE_INFINITY;
  }

  /** To be called again and again, as long as the writers are to be held. */
  hold(source: GroupRecord, order: MoveOrder, bytesPerSecond: number, nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + REPEAT_MS;
    const { moveId, shard, epoch } = order;
    const leader = this.#isLost ? undefined : this.#calls.leaderOf(source);
    if (leader === undefined) {
      // A step finds the leader, and this one changes nothing: the export is open.
      this.#calls.step(source, { step: MoveStep.beginExport, moveId, shard, epoch }, () => {
        this.#isLost = false;
        this.#nextMs = 0;
      });
      return;
    }
    const question = { kind: AskKind.throttle, moveId, shard, bytesPerSecond } as const;
    this.#calls.ask(leader, source, question, (reply) => {
      this.#isLost = reply?.verdict !== Verdict.noted;
      if (this.#isLost) this.#nextMs = 0;
    });
  }
}
