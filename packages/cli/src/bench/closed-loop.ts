import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/**
 * Closed loop: each caller has one operation in flight and sends the next as soon as it is answered. It finds
 * what a system can do, and hides how bad a pause is, since nobody sends during one.
 */

export type Workload = 'put' | 'get' | 'mix';

export interface BenchTarget {
  put(key: Uint8Array, value: Uint8Array): Promise<unknown>;
  get(key: Uint8Array): Promise<unknown>;
}

export interface BenchPlan {
  readonly workload: Workload;
  readonly callers: number;
  readonly seconds: number;
  /** Before the time that counts: code is compiled, connections and files grow to their size. */
  readonly warmupSeconds: number;
  readonly keys: number;
  readonly valueBytes: number;
}

/** Names and order are an outside face: other programs read them. */
export interface BenchResult {
  readonly workload: Workload;
  readonly callers: number;
  readonly seconds: number;
  readonly operations: number;
  readonly errors: number;
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export interface BenchHooks {
  /** Each second: how many operations ended so far. */
  readonly onSecond?: (second: number, operations: number) => void;
  readonly onError?: (error: unknown) => void;
  readonly stopped?: () => boolean;
}

const KEY_BYTES = 16;

/** 16 bytes: `bench-0000012345`. */
export function benchKey(number: number): Uint8Array {
  return new TextEncoder().encode(`bench-${String(number).padStart(KEY_BYTES - 6, '0')}`);
}

/** A small generator: one number per operation must not cost more than the operation. */
function dice(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

function randomBytes(count: number, roll: (limit: number) => number): Uint8Array {
  return Uint8Array.from({ length: count }, () => roll(256));
}

class Bench {
  readonly #plan: BenchPlan;
  readonly #target: BenchTarget;
  readonly #hooks: BenchHooks;
  readonly #microseconds: RecordableHistogram = createHistogram();
  readonly #keys: readonly Uint8Array[];
  operations = 0;
  errors = 0;
  #ended = false;
  #counting = false;
  #begin = performance.now();

  constructor(plan: BenchPlan, target: BenchTarget, hooks: BenchHooks) {
    this.#plan = plan;
    this.#target = target;
    this.#hooks = hooks;
    this.#keys = Array.from({ length: plan.keys }, (_, at) => benchKey(at));
  }

  async run(): Promise<BenchResult> {
    const { callers, seconds, warmupSeconds } = this.#plan;
    const timer = setTimeout(
      () => {
        this.#ended = true;
      },
      (warmupSeconds + seconds) * 1000,
    );
    const warm = setTimeout(() => this.#count(), warmupSeconds * 1000);
    let second = 0;
    const ticker = setInterval(() => {
      if (this.#counting) this.#hooks.onSecond?.(++second, this.operations);
      if (this.#hooks.stopped?.() === true) this.#ended = true;
    }, 1000);
    if (warmupSeconds === 0) this.#count();
    await Promise.all(Array.from({ length: callers }, (_, caller) => this.#call(caller)));
    for (const each of [timer, warm]) clearTimeout(each);
    clearInterval(ticker);
    return this.#result((performance.now() - this.#begin) / 1000);
  }

  /** What happened so far was the warm-up. Errors count from the first operation on. */
  #count(): void {
    if (this.#counting) return;
    this.#counting = true;
    this.#begin = performance.now();
    this.operations = 0;
    this.#microseconds.reset();
  }

  async #call(caller: number): Promise<void> {
    const { workload, valueBytes } = this.#plan;
    const roll = dice(0x9e3779b9 * (caller + 1));
    const value = randomBytes(valueBytes, roll);
    while (!this.#ended) {
      const key = this.#keys[roll(this.#keys.length)] as Uint8Array;
      const writes = workload === 'put' || (workload === 'mix' && roll(2) === 0);
      const begin = performance.now();
      try {
        await (writes ? this.#target.put(key, value) : this.#target.get(key));
        this.#microseconds.record(Math.max(1, Math.round((performance.now() - begin) * 1000)));
        this.operations += 1;
      } catch (error) {
        this.errors += 1;
        this.#hooks.onError?.(error);
        // A target that refuses at once must not be asked in a tight loop.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  #result(seconds: number): BenchResult {
    const { workload, callers } = this.#plan;
    const some = this.operations > 0;
    const ms = (percentile: number): number => (some ? this.#microseconds.percentile(percentile) / 1000 : 0);
    return {
      workload,
      callers,
      seconds: Number(seconds.toFixed(3)),
      operations: this.operations,
      errors: this.errors,
      opsPerSecond: Math.round(this.operations / seconds),
      p50Ms: ms(50),
      p99Ms: ms(99),
      p999Ms: ms(99.9),
      maxMs: some ? this.#microseconds.max / 1000 : 0,
    };
  }
}

export function runClosedLoop(
  plan: BenchPlan,
  target: BenchTarget,
  hooks: BenchHooks = {},
): Promise<BenchResult> {
  return new Bench(plan, target, hooks).run();
}

/** Reads need something to find: writes every key once, many at a time. */
export async function preload(plan: BenchPlan, target: BenchTarget): Promise<void> {
  const roll = dice(7);
  const value = randomBytes(plan.valueBytes, roll);
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < plan.keys) {
      const key = benchKey(next);
      next += 1;
      await target.put(key, value);
    }
  };
  await Promise.all(Array.from({ length: 512 }, writer));
}
