import { assert, must } from '@flotilla/base';
import type { RareBranches, TimerId, Timers } from '@flotilla/ports';

export interface MemoryWorld {
  readonly timers: Timers;
  /** How long the next sync takes; 0 completes it after the events of this turn. */
  readonly delayMs: () => number;
  /** Nothing can be written while it says so. */
  readonly isFull?: () => boolean;
  readonly rare?: RareBranches | undefined;
}

interface PendingCommit {
  readonly makeDurable: () => void;
  readonly done: (failure: Error | undefined) => void;
}

/**
 * The disk of the in-memory stores: one sync at a time covers every commit that waits when it begins, and
 * they become durable whole and in order. This is how the real stores behave, without a disk.
 */
export class MemoryCommits {
  readonly #world: MemoryWorld;
  #pending: PendingCommit[] = [];
  #syncing = 0;
  #timer: TimerId | undefined;
  #stalled = false;
  #overdue = false;
  #dead = false;
  #failNext: Error | undefined;
  #failure: Error | undefined;

  constructor(world: MemoryWorld) {
    this.#world = world;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  get #isFull(): boolean {
    return this.#world.isFull?.() === true;
  }

  get dead(): boolean {
    return this.#dead;
  }

  push(makeDurable: () => void, done: (failure: Error | undefined) => void): void {
    this.assertAlive();
    this.#pending.push({ makeDurable, done });
    if (this.#syncing === 0) this.#begin();
  }

  /** The next commit that would become durable fails instead, and with it every later one. */
  failNext(failure: Error): void {
    this.#failNext = failure;
  }

  /** Nothing becomes durable until `resume`. */
  stall(): void {
    this.#stalled = true;
  }

  resume(): void {
    this.#stalled = false;
    if (!this.#overdue) return;
    this.#overdue = false;
    this.#complete();
  }

  /** Ends this life: the first `keep` pending commits become durable, no callback comes any more. */
  die(keep: number): void {
    this.assertAlive();
    assert(
      keep >= 0 && keep <= this.#pending.length,
      () => `${keep} of ${this.#pending.length} commits kept`,
    );
    this.#dead = true;
    if (this.#timer !== undefined) this.#world.timers.clear(this.#timer);
    if (this.#failure === undefined && this.#failNext === undefined && !this.#isFull) {
      for (let at = 0; at < keep; at++) must(this.#pending[at], 'a pending commit').makeDurable();
    }
    this.#pending = [];
  }

  assertAlive(): void {
    assert(!this.#dead, 'this store object ended with its process; use the one that the crash returned');
  }

  #begin(): void {
    this.#syncing = this.#world.rare?.take('sync-of-one') === true ? 1 : this.#pending.length;
    const delayMs = this.#world.delayMs();
    const complete = (): void => {
      this.#timer = undefined;
      if (this.#dead) return;
      if (this.#stalled) this.#overdue = true;
      else this.#complete();
    };
    if (delayMs > 0) this.#timer = this.#world.timers.set(delayMs, complete);
    else this.#world.timers.soon(complete);
  }

  #complete(): void {
    const finished = this.#pending.splice(0, this.#syncing);
    if (this.#isFull) this.#failNext ??= new Error('injected: no space left on device');
    if (this.#failure === undefined && this.#failNext !== undefined) this.#failure = this.#failNext;
    const failure = this.#failure;
    if (failure === undefined) for (const commit of finished) commit.makeDurable();
    this.#syncing = 0;
    if (this.#pending.length > 0) this.#begin();
    for (const commit of finished) {
      if (this.#dead) return;
      commit.done(failure);
    }
  }
}
