import { setImmediate } from 'node:timers';
import { UsageError, type VirtualTime } from '@flotilla/base';

/**
 * Programs of users wait for promises, the cluster lives on virtual time; here one waits for the other. After
 * every event that may have settled a promise, time stands still until no microtask is left: by then each
 * program waits again, or has ended, and what it did in between happened at that very moment. So programs that wait
 * for nothing else take one course for one seed, whatever the machine does meanwhile.
 */

interface Program {
  readonly fail: (error: Error) => void;
}

/** A long time in which nobody is woken still lets the machine look after other things. */
const EVENTS_AT_ONCE_MAX = 10_000;

export class Programs {
  /** What programs may be waiting for, in words. */
  readonly #describeOpen: () => string;
  readonly #time: VirtualTime;
  readonly #open = new Set<Program>();
  #isDriving = false;
  #isWoken = false;
  #waiting = 0;
  /** What ended everything; from then on there is nothing left to run. */
  #failure: Error | undefined;
  /** Makes the error that everybody gets once something was found to be wrong. */
  readonly #explain: (error: unknown) => Error;

  constructor(time: VirtualTime, describeOpen: () => string, explain: (error: unknown) => Error) {
    this.#time = time;
    this.#describeOpen = describeOpen;
    this.#explain = explain;
  }

  /** True while virtual time passes. */
  get isDriving(): boolean {
    return this.#isDriving;
  }

  /** Something happened that a program may have waited for. */
  wake(): void {
    this.#isWoken = true;
  }

  /** Runs events until the program has ended, at most for so long on virtual time. */
  run<T>(program: () => PromiseLike<T> | T, withinMs: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      let limit = 0;
      const end = (): boolean => {
        this.#time.clear(limit);
        return this.#open.delete(entry);
      };
      const entry: Program = {
        fail: (error) => {
          if (end()) reject(error);
        },
      };
      limit = this.#time.set(withinMs, () => entry.fail(this.#stuck(withinMs)));
      this.#open.add(entry);
      if (!this.#isDriving) this.#drive();
      // Also what the program throws before its first promise is its own end and nobody else's.
      new Promise<T>((settle) => settle(program())).then(
        (value) => {
          if (end()) resolve(value);
        },
        (error) => {
          if (end()) reject(error);
        },
      );
    });
  }

  /** Resolves once so much virtual time has passed. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting++;
      this.#time.set(ms, () => {
        this.#waiting--;
        this.wake();
        resolve();
      });
    });
  }

  /** Ends every program with this error. */
  end(error: Error): void {
    this.#failure ??= error;
    for (const program of [...this.#open]) program.fail(this.#failure);
  }

  async #drive(): Promise<void> {
    this.#isDriving = true;
    for (;;) {
      await microtasksDone();
      if (this.#open.size === 0) break;
      try {
        this.#runUntilWoken();
      } catch (error) {
        this.end(this.#explain(error));
      }
    }
    this.#isDriving = false;
  }

  #runUntilWoken(): void {
    this.#isWoken = false;
    const before = this.#open.size;
    for (let events = 0; events < EVENTS_AT_ONCE_MAX && !this.#isWoken; events++) {
      this.#time.runNext();
      // A program whose time is over has ended without being woken.
      if (this.#open.size !== before) return;
    }
  }

  #stuck(withinMs: number): UsageError {
    const waits = this.#waiting > 0 ? `${this.#waiting} pauses and ` : '';
    return new UsageError(
      `the program has not ended within ${withinMs} ms of virtual time; ` +
        `it waits for ${waits}${this.#describeOpen()}: ` +
        'look at story(), give it more time with withinMs, or let it wait for nothing but this cluster',
    );
  }
}

/** A turn of the event loop ends when no microtask is left. */
function microtasksDone(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
