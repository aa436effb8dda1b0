import { type RaftId, Writer } from '@flotilla/base';
import type { Random } from '@flotilla/ports';
import type { ReadBatch, Refusal } from './machine.ts';

/** Reads that share one ReadIndex round. `index` is known once the round was confirmed. */
interface Round {
  readonly key: string;
  readonly context: Uint8Array;
  readonly batches: ReadBatch[];
  index: number | undefined;
  askedAt: number;
  /** No answer came in time. */
  isLate: boolean;
}

function keyOf(context: Uint8Array): string {
  return String.fromCharCode(...context);
}

/**
 * Reads of one replica that cannot be answered yet: those that arrived (`fresh`), those that stand on the lease
 * and wait for the state (held), and those that need a confirmation, in rounds. All
 * that wait when a round begins share it; those that come later take the next one, because a round says
 * nothing about what was committed after it began.
 */
export class ReadQueue {
  readonly fresh: ReadBatch[] = [];
  readonly #raftId: RaftId;
  readonly #nonce: number;
  readonly #rounds: Round[] = [];
  /** Reads on the lease, and what must be applied before each. */
  #held: { readonly index: number; readonly batches: ReadBatch[] }[] = [];
  #counter = 0;

  constructor(raftId: RaftId, random: Random) {
    this.#raftId = raftId;
    // A round of an earlier life of this replica must not confirm one of this life.
    this.#nonce = random.u32();
  }

  get isIdle(): boolean {
    return this.fresh.length === 0 && this.#rounds.length === 0 && this.#held.length === 0;
  }

  get isAsking(): boolean {
    return this.#rounds.some((round) => round.index === undefined);
  }

  /** What is fresh may be read on the lease once the state has come to this index. */
  holdFresh(index: number): void {
    this.#held.push({ index, batches: this.fresh.splice(0) });
  }

  takeHeld(appliedIndex: number): ReadBatch[] {
    const ready: ReadBatch[] = [];
    // Commit indexes never fall, so the oldest wait for the lowest.
    while (this.#held[0] !== undefined && this.#held[0].index <= appliedIndex) {
      ready.push(...(this.#held.shift() as { batches: ReadBatch[] }).batches);
    }
    return ready;
  }

  /** Taken, and not evaluated. They wait for nothing but their turn. */
  giveBack(batches: readonly ReadBatch[], index: number): void {
    this.#held.unshift({ index, batches: [...batches] });
  }

  /** The lease is gone: held reads need a confirmation like all others. */
  freeHeld(): void {
    for (const { batches } of this.#held) this.fresh.push(...batches);
    this.#held = [];
  }

  /** Moves the given batches into a round of their own; its context is unique over replicas and restarts. */
  open(batches: readonly ReadBatch[], now: number): Uint8Array {
    const out = new Writer(24);
    out.u53(this.#raftId);
    out.u32(this.#nonce);
    out.u53(++this.#counter);
    const context = out.finish();
    this.#rounds.push({
      key: keyOf(context),
      context,
      batches: [...batches],
      index: undefined,
      askedAt: now,
      isLate: false,
    });
    return context;
  }

  confirm(context: Uint8Array, index: number): void {
    const key = keyOf(context);
    const round = this.#rounds.find((each) => each.key === key);
    if (round === undefined || round.index !== undefined) return;
    round.index = index;
    round.isLate = false;
  }

  /** Batches whose read index is applied. */
  takeReady(appliedIndex: number): ReadBatch[] {
    const ready: ReadBatch[] = [];
    for (let at = 0; at < this.#rounds.length; ) {
      const round = this.#rounds[at] as Round;
      if (round.index !== undefined && round.index <= appliedIndex) {
        ready.push(...round.batches);
        this.#rounds.splice(at, 1);
      } else {
        at++;
      }
    }
    return ready;
  }

  /** Rounds without an answer since `askedBefore` are late: their question or its answer may be lost. */
  retry(askedBefore: number): void {
    for (const round of this.#rounds) {
      if (round.index === undefined && round.askedAt <= askedBefore) round.isLate = true;
    }
  }

  /**
   * Contexts to ask once more, for the late rounds. They stay as they are: on a slow link the answer to the first
   * question is still on its way, and it is as good, since the reads were there before either.
   */
  takeLate(now: number): readonly Uint8Array[] {
    const late = this.#rounds.filter((round) => round.isLate);
    for (const round of late) {
      round.isLate = false;
      round.askedAt = now;
    }
    return late.map((round) => round.context);
  }

  /** Late rounds go back to the fresh reads: nobody need be asked for them any more, or nobody can be. */
  freeLate(): void {
    for (let at = 0; at < this.#rounds.length; ) {
      const round = this.#rounds[at] as Round;
      if (round.isLate) {
        this.fresh.push(...round.batches);
        this.#rounds.splice(at, 1);
      } else {
        at++;
      }
    }
  }

  dropExpired(now: number): void {
    const waiting = [...this.#rounds, ...this.#held].map(({ batches }) => batches);
    for (const list of [this.fresh, ...waiting]) {
      for (let at = list.length - 1; at >= 0; at--) {
        if ((list[at] as ReadBatch).expired(now)) list.splice(at, 1);
      }
    }
  }

  refuseAll(refusal: Refusal): void {
    this.freeHeld();
    const batches = [...this.fresh, ...this.#rounds.flatMap((round) => round.batches)];
    this.fresh.length = 0;
    this.#rounds.length = 0;
    for (const batch of batches) batch.refused(refusal);
  }
}
