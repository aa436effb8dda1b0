import { AskKind, type GroupRecord, Verdict } from '@flotilla/wire';
import type { MoveCalls } from './move-calls.ts';
import type { MoveName } from './pieces.ts';

/** The source forgets a request after five seconds. */
const REPEAT_MS = 2_000;

/** Keeps asking the source's leader to hold its writers of one shard below a rate. */
export class WriterBrake {
  readonly #calls: MoveCalls;
  #askedAtMs: number = Number.NEGATIVE_INFINITY;

  constructor(calls: MoveCalls) {
    this.#calls = calls;
  }

  get isOn(): boolean {
    return this.#askedAtMs !== Number.NEGATIVE_INFINITY;
  }

  /** `done(false)`: whoever was asked does not lead the source, or did not answer. */
  hold(
    source: GroupRecord,
    move: MoveName,
    bytesPerSecond: number,
    nowMs: number,
    done: (isHeld: boolean) => void,
  ): void {
    const leader = this.#calls.leaderOf(source);
    if (leader === undefined || nowMs - this.#askedAtMs < REPEAT_MS) return;
    this.#askedAtMs = nowMs;
    const { moveId, shard } = move;
    const question = { kind: AskKind.throttle, moveId, shard, bytesPerSecond } as const;
    this.#calls.ask(leader, source, question, (reply) => done(reply?.verdict === Verdict.noted));
  }
}
