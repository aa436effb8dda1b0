import { Reader, type StoreId, utf8Decode, utf8Encode, Writer } from '@flotilla/base';
import type { Host, Replica } from '@flotilla/host';
import { DataGroup, ShardState } from '@flotilla/kv';
import type { ReplicaRole } from '@flotilla/wire';
import { limits } from '@flotilla/wire';
import type { LoadMeter, ShardRate } from './load-meter.ts';
import type { StuckMove } from './move-watch.ts';

/** A shard that its group's leader serves, and what it costs. */
export interface ShardReport {
  readonly shard: number;
  /** Keys and values stored. */
  readonly bytes: number;
  /** Undefined while the leader has not measured yet: that is not the same as idle. */
  readonly rate: ShardRate | undefined;
}

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
  /** Leaders of data groups only: shards that it serves … */
  readonly serving: readonly ShardReport[];
  /** … and shards that it has handed over and does not serve any more. */
  readonly frozen: readonly number[];
  /** Empty while the replica is sound. */
  readonly broken: string;
}

export interface StoreReport {
  readonly storeId: StoreId;
  readonly aheadMs: number;
  readonly replicas: readonly ReplicaReport[];
  /** Of the moves that are driven by this store. */
  readonly stuck: readonly StuckMove[];
}

const roles: readonly ReplicaRole[] = ['leader', 'follower', 'candidate', 'learner', 'unknown'];

function roleOf(replica: Replica): ReplicaRole {
  if (replica.broken !== undefined) return 'unknown';
  if (replica.isLeader) return 'leader';
  if (replica.confState.learners.includes(replica.raftId)) return 'learner';
  return replica.raft.role === 'follower' ? 'follower' : 'candidate';
}

function reportOf(replica: Replica, loads: LoadMeter): ReplicaReport {
  const { machine, raft } = replica;
  const matches = new Map<number, number>();
  const serving: ShardReport[] = [];
  const frozen: number[] = [];
  if (replica.isLeader) {
    for (const [id, progress] of raft.status().progress) matches.set(id, progress.match);
    for (const { shard, state, recordBytes } of machine instanceof DataGroup ? machine.shards() : []) {
      if (state === ShardState.frozen) frozen.push(shard);
      if (state !== ShardState.serving) continue;
      serving.push({ shard, bytes: recordBytes, rate: loads.rate(replica, shard) });
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
    frozen,
    broken: replica.broken ?? '',
  };
}

export interface ReportParts {
  readonly storeId: StoreId;
  readonly host: Host;
  readonly aheadMs: number;
  readonly loads: LoadMeter;
  readonly stuck: readonly StuckMove[];
}

export function makeReport({ storeId, host, aheadMs, loads, stuck }: ReportParts): StoreReport {
  const replicas = [...host.replicas()].map((replica) => reportOf(replica, loads));
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
      frozen: [],
      broken: why,
    });
  }
  return { storeId, aheadMs, replicas, stuck };
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
    for (const { shard, bytes, rate } of replica.serving) {
      out.u16(shard);
      out.u53(bytes);
      out.bool(rate !== undefined);
      if (rate === undefined) continue;
      out.f64(rate.operations);
      out.f64(rate.cpuMs);
    }
    out.u32(replica.frozen.length);
    for (const shard of replica.frozen) out.u16(shard);
    out.text(replica.broken);
  }
  out.u32(report.stuck.length);
  for (const move of report.stuck) {
    out.u53(move.moveId);
    out.u16(move.shard);
    out.u32(move.source);
    out.u32(move.target);
    out.bool(move.isPastFreeze);
    out.u53(move.stillMs);
    out.text(move.problem);
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
    const serving: ShardReport[] = [];
    for (let left = from.count(limits.shardCountMax, 11); left > 0; left--) {
      const shard = from.u16();
      const bytes = from.u53();
      const rate = from.bool() ? { operations: from.f64(), cpuMs: from.f64() } : undefined;
      serving.push({ shard, bytes, rate });
    }
    const frozen: number[] = [];
    for (let left = from.count(limits.shardCountMax, 2); left > 0; left--) frozen.push(from.u16());
    replicas.push({ ...head, ...where, matches, serving, frozen, broken: from.text(4096) });
  }
  const stuck: StuckMove[] = [];
  for (let left = from.count(limits.shardCountMax, 31); left > 0; left--) {
    stuck.push({
      moveId: from.u53(),
      shard: from.u16(),
      source: from.u32(),
      target: from.u32(),
      isPastFreeze: from.bool(),
      stillMs: from.u53(),
      problem: from.text(4096),
    });
  }
  from.expectEnd();
  return { storeId, aheadMs, replicas, stuck };
}
