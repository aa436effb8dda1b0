import type { StoreId } from '@flotilla/base';
import type { PlannedMove, ShardLoad } from '@flotilla/controller';
import { type ClusterConfig, type MovePlan, PLAN_MOVES_MAX } from '@flotilla/wire';
import type { ShardReport, StoreReport } from './report.ts';

/** Where nothing limits copying: what a store takes in per second. */
const UNLIMITED_BYTES_PER_SECOND = 40_000_000;
/** What a move takes besides copying: its steps in two logs, and the config at its end. */
const MOVE_SECONDS = 0.1;

type Reports = ReadonlyMap<StoreId, StoreReport>;

/** By shard, what its group's leader says. */
function shardReports(reports: Reports): ReadonlyMap<number, ShardReport> {
  const found = new Map<number, ShardReport>();
  for (const { replicas } of reports.values()) {
    for (const { serving } of replicas) for (const report of serving) found.set(report.shard, report);
  }
  return found;
}

/**
 * What all shards cost, as the controller takes it; empty while not all of them are measured, since a gap would look
 * idle. A shard that is between two groups has no leader that could say, and cannot be sent anywhere now.
 */
export function shardLoads(config: ClusterConfig, reports: Reports): readonly ShardLoad[] {
  const known = shardReports(reports);
  const loads: ShardLoad[] = [];
  for (const [shard, { owner, intent }] of config.shards.entries()) {
    const { bytes = 0, rate } = known.get(shard) ?? {};
    if (rate === undefined && owner !== 0 && intent === undefined) return [];
    loads.push({ bytes, operations: rate?.operations ?? 0, cpuMs: rate?.cpuMs ?? 0 });
  }
  return loads;
}

/**
 * What moves come to. The time is an estimate: all bytes at the pace of the policy into each store that leads a
 * target, all of them at once, and a little for each move, as many at once as the policy lets such a store take.
 */
export function makeMovePlan(
  moves: readonly PlannedMove[],
  { config, reports }: { readonly config: ClusterConfig; readonly reports: Reports },
): MovePlan {
  const known = shardReports(reports);
  const sized = moves.map(({ shard, from, to }) => {
    return { shard, from, to, bytes: from === 0 ? 0 : (known.get(shard)?.bytes ?? 0) };
  });
  const bytes = sized.reduce((sum, move) => sum + move.bytes, 0);
  const places = new Set(moves.map(({ to }) => leaderPlace(to, config, reports))).size;
  const { moveBytesPerSecond, movesPerStore } = config.policy;
  const pace = moveBytesPerSecond === 0 ? UNLIMITED_BYTES_PER_SECOND : moveBytesPerSecond;
  const copying = moves.length === 0 ? 0 : bytes / (pace * places);
  const steps = moves.length === 0 ? 0 : (MOVE_SECONDS * moves.length) / (movesPerStore * places);
  return {
    moves: sized.slice(0, PLAN_MOVES_MAX),
    count: moves.length,
    bytes,
    seconds: Math.ceil(copying + steps),
  };
}

/** The store that leads the group, or is the first to lead it; of a group that is not founded yet, the group itself. */
function leaderPlace(gid: number, config: ClusterConfig, reports: Reports): string {
  for (const [storeId, { replicas }] of reports) {
    if (replicas.some((replica) => replica.gid === gid && replica.role === 'leader'))
      return `store ${storeId}`;
  }
  const first = config.groups.find((group) => group.gid === gid)?.replicas[0];
  return first === undefined ? `group ${gid}` : `store ${first.storeId}`;
}
