import { Prng } from '@flotilla/base';
import type { HostTuning } from '@flotilla/host';
import type { MoveTuning } from '@flotilla/store';
import { limits } from '@flotilla/wire';
import type { ClusterOptions } from './sim-cluster.ts';
import type { SimulationOptions } from './simulation.ts';

/** What kind of cluster a seed makes, as far as it is not asked for. */

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

/** Small logs, so that stores that were down need snapshots. */
export function tuningOf(seed: number): Partial<HostTuning> {
  return { logKeepBytes: [1_024, 4_096, 32_768, 16_777_216][seed % 4] as number };
}

/** By default three stores, or, where shards move, twice as many and pages of all sizes. */
export function shapeOf(
  options: SimulationOptions,
): Pick<ClusterOptions, 'stores' | 'groups' | 'shards' | 'pieceBytes' | 'moveTuning'> {
  const random = new Prng(options.seed).fork('shape');
  const isMoving = options.movesMs !== undefined;
  return {
    stores: options.stores ?? (isMoving ? 6 : 3),
    groups: options.groups ?? (isMoving ? 3 + random.below(2) : 2),
    shards: isMoving ? (SHARD_COUNTS[random.below(SHARD_COUNTS.length)] as number) : 16,
    pieceBytes: PIECES_BYTES[random.below(PIECES_BYTES.length)] as number,
    moveTuning: MOVE_TUNINGS[random.below(MOVE_TUNINGS.length)] as Partial<MoveTuning>,
  };
}
