// What the programs that measure moves share: a local cluster with two groups, one shard of a given size, writers
// that keep to a rate whatever the answers do, and moves there and back.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { connect, type Db } from '../../packages/client/src/index.ts';
import { Cluster } from '../../test/process/harness/cluster.ts';
import { removeDirectories } from '../../test/process/harness/places.ts';
import { endAll } from '../../test/process/harness/running.ts';
import { settled, tagOf } from '../../test/process/harness/shards.ts';
import { pause } from '../../test/process/harness/waits.ts';

export const SHARDS = 16;
/** The shard that moves, and the groups between which it goes. */
export const SHARD = 0;
const FILL_IN_FLIGHT = 256;
const TICK_MS = 1;

const units: Readonly<Record<string, number>> = {
  '': 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
};

/** `100MB`, `4KiB` or a bare number. */
export function bytesOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([KMG]i?B)?$/.exec(text) ?? [];
  const factor = units[unit];
  if (digits === undefined || factor === undefined)
    throw new Error(`"${text}" is no size: write 100MB or 4KiB`);
  return Number(digits) * factor;
}

export interface Option {
  readonly fallback: string;
  readonly help: string;
}

/** Options with their defaults; `--help` prints what the program does and them, and ends it. */
export function readOptions<N extends string>(
  about: string,
  options: Readonly<Record<N, Option>>,
): Record<N, string> {
  const names = Object.keys(options) as N[];
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      ...Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
    },
  });
  const given = values as Readonly<Record<string, string | boolean | undefined>>;
  if (given.help === true) {
    const lines = names.map(
      (name) => `  --${name.padEnd(16)} ${options[name].help} (default ${options[name].fallback})`,
    );
    process.stdout.write(`${about}\n\n${lines.join('\n')}\n`);
    process.exit(0);
  }
  const chosen = (name: N): string => (given[name] as string | undefined) ?? options[name].fallback;
  return Object.fromEntries(names.map((name) => [name, chosen(name)])) as Record<N, string>;
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs a measurement on a fresh cluster and removes all of it afterwards. */
export async function withCluster(run: (db: Db, cluster: Cluster) => Promise<void>): Promise<void> {
  try {
    const cluster = await Cluster.start({ args: ['--shards', String(SHARDS)] });
    const db = await connect({ endpoints: [...cluster.endpoints], timeoutMs: 60_000 });
    await run(db, cluster);
    await db.close();
  } finally {
    await endAll();
    removeDirectories();
  }
}

/** Bytes that no compression makes smaller. */
export function noise(bytes: number): (at: number) => Uint8Array {
  const pool = randomBytes(bytes + 4_096);
  return (at) => pool.subarray(at % 4_096, (at % 4_096) + bytes);
}

/** Fills the shard with records up to a size; returns how many there are. */
export async function fill(db: Db, name: string, bytes: number, valueBytes: number): Promise<number> {
  const tag = tagOf(SHARD, SHARDS);
  const value = noise(valueBytes);
  const keyOf = (at: number): string => `${name}${tag}${String(at).padStart(8, '0')}`;
  const records = Math.max(1, Math.round(bytes / (valueBytes + keyOf(0).length)));
  let next = 0;
  const writer = async (): Promise<void> => {
    for (let at = next++; at < records; at = next++) await db.put(keyOf(at), value(at));
  };
  await Promise.all(Array.from({ length: FILL_IN_FLIGHT }, writer));
  return records;
}

export async function empty(db: Db, name: string): Promise<void> {
  await db.deleteRange({ prefix: `${name}${tagOf(SHARD, SHARDS)}` });
}

export interface Moved {
  /** From the order to the config without the move. */
  readonly tookMs: number;
  /** As the store measured it. */
  readonly pauseMs: number;
  readonly bytes: number;
}

/** As the store tells it that drove the move, which may hear of the end a little later than others. */
async function endOf(db: Db, moveId: number): Promise<{ readonly pauseMs: number; readonly bytes: number }> {
  for (let left = 50; left > 0; left--) {
    for (const { shard, state, pauseMs, bytes, ...move } of await db.admin.moves({ all: true })) {
      const isIt = move.moveId === moveId && shard === SHARD && state === 'done';
      if (isIt && pauseMs !== undefined) return { pauseMs, bytes };
    }
    await pause(100);
  }
  throw new Error(`no store knows the pause of move ${moveId}`);
}

/** Takes the shard to the other one of the two groups. */
export async function moveShard(db: Db): Promise<Moved> {
  const { shards } = await db.admin.config();
  const begin = performance.now();
  const { configNumber } = await db.admin.move(SHARD, shards[SHARD]?.owner === 1 ? 2 : 1);
  await settled(db, 3_600_000);
  const tookMs = performance.now() - begin;
  const ended = await endOf(db, configNumber);
  return { tookMs, pauseMs: ended.pauseMs, bytes: ended.bytes };
}

/** The share `part` of the values is at most so large; 0 for none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}

export interface Spread {
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const at = (part: number): number => Math.round(percentile(values, part) * 10) / 10;
  return { median: at(0.5), p99: at(0.99), max: at(1) };
}

export interface Observed {
  /** From the moment at which each write was due, so that a pause counts for every write that it held up. */
  readonly latenciesMs: readonly number[];
  /** The longest time without an acknowledgement. */
  readonly gapMs: number;
  readonly errors: number;
  /** Writes that were due and not sent, since too many were open. */
  readonly skipped: number;
}

/** Writers that send when a write is due, not when the last one was answered. */
export class OpenLoop {
  readonly #write: (at: number) => Promise<unknown>;
  readonly #perMs: number;
  readonly #openMax: number;
  readonly #beginMs = performance.now();
  #sent = 0;
  #open = 0;
  #stopping = false;
  #latenciesMs: number[] = [];
  #lastAckMs = performance.now();
  #gapMs = 0;
  #errors = 0;
  #skipped = 0;

  constructor(perSecond: number, write: (at: number) => Promise<unknown>) {
    this.#write = write;
    this.#perMs = perSecond / 1_000;
    this.#openMax = perSecond * 10;
    void this.#run();
  }

  /** Begins to observe anew; returns what was observed since the last time. */
  take(): Observed {
    const now = performance.now();
    const observed = {
      latenciesMs: this.#latenciesMs,
      gapMs: Math.max(this.#gapMs, now - this.#lastAckMs),
      errors: this.#errors,
      skipped: this.#skipped,
    };
    this.#latenciesMs = [];
    this.#gapMs = 0;
    this.#lastAckMs = now;
    this.#errors = 0;
    this.#skipped = 0;
    return observed;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    while (this.#open > 0) await pause(TICK_MS);
  }

  async #run(): Promise<void> {
    for (; !this.#stopping; await pause(TICK_MS)) {
      // The first one is due at once.
      const due = Math.floor((performance.now() - this.#beginMs) * this.#perMs) + 1;
      for (; this.#sent < due; this.#sent++) {
        if (this.#open < this.#openMax) void this.#send(this.#sent);
        else this.#skipped += 1;
      }
    }
  }

  async #send(at: number): Promise<void> {
    this.#open += 1;
    try {
      await this.#write(at);
      const now = performance.now();
      this.#gapMs = Math.max(this.#gapMs, now - this.#lastAckMs);
      this.#lastAckMs = now;
      this.#latenciesMs.push(now - (this.#beginMs + at / this.#perMs));
    } catch {
      this.#errors += 1;
    } finally {
      this.#open -= 1;
    }
  }
}
