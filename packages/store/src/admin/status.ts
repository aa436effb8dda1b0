import type { StoreId } from '@flotilla/base';
import {
  type ClusterConfig,
  type GroupRecord,
  type GroupStatus,
  MovePhase,
  type MoveStatus,
  type ReplicaStatus,
  type StatusPage,
  type StatusProblem,
  type StoreStatus,
} from '@flotilla/wire';
import type { ReplicaReport, StoreReport } from './report.ts';

const GROUPS_PER_PAGE = 40;
const MOVES_SHOWN_MAX = 200;
const PROBLEMS_SHOWN_MAX = 100;
const CLOCK_AHEAD_MAX_MS = 2_000;

interface Parts {
  readonly clusterId: string;
  readonly config: ClusterConfig;
  readonly reports: ReadonlyMap<StoreId, StoreReport>;
  readonly after: string;
}

/** Puts what the stores say beside what the config wants, and says in words where the two differ. */
export function makeStatus(parts: Parts): StatusPage {
  const { config, reports } = parts;
  const records = config.number === 0 ? [] : [config.controller, ...config.groups];
  const groups = records.map((record) => groupStatus(record, config, reports));
  const begin = parts.after === '' ? 0 : Number(parts.after);
  const end = Math.min(groups.length, begin + GROUPS_PER_PAGE);
  const isFirst = begin === 0;
  return {
    clusterId: parts.clusterId,
    configNumber: config.number,
    shardCount: config.shards.length,
    problems: isFirst ? findProblems(config, groups, reports).slice(0, PROBLEMS_SHOWN_MAX) : [],
    stores: isFirst ? config.stores.map((store) => storeStatus(store.storeId, config, groups, reports)) : [],
    groups: groups.slice(begin, end),
    moves: isFirst ? moves(config).slice(0, MOVES_SHOWN_MAX) : [],
    next: end < groups.length ? String(end) : '',
  };
}

function reportOn(record: GroupRecord, raftId: number, reports: ReadonlyMap<StoreId, StoreReport>) {
  const place = record.replicas.find((replica) => replica.raftId === raftId);
  const report = place === undefined ? undefined : reports.get(place.storeId);
  return report?.replicas.find((each) => each.gid === record.gid && each.incarnation === record.incarnation);
}

function groupStatus(
  record: GroupRecord,
  config: ClusterConfig,
  reports: ReadonlyMap<StoreId, StoreReport>,
): GroupStatus {
  let leader: ReplicaReport | undefined;
  for (const { raftId } of record.replicas) {
    const report = reportOn(record, raftId, reports);
    if (report?.role === 'leader' && report.term > (leader?.term ?? -1)) leader = report;
  }
  const replicas: ReplicaStatus[] = record.replicas.map(({ raftId, storeId }) => {
    const report = reportOn(record, raftId, reports);
    // Who still believes to lead in an older term does not.
    const role = report?.role === 'leader' && report !== leader ? 'follower' : (report?.role ?? 'unknown');
    return { raftId, storeId, role, match: leader?.matches.get(raftId) ?? 0 };
  });
  const owned: number[] = [];
  config.shards.forEach((shard, number) => {
    if (record.gid !== 0 && shard.owner === record.gid) owned.push(number);
  });
  const serving = new Set(leader?.serving ?? []);
  return {
    gid: record.gid,
    incarnation: record.incarnation,
    leader:
      leader === undefined ? '' : (replicas.find((each) => each.raftId === leader.raftId)?.storeId ?? ''),
    term: leader?.term ?? 0,
    replicas,
    shards: owned.length,
    commitIndex: leader?.commitIndex ?? 0,
    appliedIndex: leader?.appliedIndex ?? 0,
    shardsNotServing: owned.filter((shard) => !serving.has(shard)).slice(0, 64),
  };
}

function storeStatus(
  storeId: StoreId,
  config: ClusterConfig,
  groups: readonly GroupStatus[],
  reports: ReadonlyMap<StoreId, StoreReport>,
): StoreStatus {
  const record = config.stores.find((store) => store.storeId === storeId);
  return {
    storeId,
    incarnation: record?.incarnation ?? '',
    address: record?.address ?? '',
    zone: record?.zone ?? '',
    up: reports.has(storeId),
    replicas: groups.filter((group) => group.replicas.some((replica) => replica.storeId === storeId)).length,
    leaders: groups.filter((group) => group.leader === storeId).length,
  };
}

function moves(config: ClusterConfig): MoveStatus[] {
  return config.shards.flatMap(({ owner, intent }, shard) =>
    intent === undefined
      ? []
      : [
          {
            moveId: intent.moveId,
            shard,
            source: owner,
            target: intent.target,
            phase: intent.phase === MovePhase.moving ? ('moving' as const) : ('cancelling' as const),
            paused: intent.paused,
          },
        ],
  );
}

function groupWords(gid: number): string {
  return gid === 0 ? 'the controller group' : `group ${gid}`;
}

function findProblems(
  config: ClusterConfig,
  groups: readonly GroupStatus[],
  reports: ReadonlyMap<StoreId, StoreReport>,
): StatusProblem[] {
  const problems: StatusProblem[] = [];
  const say = (severity: StatusProblem['severity'], what: string, next: string): void => {
    problems.push({ severity, what, next });
  };
  for (const group of groups) {
    const lost = group.replicas.filter((replica) => replica.role === 'unknown');
    if (group.leader === '') {
      const next =
        lost.length * 2 >= group.replicas.length
          ? `start at least one of the stores ${lost.map((replica) => replica.storeId).join(', ')}`
          : 'an election takes up to two seconds: ask again';
      say('critical', `${groupWords(group.gid)} has no leader`, next);
    }
  }
  for (const { storeId, address } of config.stores) {
    const used = groups.filter((group) => group.replicas.some((replica) => replica.storeId === storeId));
    if (reports.has(storeId) || used.length === 0) continue;
    const what = `store ${storeId} (${address}) does not answer; it holds replicas of ${used.length} groups`;
    say('warning', what, `start store ${storeId}, or look at its log and its network`);
  }
  for (const [storeId, report] of reports) {
    for (const replica of report.replicas) {
      if (replica.broken === '') continue;
      const what = `the replica of ${groupWords(replica.gid)} on ${storeId} stopped: ${replica.broken}`;
      say(
        'critical',
        what,
        `keep the data of ${storeId} for inspection; the group goes on without this replica`,
      );
    }
    if (Math.abs(report.aheadMs) <= CLOCK_AHEAD_MAX_MS) continue;
    const what = `the clock of store ${storeId} is ${Math.round(report.aheadMs)} ms off the median of all stores`;
    say('warning', what, `synchronise the clock of ${storeId}`);
  }
  const homeless = config.shards.filter((shard) => shard.owner === 0 && shard.intent === undefined).length;
  if (homeless > 0 && config.number > 0) {
    const what = `${homeless} of ${config.shards.length} shards belong to no group`;
    say('critical', what, 'flotilla join GID --stores s1,s2,s3');
  }
  for (const group of groups) {
    if (group.leader === '' || group.shardsNotServing.length === 0) continue;
    const what = `group ${group.gid} does not serve ${group.shardsNotServing.length} of its ${group.shards} shards yet`;
    say('warning', what, 'it takes a moment after a join: ask again');
  }
  return problems.sort(
    (left, right) => Number(right.severity === 'critical') - Number(left.severity === 'critical'),
  );
}
