import { type ReadLevel, type Result, Status } from '@flotilla/wire';
import type { ClientCore } from './client-core.ts';
import { type ClientFailure, type FailureCode, failure } from './failure.ts';
import { ReadOperation } from './operation.ts';

/** Many keys at once: one read each, which share frames per group. The first failure ends all of it. */

class Item extends ReadOperation {
  readonly #owner: GetMany;
  constructor(owner: GetMany) {
    super();
    this.#owner = owner;
  }
  settled(): void {
    this.#owner.itemSettled(this);
  }
}

export interface ReadChoice {
  readonly level: ReadLevel;
  readonly maxAgeMs: number;
}

export class GetMany {
  failure: ClientFailure | undefined;
  readonly #core: ClientCore;
  readonly #items: Item[];
  readonly #done: (all: GetMany) => void;
  #open: number;

  constructor(
    core: ClientCore,
    keys: readonly Uint8Array[],
    choice: ReadChoice,
    deadlineMs: number,
    done: (all: GetMany) => void,
  ) {
    this.#core = core;
    this.#done = done;
    this.#open = keys.length;
    this.#items = keys.map((key) => {
      const item = new Item(this);
      item.key = key;
      item.level = choice.level;
      item.maxAgeMs = choice.maxAgeMs;
      item.deadlineMs = deadlineMs;
      return item;
    });
  }

  /** One result per key, in the order of the keys; complete once `done` was called without a failure. */
  get results(): readonly (Result | undefined)[] {
    return this.#items.map((item) => item.result);
  }

  start(): void {
    if (this.#items.length === 0) this.#done(this);
    for (const item of this.#items) {
      if (this.failure !== undefined) return;
      this.#core.submit(item);
    }
  }

  giveUp(code: FailureCode, message: string, cause?: unknown): void {
    if (this.#open > 0) this.#fail(failure(code, message, 'not-applied', {}, cause));
  }

  itemSettled(item: Item): void {
    if (this.failure !== undefined) return;
    const status = item.result?.status;
    if (item.failure !== undefined) this.#fail(item.failure);
    else if (status !== Status.record && status !== Status.absent) this.#fail(unfit('get', status));
    else if (--this.#open === 0) this.#done(this);
  }

  #fail(reason: ClientFailure): void {
    this.failure = reason;
    for (const item of this.#items)
      this.#core.giveUp(item, 'aborted', 'another key of the same request failed');
    this.#done(this);
  }
}

/** An answer of a kind that the request cannot have. */
export function unfit(what: string, status: number | undefined): ClientFailure {
  return failure(
    'protocol',
    `a store answered a ${what} with status ${status}: update the older of client and store`,
  );
}
