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
}

function keyOf(context: Uint8Array): string {
  return String.fromCharCode(...context);
}

/**
 * Reads of one replica that need a confirmation: those that arrived (`fresh`), and rounds under way. All
 * that wait when a round begins share it; those that come later take the next one, because a round says
 * nothing about what was committed after it began.
 */
export class ReadQueue {
  readonly fresh: ReadBatch[] = [];
  readonly #raftId: RaftId;
  readonly #nonce: number;
  readonly #rounds: Round[] = [];
  #counter = 0;

  constructor(raftId: RaftId, random: Random) {
    this.#raftId = raftId;
    // A round of an earlier life of this replica must not confirm one of this life.
    this.#nonce = random.u32();
  }

  get isIdle(): boolean {
    return this.fresh.length === 0 && this.#rounds.length === 0;
  }

  get isAsking(): boolean {
    return this.#rounds.some((round) => round.index === undefined);
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
    });
    return context;
  }

  confirm(context: Uint8Array, index: number): void {
    const key = keyOf(context);
    const round = this.#rounds.find((each) => each.key === key);
    if (round !== undefined && round.index === undefined) round.index = index;
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

  /** Rounds without an answer since `askedBefore` go back to the fresh ones: their message may be lost. */
  retry(askedBefore: number): void {
    for (let at = 0; at < this.#rounds.length; ) {
      const round = this.#rounds[at] as Round;
      if (round.index === undefined && round.askedAt <= askedBefore) {
        this.fresh.push(...round.batches);
        this.#rounds.splice(at, 1);
      } else {
        at++;
      }
    }
  }

  dropExpired(now: number): void {
    for (const list of [this.fresh, ...this.#rounds.map((round) => round.batches)]) {
      for (let at = list.length - 1; at >= 0; at--) {
        if ((list[at] as ReadBatch).expired(now)) list.splice(at, 1);
      }
    }
  }

  refuseAll(refusal: Refusal): void {
    const batches = [...this.fresh, ...this.#rounds.flatMap((round) => round.batches)];
    this.fresh.length = 0;
    this.#rounds.length = 0;
    for (const batch of batches) batch.refused(refusal);
  }
}
