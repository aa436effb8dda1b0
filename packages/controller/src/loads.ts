import { assert, DecodeError, Reader, Writer } from '@flotilla/base';
import { limits } from '@flotilla/wire';

/**
 * What shards cost their groups, measured by the stores and gathered by the leader of the controller group, which
 * writes it into the command: replicas that apply it decide by these bytes and measure nothing.
 *
 *   per shard, from 0 on: operations u32 · bytes u53 · cpuMs u32
 */
export interface ShardLoad {
  /** Reads and writes per second. */
  readonly operations: number;
  /** Keys and values stored. */
  readonly bytes: number;
  /** Milliseconds of processor time per second. */
  readonly cpuMs: number;
}

const LOAD_BYTES = 16;
const U32_MAX = 0xffff_ffff;

/** Measured values are rounded and cut to what their fields hold. */
export function encodeLoads(loads: readonly ShardLoad[]): Uint8Array {
  assert(loads.length <= limits.shardCountMax, () => `loads of ${loads.length} shards`);
  const out = new Writer(loads.length * LOAD_BYTES);
  for (const { operations, bytes, cpuMs } of loads) {
    out.u32(whole(operations, U32_MAX));
    out.u53(whole(bytes, Number.MAX_SAFE_INTEGER));
    out.u32(whole(cpuMs, U32_MAX));
  }
  return out.finish();
}

/** Throws `DecodeError` for what {@link encodeLoads} cannot have written. */
export function decodeLoads(bytes: Uint8Array): readonly ShardLoad[] {
  if (bytes.length % LOAD_BYTES !== 0 || bytes.length > limits.shardCountMax * LOAD_BYTES) {
    throw new DecodeError(`${bytes.length} bytes are not loads of shards`);
  }
  const from = new Reader(bytes);
  const loads: ShardLoad[] = [];
  while (from.remaining > 0) loads.push({ operations: from.u32(), bytes: from.u53(), cpuMs: from.u32() });
  return loads;
}

function whole(value: number, max: number): number {
  return value > 0 ? Math.min(Math.round(value), max) : 0;
}

/** A GiB stored weighs as much as a thousand operations a second, */
const BYTES_PER_UNIT = 1_048_576;
/** and a millisecond of processor time as much as fifty operations. */
const UNITS_PER_CPU_MS = 50;
/** Shards that weigh more than this weigh the same: the sums of all shards and groups stay exact. */
export const LOAD_MAX: number = 2 ** 24 - 1;

/** One number for the three, in operations per second; a whole one, so that all replicas have the same. */
export function loadOf({ operations, bytes, cpuMs }: ShardLoad): number {
  const sum = operations + Math.floor(bytes / BYTES_PER_UNIT) + UNITS_PER_CPU_MS * cpuMs;
  return Math.min(sum, LOAD_MAX);
}
