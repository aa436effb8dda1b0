import { DecodeError, GID_MAX, isCount, Reader, type Retry, type StoreId, type Writer } from '@flotilla/base';
import type { ColdValue } from '@flotilla/ports';
import type { ClusterPolicy } from './config.ts';
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

type Planned = {
  /** Only tell what would happen. */
  readonly plan: boolean;
};

/** All open moves that one config ordered, or the one of them that moves `shard`. */
type MoveName = {
  readonly moveId: number;
  readonly shard: number | undefined;
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
  /** What the moves come to, as far as shards move. With `plan: true` nothing happened yet. */
  readonly plan: MovePlan | undefined;
};

export type MovePlan = {
  /** The first of them, by shard. */
  readonly moves: readonly PlannedShard[];
  readonly count: number;
  /** Keys and values of all moving shards, as last reported by their leaders. */
  readonly bytes: number;
  /** Expected, with the pacing of now. */
  readonly seconds: number;
};

export type PlannedShard = {
  readonly shard: number;
  /** 0: nobody serves it yet. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
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

export const moveStates = [
  /** Its turn has not come, or its source or target cannot be reached. */
  'waiting',
  'copying',
  'catching-up',
  /** The source is frozen, the target not active yet. */
  'cutting-over',
  /** The target serves; the config does not show it yet. */
  'serving',
  'paused',
  'cancelling',
  'done',
  'cancelled',
] as const;
export type MoveState = (typeof moveStates)[number];

/** One move as its target's leader sees it. */
export type MoveProgress = {
  readonly moveId: number;
  readonly shard: number;
  /** 0: a first assignment. */
  readonly source: number;
  readonly target: number;
  readonly state: MoveState;
  /** Copied so far, of about `totalBytes`. */
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  /** Undefined while nobody can say. */
  readonly etaMs: number | undefined;
  /** From the source's freeze to the target's activation, as the target measured it. */
  readonly pauseMs: number | undefined;
  /** Since the driver of now took it up, or took in all. */
  readonly ageMs: number;
  /** Why it does not go on; empty if it does. */
  readonly problem: string;
};

/** One page of the moves; the client asks again with `after: next`. */
export type MovesPage = {
  readonly configNumber: number;
  readonly moves: readonly MoveProgress[];
  readonly next: string;
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
  readonly join: Change & Planned & { readonly groups: readonly JoinGroup[] };
  readonly leave: Change & Planned & { readonly gids: readonly number[] };
  readonly move: Change & Planned & { readonly shard: number; readonly gid: number };
  readonly rebalance: Change & Planned;
  readonly pause: Change & MoveName;
  readonly resume: Change & MoveName;
  readonly cancel: Change & MoveName;
  /** What is undefined stays as it is. */
  readonly policy: Change & { readonly [P in keyof ClusterPolicy]: ClusterPolicy[P] | undefined };
  /** `all`: those that ended lately, too. */
  readonly moves: { readonly all: boolean; readonly after: string };
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
  readonly rebalance: ChangeResult;
  readonly pause: ChangeResult;
  readonly resume: ChangeResult;
  readonly cancel: ChangeResult;
  readonly policy: ChangeResult;
  readonly moves: MovesPage;
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
/** Moves in one plan or on one page: a dozen values each must stay below the element limit of cold values. */
export const PLAN_MOVES_MAX = 500;
export const MOVES_PER_PAGE = 200;

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

/** Absent and null are the same: a cold value may lose the difference. */
function optional<T>(value: ColdValue | undefined, read: (value: ColdValue) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value);
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
  // Absent from older clients.
  const plan = (): boolean => params.plan !== undefined && flag(params.plan, 'params.plan');
  switch (request.method) {
    case 'join': {
      const groups = list(params.groups, 'params.groups', limits.groupsMax, joinGroup);
      return { method: 'join', params: { requestId: requestId(), plan: plan(), groups } };
    }
    case 'leave': {
      const gids = list(params.gids, 'params.gids', limits.groupsMax, gid);
      return { method: 'leave', params: { requestId: requestId(), plan: plan(), gids } };
    }
    case 'move': {
      const shard = count(params.shard, 'params.shard', limits.shardCountMax - 1);
      const to = gid(params.gid, 'params.gid');
      return { method: 'move', params: { requestId: requestId(), plan: plan(), shard, gid: to } };
    }
    case 'rebalance':
      return { method: 'rebalance', params: { requestId: requestId(), plan: plan() } };
    case 'pause':
    case 'resume':
    case 'cancel': {
      const moveId = count(params.moveId, 'params.moveId');
      const shard = optional(params.shard, (value) => count(value, 'params.shard', limits.shardCountMax - 1));
      return { method: request.method, params: { requestId: requestId(), moveId, shard } };
    }
    case 'policy': {
      const auto = optional(params.auto, (value) => flag(value, 'params.auto'));
      const moveBytesPerSecond = optional(params.moveBytesPerSecond, (value) =>
        count(value, 'params.moveBytesPerSecond'),
      );
      const movesPerStore = optional(params.movesPerStore, (value) =>
        count(value, 'params.movesPerStore', limits.movesPerStoreMax),
      );
      return {
        method: 'policy',
        params: { requestId: requestId(), auto, moveBytesPerSecond, movesPerStore },
      };
    }
    case 'moves':
      return {
        method: 'moves',
        params: { all: flag(params.all, 'params.all'), after: text(params.after, 'params.after') },
      };
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
    plan: optional(result.plan, movePlan),
  };
}

function movePlan(value: ColdValue): MovePlan {
  const plan = fields(value, 'result.plan');
  return {
    moves: list(plan.moves, 'result.plan.moves', PLAN_MOVES_MAX, plannedShard),
    count: count(plan.count, 'result.plan.count'),
    bytes: count(plan.bytes, 'result.plan.bytes'),
    seconds: count(plan.seconds, 'result.plan.seconds'),
  };
}

function plannedShard(value: ColdValue, where: string): PlannedShard {
  const move = fields(value, where);
  return {
    shard: count(move.shard, `${where}.shard`),
    from: count(move.from, `${where}.from`),
    to: count(move.to, `${where}.to`),
    bytes: count(move.bytes, `${where}.bytes`),
  };
}

function moveProgress(value: ColdValue, where: string): MoveProgress {
  const move = fields(value, where);
  return {
    moveId: count(move.moveId, `${where}.moveId`),
    shard: count(move.shard, `${where}.shard`),
    source: count(move.source, `${where}.source`),
    target: count(move.target, `${where}.target`),
    state: oneOf(move.state, `${where}.state`, moveStates),
    bytes: count(move.bytes, `${where}.bytes`),
    totalBytes: count(move.totalBytes, `${where}.totalBytes`),
    bytesPerSecond: count(move.bytesPerSecond, `${where}.bytesPerSecond`),
    etaMs: optional(move.etaMs, (each) => count(each, `${where}.etaMs`)),
    pauseMs: optional(move.pauseMs, (each) => count(each, `${where}.pauseMs`)),
    ageMs: count(move.ageMs, `${where}.ageMs`),
    problem: text(move.problem, `${where}.problem`),
  };
}

function movesPage(value: ColdValue): MovesPage {
  const page = fields(value, 'result');
  return {
    configNumber: count(page.configNumber, 'result.configNumber'),
    moves: list(page.moves, 'result.moves', MOVES_PER_PAGE, moveProgress),
    next: text(page.next, 'result.next'),
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
  rebalance: changeResult,
  pause: changeResult,
  resume: changeResult,
  cancel: changeResult,
  policy: changeResult,
  moves: movesPage,
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
