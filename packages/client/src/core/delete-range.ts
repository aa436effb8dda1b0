import { EMPTY_BYTES } from '@flotilla/base';
import { Flag, limits, Op, Status } from '@flotilla/wire';
import type { ClientCore } from './client-core.ts';
import { type ClientFailure, type FailureCode, failure } from './failure.ts';
import { unfit } from './get-many.ts';
import { WriteOperation } from './operation.ts';
import { isEmptyRange, type KeyRange, shardsOfRange } from './range.ts';

/** Shards that are emptied at once: each command may cost a store the work of a thousand. */
const SHARDS_AT_ONCE = 16;

class Step extends WriteOperation {
  readonly #owner: DeleteRange;
  constructor(owner: DeleteRange) {
    super();
    this.#owner = owner;
  }
  settled(): void {
    this.#owner.stepSettled(this);
  }
}

/**
 * Deletes a range in every shard, a bounded number of keys per command, each command going on where the last
 * one stopped. Each is applied once; the whole is not atomic, and a failure leaves what was deleted deleted.
 */
export class DeleteRange {
  /** Records deleted so far, as far as answers came. */
  deleted = 0;
  failure: ClientFailure | undefined;
  readonly #core: ClientCore;
  readonly #range: KeyRange;
  readonly #timeoutMs: number | undefined;
  readonly #done: (all: DeleteRange) => void;
  #shards: number[] = [];
  #next = 0;
  readonly #open = new Set<Step>();
  #isDone = false;
  /** A command that was given up may still be executed. */
  #hasDoubt = false;

  constructor(
    core: ClientCore,
    range: KeyRange,
    timeoutMs: number | undefined,
    done: (all: DeleteRange) => void,
  ) {
    this.#core = core;
    this.#range = range;
    this.#timeoutMs = timeoutMs;
    this.#done = done;
  }

  start(): void {
    if (isEmptyRange(this.#range)) {
      this.#finish();
      return;
    }
    this.#core.whenRouted(this.#core.deadlineMs(this.#timeoutMs), (reason) => {
      if (this.#isDone) return;
      if (reason !== undefined) {
        this.#fail(reason);
        return;
      }
      this.#shards = shardsOfRange(this.#range, this.#core.routes.shardCount, this.#core.ports.hasher);
      while (this.#next < Math.min(SHARDS_AT_ONCE, this.#shards.length) && !this.#isDone) this.#nextShard();
    });
  }

  giveUp(code: FailureCode, message: string, cause?: unknown): void {
    if (!this.#isDone) this.#fail(failure(code, message, 'not-applied', {}, cause));
  }

  stepSettled(step: Step): void {
    this.#open.delete(step);
    if (this.#isDone) {
      if (step.failure?.outcome === 'unknown') this.#hasDoubt = true;
      return;
    }
    const result = step.result;
    if (step.failure !== undefined) {
      this.#fail(step.failure);
    } else if (result?.status !== Status.rangeDeleted) {
      this.#fail(unfit('range delete', result?.status));
    } else {
      this.deleted += result.count;
      if (result.next.length > 0) this.#send(step.shard, result.next.slice());
      else if (this.#next < this.#shards.length) this.#nextShard();
      else if (this.#open.size === 0) this.#finish();
    }
  }

  #nextShard(): void {
    this.#send(this.#shards[this.#next++] as number, this.#range.from);
  }

  #send(shard: number, from: Uint8Array): void {
    const step = new Step(this);
    step.op = Op.deleteRange;
    step.shard = shard;
    step.key = from;
    step.value = this.#range.to ?? EMPTY_BYTES;
    step.flags = Flag.ttl;
    step.ttl = limits.rangeDeleteKeys;
    step.deadlineMs = this.#core.deadlineMs(this.#timeoutMs);
    this.#open.add(step);
    this.#core.submit(step);
  }

  #fail(reason: ClientFailure): void {
    this.#isDone = true;
    for (const step of [...this.#open]) this.#core.giveUp(step, 'aborted', 'another shard failed');
    const isPartial = this.deleted > 0 || this.#hasDoubt || reason.outcome === 'unknown';
    const message = `${reason.message} (${this.deleted} records are known to be deleted; repeat it to delete the rest)`;
    this.failure = {
      ...reason,
      message,
      outcome: isPartial ? 'unknown' : 'not-applied',
      details: { ...reason.details, deleted: this.deleted },
    };
    this.#done(this);
  }

  #finish(): void {
    this.#isDone = true;
    this.#done(this);
  }
}
