import { assert } from '@flotilla/base';
import type { Host, Replica } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';

const PERIOD_MS = 5_000;
/** What happened so long ago counts little more than a third of what happens now. */
const MEMORY_MS = 30_000;

/** What one shard costs the leader of its group. */
export interface ShardRate {
  /** Reads and writes per second. */
  readonly operations: number;
  /** Processor time for applying, ms per second. */
  readonly cpuMs: number;
}

/** The counters of one replica as they were last looked at, and how fast they rose. */
interface Sample {
  readonly machine: DataGroup;
  readonly applyMs: number;
  readonly operations: ReadonlyMap<number, number>;
  readonly operationRates: ReadonlyMap<number, number>;
  readonly operationRate: number;
  /** Undefined after the first look. */
  readonly applyRate: number | undefined;
}

/**
 * How busy the shards are whose groups are led here. Counters of replicas are looked at every few seconds; what
 * they rose by goes into an average that forgets slowly. A new leader knows nothing before the second look.
 */
export class LoadMeter {
  readonly #host: Host;
  readonly #now: () => number;
  #samples = new Map<Replica, Sample>();
  #lastAt: number;

  constructor(host: Host, now: () => number) {
    this.#host = host;
    this.#now = now;
    this.#lastAt = now();
  }

  tick(): void {
    const now = this.#now();
    const elapsedMs = now - this.#lastAt;
    if (elapsedMs < PERIOD_MS) return;
    this.#lastAt = now;
    const samples = new Map<Replica, Sample>();
    for (const replica of this.#host.replicas()) {
      const { machine } = replica;
      if (!replica.isServing || !(machine instanceof DataGroup)) continue;
      const former = this.#samples.get(replica);
      // Another machine counts from the start.
      const base = former?.machine === machine ? former : undefined;
      samples.set(replica, sampleOf(replica, machine, base, elapsedMs));
    }
    this.#samples = samples;
  }

  /** Undefined while nothing is known. The time of the group is shared out by operations. */
  rate(replica: Replica, shard: number): ShardRate | undefined {
    const sample = this.#samples.get(replica);
    if (sample?.applyRate === undefined) return undefined;
    const operations = sample.operationRates.get(shard) ?? 0;
    return {
      operations,
      cpuMs: operations === 0 ? 0 : (sample.applyRate * operations) / sample.operationRate,
    };
  }
}

function sampleOf(
  replica: Replica,
  machine: DataGroup,
  former: Sample | undefined,
  elapsedMs: number,
): Sample {
  assert(elapsedMs > 0, 'rates are measured over time');
  const fresh = 1 - Math.exp(-elapsedMs / MEMORY_MS);
  /** The average so far, and what was measured since; the first measurement stands for all before it. */
  const averaged = (before: number | undefined, rise: number): number => {
    const measured = (Math.max(0, rise) * 1_000) / elapsedMs;
    return before === undefined ? measured : before + fresh * (measured - before);
  };
  const operations = new Map<number, number>();
  const operationRates = new Map<number, number>();
  let operationRate = 0;
  for (const load of machine.loads()) {
    operations.set(load.shard, load.operations);
    if (former === undefined) continue;
    // What came since the last look is new from its first operation on.
    const rise = load.operations - (former.operations.get(load.shard) ?? 0);
    const rate = averaged(former.operationRates.get(load.shard), rise);
    operationRates.set(load.shard, rate);
    operationRate += rate;
  }
  const { applyMs } = replica;
  const applyRate = former === undefined ? undefined : averaged(former.applyRate, applyMs - former.applyMs);
  return { machine, applyMs, operations, operationRates, operationRate, applyRate };
}
