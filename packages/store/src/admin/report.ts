import { Reader, type StoreId, utf8Decode, utf8Encode, Writer } from '@flotilla/base';
import type { Host, Replica } from '@flotilla/host';
import { DataGroup, ShardState } from '@flotilla/kv';
import type { ReplicaRole } from '@flotilla/wire';
import { limits } from '@flotilla/wire';

/** What one store says about its replica of one group. */
export interface ReplicaReport {
  readonly gid: number;
  readonly incarnation: number;
  readonly raftId: number;
  readonly role: ReplicaRole;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Leaders only: match index by raft id. */
  readonly matches: ReadonlyMap<number, number>;
  /** Leaders of data groups only: shards that it serves. */
  readonly serving: readonly number[];
  /** Empty while the replica is sound. */
  readonly broken: string;
}

export interface StoreReport {
  readonly storeId: StoreId;
  readonly aheadMs: number;
  readonly replicas: readonly ReplicaReport[];
}

const roles: readonly ReplicaRole[] = ['leader', 'follower', 'candidate', 'learner', 'unknown'];

function roleOf(replica: Replica): ReplicaRole {
  if (replica.broken !== undefined) return 'unknown';
  if (replica.isLeader) return 'leader';
  if (replica.confState.learners.includes(replica.raftId)) return 'learner';
  return replica.raft.role === 'follower' ? 'follower' : 'candidate';
}

function reportOf(replica: Replica): ReplicaReport {
  const { machine, raft } = replica;
  const matches = new Map<number, number>();
  const serving: number[] = [];
  if (replica.isLeader && replica.broken === undefined) {
    for (const [id, progress] of raft.status().progress) matches.set(id, progress.match);
    if (machine instanceof DataGroup) {
      for (const shard of machine.shards()) if (shard.state === ShardState.serving) serving.push(shard.shard);
    }
  }
  return {
    gid: replica.group.gid,
    incarnation: replica.group.incarnation,
    raftId: replica.raftId,
    role: roleOf(replica),
    term: raft.term,
    commitIndex: raft.commitIndex,
    appliedIndex: replica.applied.index,
    matches,
    serving,
    broken: replica.broken ?? '',
  };
}

export function makeReport(storeId: StoreId, host: Host, aheadMs: number): StoreReport {
  const replicas = [...host.replicas()].map(reportOf);
  for (const { group, raftId, why } of host.unopened()) {
    replicas.push({
      gid: group.gid,
      incarnation: group.incarnation,
      raftId,
      role: 'unknown',
      term: 0,
      commitIndex: 0,
      appliedIndex: 0,
      matches: new Map(),
      serving: [],
      broken: why,
    });
  }
  return { storeId, aheadMs, replicas };
}

/** Reports are hot-coded: a thousand groups would break the element limit of cold values. */
export function encodeReport(report: StoreReport): Uint8Array {
  const out = new Writer(1024);
  out.bytes16(utf8Encode(report.storeId));
  out.f64(report.aheadMs);
  out.u32(report.replicas.length);
  for (const replica of report.replicas) {
    out.u32(replica.gid);
    out.u53(replica.incarnation);
    out.u53(replica.raftId);
    out.u8(roles.indexOf(replica.role));
    out.u53(replica.term);
    out.u53(replica.commitIndex);
    out.u53(replica.appliedIndex);
    out.u8(replica.matches.size);
    for (const [id, match] of replica.matches) {
      out.u53(id);
      out.u53(match);
    }
    out.u32(replica.serving.length);
    for (const shard of replica.serving) out.u16(shard);
    out.text(replica.broken);
  }
  return out.take();
}

export function decodeReport(bytes: Uint8Array): StoreReport {
  const from = new Reader(bytes);
  const storeId = utf8Decode(from.bytes16(64));
  const aheadMs = from.f64();
  const count = from.count(limits.groupsMax + 1, 54);
  const replicas: ReplicaReport[] = [];
  for (let at = 0; at < count; at++) {
    const head = {
      gid: from.u32(),
      incarnation: from.u53(),
      raftId: from.u53(),
      role: roles[from.u8()] ?? 'unknown',
    };
    const where = { term: from.u53(), commitIndex: from.u53(), appliedIndex: from.u53() };
    const matches = new Map<number, number>();
    for (let left = from.u8(); left > 0; left--) matches.set(from.u53(), from.u53());
    const serving: number[] = [];
    for (let left = from.count(limits.shardCountMax, 2); left > 0; left--) serving.push(from.u16());
    replicas.push({ ...head, ...where, matches, serving, broken: from.text(4096) });
  }
  return { storeId, aheadMs, replicas };
}
