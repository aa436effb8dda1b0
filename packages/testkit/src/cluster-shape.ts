import { Prng } from '@flotilla/base';
import type { MoveTuning } from '@flotilla/store';
import { limits } from '@flotilla/wire';
import type { SimulationOptions } from './simulation.ts';

/** What kind of cluster a seed makes, and how it is used, as far as nobody asks for something else. */
export interface Shape {
  readonly stores: number;
  readonly groups: number;
  readonly shards: number;
  readonly logKeepBytes: number;
  readonly pieceBytes: number;
  readonly moveTuning: Partial<MoveTuning>;
  /** Mean pause of a caller between an answer and the next call. */
  readonly thinkMs: number;
  /** Mean pause of the operator who moves leaders about. */
  readonly operatorPauseMs: number;
  /** What the moves into one store may copy per second; 0 is no limit. */
  readonly moveBytesPerSecond: number;
  /** How many keys of each kind callers share. */
  readonly registers: number;
  readonly lists: number;
  readonly counters: number;
}

/** How many clients there are unless asked for otherwise, and callers in each. */
export const CLIENTS = 5;
export const CALLERS = 3;

/** Small logs, so that stores that were down need snapshots. */
const LOGS_BYTES = [1_024, 4_096, 32_768, 16_777_216] as const;
const SHARD_COUNTS = [16, 24, 32] as const;
/** From one item or little more to the most that there is. */
const PIECES_BYTES = [64, 512, 4_096, 32_768, limits.importPieceBytes] as const;
/** In some clusters little is much: sources forget what targets have not taken, and copies begin anew. */
const MOVE_TUNINGS: readonly Partial<MoveTuning>[] = [
  {},
  { trimBytes: 300, catchUpBytes: 500, caughtUpBytes: 100 },
  { trimBytes: 2_000, catchUpBytes: 2_000, caughtUpBytes: 500, indexBytesMax: 3_000 },
  { indexBytesMax: 600 },
];
/** Some clusters are busy, most have time; a busy one costs as much as five others. */
const LOADS_THINK_MS = [25, 60, 150, 150, 300, 300] as const;
/** Some operators move leaders about all the time. */
const OPERATOR_PAUSES_MS = [400, 2_000, 6_000] as const;
/** Half of all clusters copy so slowly that much happens meanwhile. */
const COPIES_BYTES = [0, 20_000, 4_000, 1_000] as const;

/** By default three stores, or, where shards move, twice as many and pages of all sizes. */
export function shapeOf(options: SimulationOptions): Shape {
  const { seed, seconds, movesMs, stores, groups, thinkMs } = options;
  const { clients = CLIENTS, workersPerClient = CALLERS } = options;
  const random = new Prng(seed).fork('shape');
  const pick = <T>(values: readonly T[]): T => values[random.below(values.length)] as T;
  const isMoving = movesMs !== undefined;
  // Few operations per key, and few callers who meet on it, keep the search for an order short.
  const crowd = Math.max(1, (clients * workersPerClient) / (CLIENTS * CALLERS));
  const keys = (count: number): number => Math.ceil(crowd * count);
  return {
    stores: stores ?? (isMoving ? 6 : 3),
    groups: groups ?? (isMoving ? 3 + random.below(2) : 2),
    shards: isMoving ? pick(SHARD_COUNTS) : 16,
    logKeepBytes: LOGS_BYTES[seed % LOGS_BYTES.length] as number,
    pieceBytes: pick(PIECES_BYTES),
    moveTuning: pick(MOVE_TUNINGS),
    thinkMs: thinkMs ?? pick(LOADS_THINK_MS),
    operatorPauseMs: pick(OPERATOR_PAUSES_MS),
    moveBytesPerSecond: isMoving ? pick(COPIES_BYTES) : 0,
    registers: keys(seconds + 4),
    lists: keys(Math.ceil(seconds / 5) + 2),
    counters: keys(Math.ceil(seconds / 5) + 2),
  };
}
