import { type Prng, utf8Decode, utf8Encode } from '@flotilla/base';
import { type ClientCore, DeleteRange, prefixRange, ScanCursor } from '@flotilla/client/core';
import type { Timers } from '@flotilla/ports';
import { ReadLevel } from '@flotilla/wire';
import type { Call, Condition, Outcome, ScanObservation } from '../checkers/history.ts';
import { PassingWrite, SimRead, SimWrite } from './calls.ts';
import type { KeySpace } from './keys.ts';
import type { Recorder } from './recorder.ts';

export interface WorkerParts {
  readonly name: string;
  readonly core: ClientCore;
  readonly timers: Timers;
  readonly nowMs: () => number;
  readonly random: Prng;
  readonly recorder: Recorder;
  readonly keys: KeySpace;
  /** Mean pause between an answer and the next call. */
  readonly thinkMs: number;
  readonly sabotage?: WorkerSabotage | undefined;
}

/** Mistakes of a client, to show that they are noticed: a doubtful write sent again as a new one; old reads. */
export type WorkerSabotage = 'blind-retry' | 'stale-reads';

/** Behind all keys of the history, so that scans list them last. */
const PASSING_PREFIX = 'tmp/';
const PASSING_KEYS = 40;

/** Deadlines of an operation: short ones make unknown outcomes, long ones ride out an election. */
const TIMEOUTS_MS = [150, 600, 2_500, 2_500, 10_000] as const;

/** One caller in a closed loop: thinks, calls, waits for the answer. All values it writes are unique. */
export class Worker {
  readonly name: string;
  readonly #parts: WorkerParts;
  /** Versions and values that it saw, for conditional writes. */
  readonly #seen = new Map<string, { readonly version: number; readonly value: string }>();
  #number = 0;
  #stopped = false;
  isBusy = false;

  constructor(parts: WorkerParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  start(): void {
    const { random, thinkMs } = this.#parts;
    this.#later(random.unit() * thinkMs);
  }

  /** Finishes what is under way and calls no more. */
  stop(): void {
    this.#stopped = true;
  }

  #later(ms: number): void {
    this.#parts.timers.set(ms, () => {
      if (!this.#stopped) this.#next();
    });
  }

  #done(): void {
    const { random, thinkMs } = this.#parts;
    this.isBusy = false;
    if (!this.#stopped) this.#later(-Math.log(1 - random.unit()) * thinkMs);
  }

  #next(): void {
    const { random, keys } = this.#parts;
    this.isBusy = true;
    const dice = random.below(100);
    if (dice < 3)
      this.#scan(random.chance(0.5) ? 'reg/' : '', random.chance(0.3) ? 1 + random.below(12) : undefined);
    else if (dice < 7) this.#passingRecord();
    else if (dice < 22) this.#call(pickKey(random, keys.lists), { kind: 'append', value: this.#id() });
    else if (dice < 30) this.#call(pickKey(random, keys.lists), { kind: 'get' });
    else if (dice < 42)
      this.#call(pickKey(random, keys.counters), { kind: 'increment', delta: 1 + random.below(9) });
    else if (dice < 47) this.#call(pickKey(random, keys.counters), { kind: 'get' });
    else this.#register(pickKey(random, keys.registers));
  }

  /** What expires by itself, now and then removed before: history says nothing of it, revisions do. */
  #passingRecord(): void {
    const { core, random, nowMs } = this.#parts;
    const deadlineMs = nowMs() + pick(random, TIMEOUTS_MS);
    if (random.chance(0.03)) {
      const range = prefixRange(utf8Encode(PASSING_PREFIX));
      new DeleteRange(core, range, pick(random, TIMEOUTS_MS), () => this.#done()).start();
      return;
    }
    const name = `${PASSING_PREFIX}${random.below(PASSING_KEYS)}`;
    core.submit(
      new PassingWrite(name, this.#value(), 100 + random.below(5_000), deadlineMs, () => this.#done()),
    );
  }

  #register(key: string): void {
    const { random } = this.#parts;
    const dice = random.below(100);
    if (dice < 40) this.#call(key, { kind: 'get' });
    else if (dice < 62) this.#call(key, { kind: 'put', value: this.#value() });
    else if (dice < 70) this.#call(key, { kind: 'append', value: this.#id() });
    else if (dice < 77) this.#call(key, { kind: 'delete' });
    else this.#call(key, { kind: 'put', value: this.#value(), condition: this.#condition(key) });
  }

  #condition(key: string): Condition {
    const { random } = this.#parts;
    const seen = this.#seen.get(key);
    if (seen === undefined || random.chance(0.2)) return { kind: 'absent' };
    return random.chance(0.5)
      ? { kind: 'version', version: seen.version }
      : { kind: 'value', value: seen.value };
  }

  #id(): string {
    return `${this.name}:${++this.#number};`;
  }

  /** Mostly short; some long enough to fill logs and snapshots. */
  #value(): string {
    const { random } = this.#parts;
    const id = this.#id();
    return random.chance(0.03) ? id + 'x'.repeat(random.below(16_384)) : id;
  }

  #call(key: string, call: Call): void {
    const { core, random, recorder, nowMs } = this.#parts;
    const deadlineMs = nowMs() + pick(random, TIMEOUTS_MS);
    const open = recorder.invoke(this.name, key, call);
    const { sabotage } = this.#parts;
    const done = (outcome: Outcome): void => {
      if (sabotage === 'blind-retry' && call.kind === 'append' && outcome.kind === 'unknown') {
        core.submit(new SimWrite(key, call, nowMs() + 10_000, () => {}));
      }
      recorder.respond(open, outcome);
      if (outcome.kind === 'found' && outcome.version !== undefined) {
        this.#seen.set(key, { version: outcome.version, value: outcome.value });
      }
      this.#done();
    };
    if (call.kind !== 'get') {
      core.submit(new SimWrite(key, call, deadlineMs, done));
      return;
    }
    const read = new SimRead(key, deadlineMs, done);
    if (random.chance(0.25)) read.level = ReadLevel.follower;
    if (sabotage === 'stale-reads') {
      read.level = ReadLevel.stale;
      read.maxAgeMs = 5_000;
    }
    core.submit(read);
  }

  #scan(prefix: string, limit: number | undefined): void {
    const { core, random, recorder } = this.#parts;
    const invokedAt = recorder.mark();
    const invokedMs = recorder.nowMs;
    const records: { key: string; value: string; version: number }[] = [];
    let count = 0;
    const cursor = new ScanCursor(core, prefixRange(utf8Encode(prefix)), {
      level: random.chance(0.25) ? ReadLevel.follower : ReadLevel.linearizable,
      maxAgeMs: 0,
      reverse: false,
      limit: limit ?? Number.MAX_SAFE_INTEGER,
      timeoutMs: pick(random, TIMEOUTS_MS),
    });
    const step = (): void => {
      for (let record = cursor.take(); record !== undefined; record = cursor.take()) {
        count++;
        const key = utf8Decode(record.key);
        if (key.startsWith(PASSING_PREFIX)) continue;
        records.push({
          key,
          value: utf8Decode(record.value),
          version: record.version,
        });
      }
      if (!cursor.isDone) {
        cursor.fill(step);
        return;
      }
      if (cursor.failure === undefined) {
        const scan: ScanObservation = {
          client: this.name,
          prefix,
          invokedAt,
          respondedAt: recorder.mark(),
          records,
          limited: limit !== undefined && count === limit,
          invokedMs,
          respondedMs: recorder.nowMs,
        };
        recorder.scanned(scan);
      }
      this.#done();
    };
    step();
  }
}

/** Half of all calls go to the first few keys: races need callers who meet. */
function pickKey(random: Prng, keys: readonly string[]): string {
  const hot = Math.ceil(keys.length / 4);
  return keys[random.below(random.chance(0.5) ? hot : keys.length)] as string;
}

function pick<T>(random: Prng, values: readonly T[]): T {
  return values[random.below(values.length)] as T;
}
