import type { StoreId } from '@flotilla/base';
import type { ClusterConfig, GroupStatus, Severity, StatusProblem } from '@flotilla/wire';
import type { StoreReport } from './report.ts';

const CLOCK_AHEAD_MAX_MS = 2_000;
const SHARDS_NAMED_MAX = 8;

type Reports = ReadonlyMap<StoreId, StoreReport>;

interface Scene {
  readonly config: ClusterConfig;
  readonly groups: readonly GroupStatus[];
  readonly reports: Reports;
  readonly say: (severity: Severity, what: string, next: string) => void;
}

/** Says in words where what the stores tell differs from what should be, and what to do about it; critical first. */
export function findProblems(
  config: ClusterConfig,
  groups: readonly GroupStatus[],
  reports: Reports,
): StatusProblem[] {
  const problems: StatusProblem[] = [];
  const say = (severity: Severity, what: string, next: string): void => {
    problems.push({ severity, what, next });
  };
  const scene = { config, groups, reports, say };
  leaders(scene);
  stores(scene);
  shards(scene);
  moves(scene);
  return problems.sort(
    (left, right) => Number(right.severity === 'critical') - Number(left.severity === 'critical'),
  );
}

function groupWords(gid: number): string {
  return gid === 0 ? 'the controller group' : `group ${gid}`;
}

function listed(names: readonly (string | number)[]): string {
  const shown = names.slice(0, SHARDS_NAMED_MAX).join(', ');
  return names.length > SHARDS_NAMED_MAX ? `${shown} …` : shown;
}

/** What brings a group without a leader back. */
function revival(group: GroupStatus): string {
  const lost = group.replicas.filter((replica) => replica.role === 'unknown');
  return lost.length * 2 >= group.replicas.length
    ? `start at least one of the stores ${lost.map((replica) => replica.storeId).join(', ')}`
    : 'an election takes up to two seconds: ask again';
}

function leaders({ groups, say }: Scene): void {
  for (const group of groups) {
    if (group.leader === '') say('critical', `${groupWords(group.gid)} has no leader`, revival(group));
  }
}

function stores({ config, groups, reports, say }: Scene): void {
  for (const { storeId, address } of config.stores) {
    const used = groups.filter((group) => group.replicas.some((replica) => replica.storeId === storeId));
    if (reports.has(storeId) || used.length === 0) continue;
    const what = `store ${storeId} (${address}) does not answer; it holds replicas of ${used.length} groups`;
    say('warning', what, `start store ${storeId}, or look at its log and its network`);
  }
  for (const [storeId, { replicas, aheadMs }] of reports) {
    for (const { gid, broken } of replicas) {
      if (broken === '') continue;
      const next = `keep the data of ${storeId} for inspection; the group goes on without this replica`;
      say('critical', `the replica of ${groupWords(gid)} on ${storeId} stopped: ${broken}`, next);
    }
    if (Math.abs(aheadMs) <= CLOCK_AHEAD_MAX_MS) continue;
    const what = `the clock of store ${storeId} is ${Math.round(aheadMs)} ms off the median of all stores`;
    say('warning', what, `synchronise the clock of ${storeId}`);
  }
}

function shards({ config, groups, say }: Scene): void {
  const homeless = config.shards.filter((shard) => shard.owner === 0 && shard.intent === undefined).length;
  if (homeless > 0 && config.number > 0) {
    const what = `${homeless} of ${config.shards.length} shards belong to no group`;
    say('critical', what, 'flotilla join GID --stores s1,s2,s3');
  }
  for (const group of groups) {
    // One on its way to another group is between the two for a moment, and else a matter of that move.
    const still = group.shardsNotServing.filter((shard) => config.shards[shard]?.intent === undefined);
    if (group.leader === '' || still.length === 0) continue;
    const what = `group ${group.gid} does not serve ${still.length} of its ${group.shards} shards yet`;
    say('warning', what, 'it takes a moment after a join: ask again');
  }
}

function moves({ config, groups, reports, say }: Scene): void {
  for (const [source, target, stranded] of strandedShards(config, groups, reports)) {
    const one = stranded.length === 1;
    const what =
      `${one ? 'shard' : 'shards'} ${listed(stranded)} ${one ? 'is' : 'are'} served by nobody: group ${source} has ` +
      `handed ${one ? 'it' : 'them'} over to group ${target.gid}, which has no leader`;
    say('critical', what, revival(target));
  }
  for (const { stuck } of reports.values()) {
    for (const move of stuck) {
      // What has ended meanwhile is not stuck, whatever its last driver saw.
      if (config.shards[move.shard]?.intent?.moveId !== move.moveId) continue;
      const why = move.problem === '' ? '' : `: ${move.problem}`;
      const from = move.source === 0 ? '' : ` from group ${move.source}`;
      say(
        'warning',
        `move ${move.moveId} of shard ${move.shard}${from} to group ${move.target} has made no progress for ` +
          `${Math.round(move.stillMs / 1_000)} s${why}`,
        move.isPastFreeze
          ? `it is past cancelling: look at the logs of the stores of group ${move.target}`
          : `flotilla cancel ${move.moveId} ends it, and the shard stays where it is`,
      );
    }
  }
}

/** By source and target: shards whose source is frozen while nobody leads the target. */
function strandedShards(
  config: ClusterConfig,
  groups: readonly GroupStatus[],
  reports: Reports,
): readonly (readonly [number, GroupStatus, readonly number[]])[] {
  const found = new Map<string, readonly [number, GroupStatus, number[]]>();
  for (const { replicas } of reports.values()) {
    for (const { gid, frozen } of replicas) {
      for (const shard of frozen) {
        const { owner, intent } = config.shards[shard] ?? {};
        const target = groups.find((group) => group.gid === intent?.target);
        if (owner !== gid || target === undefined || target.leader !== '') continue;
        const name = `${gid} ${target.gid}`;
        const entry = found.get(name) ?? ([gid, target, []] as const);
        entry[2].push(shard);
        found.set(name, entry);
      }
    }
  }
  return [...found.values()];
}
