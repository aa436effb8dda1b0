import { DecodeError, GID_MAX, isCount, Reader, type Retry, type StoreId, type Writer } from '@flotilla/base';
import type { ColdValue } from '@flotilla/ports';
import { limits } from './limits.ts';

/**
 * Admin requests of clients. Any store takes them and forwards to the leader of the controller group.
 *
 *   admin:       request u32 · cold value { method, params }
 *   adminReply:  request u32 · cold value { ok: true, result } or { ok: false, code, message, retry }
 *
 * Params and results are plain data. A config travels as bytes of its own format (`config.ts`), since its
 * columns would break the element limit of cold values. What both sides read from the other goes through the
 * `parse…` functions here, which throw `DecodeError` with the path of what does not fit. These shapes are type
 * aliases, since an interface is not assignable to `ColdValue`.
 */

/** Commands that change something carry an id made by the client: a repeat gets the first answer. */
type Change = {
  readonly requestId: string;
};

export type JoinGroup = {
  readonly gid: number;
  readonly stores: readonly StoreId[];
};

/** What a change did. */
export type ChangeResult = {
  /** Number of the config that holds the change. */
  readonly configNumber: number;
  /** False when the cluster already was as asked. */
  readonly changed: boolean;
  /** One or more sentences for people: what will happen now, what will not. */
  readonly message: string;
};

export type ConfigSummary = {
  readonly number: number;
  readonly cause: string;
  readonly author: string;
  readonly atMs: number;
};

export type Severity = 'warning' | 'critical';

export type StatusProblem = {
  readonly severity: Severity;
  readonly what: string;
  /** What to do about it. */
  readonly next: string;
};

export type StoreStatus = {
  readonly storeId: StoreId;
  readonly incarnation: string;
  readonly address: string;
  readonly zone: string;
  /** As seen by the store that made the status. */
  readonly up: boolean;
  readonly replicas: number;
  readonly leaders: number;
};

export type ReplicaRole = 'leader' | 'follower' | 'candidate' | 'learner' | 'unknown';

export type ReplicaStatus = {
  readonly raftId: number;
  readonly storeId: StoreId;
  readonly role: ReplicaRole;
  /** Highest index that the leader knows to be durable there; 0 when unknown. */
  readonly match: number;
};

export type GroupStatus = {
  /** 0 is the controller group. */
  readonly gid: number;
  readonly incarnation: number;
  /** Empty while no leader is known. */
  readonly leader: StoreId;
  readonly term: number;
  readonly replicas: readonly ReplicaStatus[];
  /** How many shards the newest config gives to the group. */
  readonly shards: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Shards of the config that the group does not serve now. */
  readonly shardsNotServing: readonly number[];
};

export type MoveStatus = {
  readonly moveId: number;
  readonly shard: number;
  /** 0: a first assignment. */
  readonly source: number;
  readonly target: number;
  readonly phase: 'moving' | 'cancelling';
  readonly paused: boolean;
};

/** One page of the status; the client asks again with `after: next` and joins the lists. */
export type StatusPage = {
  readonly clusterId: string;
  readonly configNumber: number;
  readonly shardCount: number;
  readonly problems: readonly StatusProblem[];
  readonly stores: readonly StoreStatus[];
  readonly groups: readonly GroupStatus[];
  readonly moves: readonly MoveStatus[];
  /** Where the next page begins; empty on the last one. Meaningful to the store only. */
  readonly next: string;
};

export interface AdminParams {
  readonly join: Change & { readonly groups: readonly JoinGroup[] };
  readonly leave: Change & { readonly gids: readonly number[] };
  readonly move: Change & { readonly shard: number; readonly gid: number };
  readonly transferLeader: Change & { readonly gid: number; readonly store: StoreId };
  /** Without a number: the newest. */
  readonly config: { readonly number: number | undefined };
  /** Summaries in ascending order, from this number on. */
  readonly configs: { readonly from: number; readonly limit: number };
  readonly status: { readonly after: string };
}

export interface AdminResults {
  readonly join: ChangeResult;
  readonly leave: ChangeResult;
  readonly move: ChangeResult;
  readonly transferLeader: { readonly leader: StoreId };
  readonly config: { readonly config: Uint8Array };
  readonly configs: { readonly configs: readonly ConfigSummary[]; readonly more: boolean };
  readonly status: StatusPage;
}

export type AdminMethod = keyof AdminParams;

export type AdminRequest = {
  readonly [M in AdminMethod]: { readonly method: M; readonly params: AdminParams[M] };
}[AdminMethod];

export interface AdminFailure {
  readonly ok: false;
  /** Stable, lower case with hyphens: `unknown-store`, `group-exists`, `no-leader`, `bad-request` … */
  readonly code: string;
  /** What failed, where, why, what to do. */
  readonly message: string;
  readonly retry: Retry;
}

export type AdminReply = { readonly ok: true; readonly result: ColdValue } | AdminFailure;

/** Summaries in one answer: four values each must stay far below the element limit of cold values. */
export const CONFIG_SUMMARIES_MAX = 500;
export const REQUEST_ID_LENGTH_MAX = 64;

export function writeAdmin(out: Writer, request: number, cold: Uint8Array): void {
  out.u32(request);
  out.raw(cold);
}

export function readAdmin(body: Uint8Array): { readonly request: number; readonly cold: Uint8Array } {
  const from = new Reader(body);
  const request = from.u32();
  return { request, cold: from.raw(from.remaining) };
}

function wrong(where: string, wanted: string): DecodeError {
  return new DecodeError(`${where} is not ${wanted}`, { where });
}

type Fields = { readonly [key: string]: ColdValue };

function fields(value: ColdValue, where: string): Fields {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject || value instanceof Uint8Array) throw wrong(where, 'an object');
  return value as Fields;
}

function list<T>(value: ColdValue, where: string, max: number, item: (value: ColdValue, where: string) => T) {
  if (!Array.isArray(value) || value.length > max) throw wrong(where, `a list of at most ${max}`);
  return (value as readonly ColdValue[]).map((each, at): T => item(each, `${where}[${at}]`));
}

function text(value: ColdValue, where: string, max = 1024): string {
  if (typeof value !== 'string' || value.length > max)
    throw wrong(where, `a text of at most ${max} characters`);
  return value;
}

function count(value: ColdValue, where: string, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !isCount(value) || value > max)
    throw wrong(where, `a whole number up to ${max}`);
  return value;
}

function flag(value: ColdValue, where: string): boolean {
  if (typeof value !== 'boolean') throw wrong(where, 'true or false');
  return value;
}

function oneOf<T extends string>(value: ColdValue, where: string, values: readonly T[]): T {
  const found = values.find((each) => each === value);
  if (found === undefined) throw wrong(where, `one of ${values.join(', ')}`);
  return found;
}

function bytes(value: ColdValue, where: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrong(where, 'bytes');
  return value;
}

function gid(value: ColdValue, where: string): number {
  const number = count(value, where, GID_MAX);
  if (number === 0) throw wrong(where, 'the id of a data group: 0 is the controller group');
  return number;
}

function store(value: ColdValue, where: string): StoreId {
  return text(value, where, 64);
}

function joinGroup(value: ColdValue, where: string): JoinGroup {
  const group = fields(value, where);
  const at = `${where}.stores`;
  return { gid: gid(group.gid, `${where}.gid`), stores: list(group.stores, at, limits.storesMax, store) };
}

/** Server side: the request of a client. */
export function parseAdminRequest(value: ColdValue): AdminRequest {
  const request = fields(value, 'request');
  const params = fields(request.params, 'params');
  const requestId = (): string => text(params.requestId, 'params.requestId', REQUEST_ID_LENGTH_MAX);
  switch (request.method) {
    case 'join': {
      const groups = list(params.groups, 'params.groups', limits.groupsMax, joinGroup);
      return { method: 'join', params: { requestId: requestId(), groups } };
    }
    case 'leave': {
      const gids = list(params.gids, 'params.gids', limits.groupsMax, gid);
      return { method: 'leave', params: { requestId: requestId(), gids } };
    }
    case 'move': {
      const shard = count(params.shard, 'params.shard', limits.shardCountMax - 1);
      return {
        method: 'move',
        params: { requestId: requestId(), shard, gid: gid(params.gid, 'params.gid') },
      };
    }
    case 'transferLeader': {
      const group = count(params.gid, 'params.gid', GID_MAX);
      const to = store(params.store, 'params.store');
      return { method: 'transferLeader', params: { requestId: requestId(), gid: group, store: to } };
    }
    case 'config': {
      const number = params.number ?? undefined;
      return {
        method: 'config',
        params: { number: number === undefined ? number : count(number, 'params.number') },
      };
    }
    case 'configs': {
      const from = count(params.from, 'params.from');
      return {
        method: 'configs',
        params: { from, limit: count(params.limit, 'params.limit', CONFIG_SUMMARIES_MAX) },
      };
    }
    case 'status':
      return { method: 'status', params: { after: text(params.after, 'params.after') } };
    default:
      throw wrong('method', 'known here: the client may be newer than this store');
  }
}

/** Client side: the outer part of an answer. */
export function parseAdminReply(value: ColdValue): AdminReply {
  const reply = fields(value, 'reply');
  if (flag(reply.ok, 'ok')) return { ok: true, result: reply.result };
  return {
    ok: false,
    code: text(reply.code, 'code', 64),
    message: text(reply.message, 'message', 4096),
    retry: oneOf<Retry>(reply.retry, 'retry', ['never', 'refresh-route', 'backoff']),
  };
}

function changeResult(value: ColdValue): ChangeResult {
  const result = fields(value, 'result');
  return {
    configNumber: count(result.configNumber, 'result.configNumber'),
    changed: flag(result.changed, 'result.changed'),
    message: text(result.message, 'result.message', 4096),
  };
}

function configSummary(value: ColdValue, where: string): ConfigSummary {
  const summary = fields(value, where);
  return {
    number: count(summary.number, `${where}.number`),
    cause: text(summary.cause, `${where}.cause`),
    author: text(summary.author, `${where}.author`),
    atMs: count(summary.atMs, `${where}.atMs`),
  };
}

function problem(value: ColdValue, where: string): StatusProblem {
  const found = fields(value, where);
  return {
    severity: oneOf<Severity>(found.severity, `${where}.severity`, ['warning', 'critical']),
    what: text(found.what, `${where}.what`),
    next: text(found.next, `${where}.next`),
  };
}

function storeStatus(value: ColdValue, where: string): StoreStatus {
  const status = fields(value, where);
  return {
    storeId: store(status.storeId, `${where}.storeId`),
    incarnation: text(status.incarnation, `${where}.incarnation`),
    address: text(status.address, `${where}.address`),
    zone: text(status.zone, `${where}.zone`),
    up: flag(status.up, `${where}.up`),
    replicas: count(status.replicas, `${where}.replicas`),
    leaders: count(status.leaders, `${where}.leaders`),
  };
}

const roles = ['leader', 'follower', 'candidate', 'learner', 'unknown'] as const;

function replicaStatus(value: ColdValue, where: string): ReplicaStatus {
  const status = fields(value, where);
  return {
    raftId: count(status.raftId, `${where}.raftId`),
    storeId: store(status.storeId, `${where}.storeId`),
    role: oneOf<ReplicaRole>(status.role, `${where}.role`, roles),
    match: count(status.match, `${where}.match`),
  };
}

function groupStatus(value: ColdValue, where: string): GroupStatus {
  const status = fields(value, where);
  const replicasMax = 4 * limits.replicasPerGroup;
  return {
    gid: count(status.gid, `${where}.gid`, GID_MAX),
    incarnation: count(status.incarnation, `${where}.incarnation`),
    leader: store(status.leader, `${where}.leader`),
    term: count(status.term, `${where}.term`),
    replicas: list(status.replicas, `${where}.replicas`, replicasMax, replicaStatus),
    shards: count(status.shards, `${where}.shards`),
    commitIndex: count(status.commitIndex, `${where}.commitIndex`),
    appliedIndex: count(status.appliedIndex, `${where}.appliedIndex`),
    shardsNotServing: list(
      status.shardsNotServing,
      `${where}.shardsNotServing`,
      limits.shardCountMax,
      (value, where) => count(value, where),
    ),
  };
}

function moveStatus(value: ColdValue, where: string): MoveStatus {
  const status = fields(value, where);
  return {
    moveId: count(status.moveId, `${where}.moveId`),
    shard: count(status.shard, `${where}.shard`),
    source: count(status.source, `${where}.source`),
    target: count(status.target, `${where}.target`),
    phase: oneOf(status.phase, `${where}.phase`, ['moving', 'cancelling'] as const),
    paused: flag(status.paused, `${where}.paused`),
  };
}

function statusPage(value: ColdValue): StatusPage {
  const page = fields(value, 'result');
  return {
    clusterId: text(page.clusterId, 'result.clusterId'),
    configNumber: count(page.configNumber, 'result.configNumber'),
    shardCount: count(page.shardCount, 'result.shardCount', limits.shardCountMax),
    problems: list(page.problems, 'result.problems', limits.groupsMax, problem),
    stores: list(page.stores, 'result.stores', limits.storesMax, storeStatus),
    groups: list(page.groups, 'result.groups', limits.groupsMax, groupStatus),
    moves: list(page.moves, 'result.moves', limits.shardCountMax, moveStatus),
    next: text(page.next, 'result.next'),
  };
}

const results: { readonly [M in AdminMethod]: (value: ColdValue) => AdminResults[M] } = {
  join: changeResult,
  leave: changeResult,
  move: changeResult,
  transferLeader: (value) => ({ leader: store(fields(value, 'result').leader, 'result.leader') }),
  config: (value) => ({ config: bytes(fields(value, 'result').config, 'result.config') }),
  configs: (value) => {
    const result = fields(value, 'result');
    const configs = list(result.configs, 'result.configs', CONFIG_SUMMARIES_MAX, configSummary);
    return { configs, more: flag(result.more, 'result.more') };
  },
  status: statusPage,
};

/** Client side: the result of a successful answer. */
export function parseAdminResult<M extends AdminMethod>(method: M, value: ColdValue): AdminResults[M] {
  return results[method](value);
}
