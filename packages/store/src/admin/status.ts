import type { StoreId } from '@flotilla/base';
import {
  type ClusterConfig,
  type GroupRecord,
  type GroupStatus,
  MovePhase,
  type MoveStatus,
  type ReplicaStatus,
  type StatusPage,
  type StoreStatus,
} from '@flotilla/wire';
import { findProblems } from './problems.ts';
import type { ReplicaReport, StoreReport } from './report.ts';

const GROUPS_PER_PAGE = 40;
const MOVES_SHOWN_MAX = 200;
const PROBLEMS_SHOWN_MAX = 100;

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
  const serving = new Set((leader?.serving ?? []).map(({ shard }) => shard));
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
