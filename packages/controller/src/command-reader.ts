import { DecodeError, GID_MAX, isCount, isStoreId, Reader, type StoreId, utf8Encode } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';
import {
  type JoinGroup,
  limits,
  REQUEST_ID_LENGTH_MAX,
  type ReplicaPlace,
  type StoreRecord,
} from '@flotilla/wire';
import {
  type ControllerCommand,
  type ControllerRequest,
  REPORT_BYTES,
  type ReportedMove,
} from './command.ts';
import { controllerLimits } from './format.ts';
import { decodeLoads } from './loads.ts';

/**
 * Reads commands. Only shapes are checked, but those strictly: what passes here is stored, and must come back from
 * the store exactly as it went in, or a reloaded replica would decide otherwise than its peers.
 */

/** The wire counts UTF-16 units, of which each takes at most three bytes. */
const REQUEST_ID_BYTES_MAX = 3 * REQUEST_ID_LENGTH_MAX;

type Fields = { readonly [key: string]: ColdValue };

function wrong(where: string, wanted: string): DecodeError {
  return new DecodeError(`${where} is not ${wanted}`, { where });
}

function fields(value: ColdValue, where: string): Fields {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject || value instanceof Uint8Array) throw wrong(where, 'an object');
  return value as Fields;
}

function list<T>(
  value: ColdValue,
  where: string,
  max: number,
  item: (value: ColdValue, where: string) => T,
): readonly T[] {
  if (!Array.isArray(value) || value.length > max) throw wrong(where, `a list of at most ${max}`);
  return (value as readonly ColdValue[]).map((each, at): T => item(each, `${where}[${at}]`));
}

/** A lone surrogate would be stored as U+FFFD: the text after a reload would be another one. */
function text(value: ColdValue, where: string, bytesMax: number, bytesMin = 0): string {
  if (typeof value === 'string' && value.length <= bytesMax && value.isWellFormed()) {
    const length = utf8Encode(value).length;
    if (length >= bytesMin && length <= bytesMax) return value;
  }
  throw wrong(where, `a text of ${bytesMin} to ${bytesMax} bytes`);
}

function count(value: ColdValue, where: string, max: number = Number.MAX_SAFE_INTEGER, min = 0): number {
  if (typeof value !== 'number' || !isCount(value) || value > max || value < min)
    throw wrong(where, `a whole number from ${min} to ${max}`);
  // Turns -0, which a codec may carry, into the 0 that comes back from the store.
  return value + 0;
}

function flag(value: ColdValue, where: string): boolean {
  if (typeof value !== 'boolean') throw wrong(where, 'true or false');
  return value;
}

/** Absent and null are the same: a cold value may lose the difference. */
function optional<T>(value: ColdValue, read: (value: ColdValue) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value);
}

function gid(value: ColdValue, where: string): number {
  return count(value, where, GID_MAX, 1);
}

function storeId(value: ColdValue, where: string): StoreId {
  if (typeof value === 'string' && isStoreId(value)) return value;
  const name = typeof value === 'string' ? `${where}, "${value.slice(0, 80)}",` : where;
  throw wrong(name, 'a store id (1 to 64 of the characters a-z A-Z 0-9 . _ -, first one a letter or digit)');
}

function incarnation(value: ColdValue, where: string): string {
  return text(value, where, controllerLimits.incarnationBytes, 1);
}

function store(value: ColdValue, where: string): StoreRecord {
  const from = fields(value, where);
  return {
    storeId: storeId(from.storeId, `${where}.storeId`),
    incarnation: incarnation(from.incarnation, `${where}.incarnation`),
    address: text(from.address, `${where}.address`, limits.addressBytes, 1),
    addressVersion: count(from.addressVersion, `${where}.addressVersion`),
    zone: text(from.zone, `${where}.zone`, controllerLimits.zoneBytes),
  };
}

function replica(value: ColdValue, where: string): ReplicaPlace {
  const from = fields(value, where);
  return {
    raftId: count(from.raftId, `${where}.raftId`, Number.MAX_SAFE_INTEGER, 1),
    storeId: storeId(from.storeId, `${where}.storeId`),
    storeIncarnation: incarnation(from.storeIncarnation, `${where}.storeIncarnation`),
  };
}

function joinGroup(value: ColdValue, where: string): JoinGroup {
  const from = fields(value, where);
  const stores = list(from.stores, `${where}.stores`, limits.storesMax, storeId);
  return { gid: gid(from.gid, `${where}.gid`), stores };
}

function reportedMoves(value: ColdValue, where: string): readonly ReportedMove[] {
  const isPacked = value instanceof Uint8Array && value.length % REPORT_BYTES === 0;
  if (!isPacked || value.length > limits.shardCountMax * REPORT_BYTES) throw wrong(where, 'packed moves');
  const from = new Reader(value);
  const moves: ReportedMove[] = [];
  while (from.remaining > 0) moves.push({ shard: from.u16(), moveId: from.u53() });
  return moves;
}

/** Checked here, so that whoever decides by it meets nothing that cannot be read. */
function loadColumn(value: ColdValue, where: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrong(where, 'a column of loads');
  decodeLoads(value);
  return value;
}

/** Throws `DecodeError` with the path of what does not fit. */
export function parseControllerCommand(value: ColdValue): ControllerCommand {
  const from = fields(value, 'command');
  switch (from.kind) {
    case 'found':
      return {
        kind: 'found',
        clusterId: text(from.clusterId, 'clusterId', controllerLimits.clusterIdBytes, 1),
        shardCount: count(from.shardCount, 'shardCount', limits.shardCountMax, 1),
        replicas: list(from.replicas, 'replicas', limits.replicasPerGroup, replica),
        stores: list(from.stores, 'stores', limits.storesMax, store),
      };
    case 'registerStore':
      return { kind: 'registerStore', ...store(value, 'store') };
    case 'join':
      return { kind: 'join', groups: list(from.groups, 'groups', limits.groupsMax, joinGroup) };
    case 'leave':
      return { kind: 'leave', gids: list(from.gids, 'gids', limits.groupsMax, gid) };
    case 'move':
      return {
        kind: 'move',
        shard: count(from.shard, 'shard', limits.shardCountMax - 1),
        gid: gid(from.gid, 'gid'),
      };
    case 'rebalance':
      return { kind: 'rebalance', loads: loadColumn(from.loads, 'loads') };
    case 'cancel':
    case 'pause':
    case 'resume':
      return {
        kind: from.kind,
        moveId: count(from.moveId, 'moveId'),
        shard: optional(from.shard, (value) => count(value, 'shard', limits.shardCountMax - 1)),
      };
    case 'policy':
      return {
        kind: 'policy',
        auto: optional(from.auto, (value) => flag(value, 'auto')),
        moveBytesPerSecond: optional(from.moveBytesPerSecond, (value) => count(value, 'moveBytesPerSecond')),
        movesPerStore: optional(from.movesPerStore, (value) =>
          count(value, 'movesPerStore', limits.movesPerStoreMax, 1),
        ),
      };
    case 'done':
    case 'cancelled':
    case 'tooLate':
      return { kind: from.kind, moves: reportedMoves(from.moves, 'moves') };
    default:
      throw wrong('command.kind', 'known in this entry format');
  }
}

/** Throws `DecodeError` (or whatever the codec throws) for a body that is not a request. */
export function decodeControllerRequest(codec: ColdCodec, body: Uint8Array): ControllerRequest {
  const from = fields(codec.decode(body), 'request');
  return {
    requestId: text(from.request, 'request', REQUEST_ID_BYTES_MAX),
    author: text(from.author, 'author', controllerLimits.authorBytes),
    command: parseControllerCommand(from.command),
  };
}
