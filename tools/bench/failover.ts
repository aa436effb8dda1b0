// How long writes stand still when a store dies: kills -9 a store that leads groups, under load, and prints the
// longest gap between two acknowledged writes of each group. The store is started again before the next run.
//
//   node tools/bootstrap.mjs tools/bench/failover.ts [--runs 10] [--callers 16] [--json]
//
// The numbers include everything that a client waits for: that it notices the lost connection, that a new leader is
// elected, and that the client finds it.
import { parseArgs } from 'node:util';
import { Xxh64 } from '../../packages/base/src/index.ts';
import { connect, type Db } from '../../packages/client/src/index.ts';
import { shardOf } from '../../packages/wire/src/index.ts';
import { Fleet } from '../../test/process/harness/fleet.ts';
import { removeDirectories } from '../../test/process/harness/places.ts';
import { endAll } from '../../test/process/harness/running.ts';
import { pause } from '../../test/process/harness/waits.ts';

/** Load before the kill, so that connections, caches and compiled code are as they are in daily life. */
const WARM_MS = 1_000;
/** How long every group must have answered again before a run counts as over. */
const SETTLED_MS = 1_500;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    callers: { type: 'string', default: '16' },
    json: { type: 'boolean', default: false },
  },
});

/** Writers of one group, and the longest time that passed without an acknowledgement. */
class GroupLoad {
  readonly gid: number;
  readonly #db: Db;
  readonly #keys: readonly string[];
  lastAckMs = performance.now();
  longestGapMs = 0;
  acknowledged = 0;
  errors = 0;
  #ended = false;

  constructor(gid: number, db: Db, keys: readonly string[], callers: number) {
    this.gid = gid;
    this.#db = db;
    this.#keys = keys;
    for (let caller = 0; caller < callers; caller++) void this.#write(caller);
  }

  reset(): void {
    this.longestGapMs = 0;
    this.errors = 0;
  }

  end(): void {
    this.#ended = true;
  }

  async #write(caller: number): Promise<void> {
    for (let count = caller; !this.#ended; count++) {
      try {
        await this.#db.put(this.#keys[count % this.#keys.length] as string, `value ${count}`);
        const now = performance.now();
        this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAckMs);
        this.lastAckMs = now;
        this.acknowledged += 1;
      } catch {
        this.errors += 1;
        await pause(5);
      }
    }
  }
}

/** Keys of each group by trying: the client routes them the same way. */
async function keysOf(db: Db): Promise<Map<number, string[]>> {
  const { shards } = await db.admin.config();
  const hasher = new Xxh64();
  const keys = new Map<number, string[]>();
  for (let at = 0; at < 4_000; at++) {
    const key = `failover/${at}`;
    const shard = shardOf(new TextEncoder().encode(key), shards.length, hasher);
    const gid = shards[shard]?.owner ?? 0;
    keys.set(gid, [...(keys.get(gid) ?? []), key]);
  }
  return keys;
}

interface RunResult {
  readonly store: string;
  readonly led: readonly number[];
  readonly gapMs: Readonly<Record<number, number>>;
  readonly errors: number;
}

class Failover {
  readonly #fleet: Fleet;
  readonly #db: Db;
  readonly #loads: readonly GroupLoad[];

  constructor(fleet: Fleet, db: Db, loads: readonly GroupLoad[]) {
    this.#fleet = fleet;
    this.#db = db;
    this.#loads = loads;
  }

  async run(): Promise<RunResult> {
    const { store, led } = await this.#victim();
    await pause(WARM_MS);
    for (const load of this.#loads) load.reset();
    const killedMs = performance.now();
    await this.#fleet.kill(store);
    await this.#settled(killedMs);
    const gapMs = Object.fromEntries(this.#loads.map((load) => [load.gid, Math.round(load.longestGapMs)]));
    const errors = this.#loads.reduce((sum, load) => sum + load.errors, 0);
    await this.#startAgain(store);
    return { store, led, gapMs, errors };
  }

  /** The store that leads most data groups: its death is felt most. */
  async #victim(): Promise<{ store: string; led: number[] }> {
    const { groups } = await this.#db.admin.status();
    const led = new Map<string, number[]>();
    for (const { gid, leader } of groups) {
      if (gid !== 0) led.set(leader, [...(led.get(leader) ?? []), gid]);
    }
    const [most] = [...led].sort((left, right) => right[1].length - left[1].length);
    if (most === undefined) throw new Error('no group has a leader');
    return { store: most[0], led: most[1] };
  }

  /** Every group has answered for a while after its last long gap. */
  async #settled(killedMs: number): Promise<void> {
    for (;;) {
      await pause(50);
      const now = performance.now();
      const answering = this.#loads.every((load) => load.lastAckMs > killedMs && now - load.lastAckMs < 200);
      if (answering && now - killedMs > SETTLED_MS) return;
    }
  }

  async #startAgain(id: string): Promise<void> {
    await this.#fleet.revive(id);
    for (;;) {
      const { problems } = await this.#db.admin.status();
      if (problems.length === 0) return;
      await pause(50);
    }
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : Math.round((upper + (sorted[middle - 1] ?? 0)) / 2);
}

function resultLine(number: number, { store, led, gapMs, errors }: RunResult): string {
  const gaps = Object.entries(gapMs).map(([gid, gap]) => `group ${gid} ${gap} ms`);
  return `run ${number}: killed ${store}, which led ${led.join(', ')}: longest gap ${gaps.join(', ')}; ${errors} errors`;
}

async function main(): Promise<void> {
  const fleet = await Fleet.around({ more: 0 });
  const db = await connect({ endpoints: fleet.endpoints, timeoutMs: 30_000 });
  const loads = [...(await keysOf(db))].map(
    ([gid, keys]) => new GroupLoad(gid, db, keys, Number(options.callers)),
  );
  const failover = new Failover(fleet, db, loads);
  const longest: number[] = [];
  for (let number = 1; number <= Number(options.runs); number++) {
    const result = await failover.run();
    longest.push(Math.max(...result.led.map((gid) => result.gapMs[gid] ?? 0)));
    const line = options.json ? JSON.stringify({ run: number, ...result }) : resultLine(number, result);
    process.stdout.write(`${line}\n`);
  }
  for (const load of loads) load.end();
  await db.close();
  const summary = { runs: longest.length, medianMs: median(longest), maxMs: Math.max(...longest) };
  const text = `longest gap of a group whose leader was killed: median ${summary.medianMs} ms, max ${summary.maxMs} ms, ${summary.runs} runs`;
  process.stdout.write(`${options.json ? JSON.stringify(summary) : text}\n`);
}

try {
  await main();
} finally {
  await endAll();
  removeDirectories();
}
