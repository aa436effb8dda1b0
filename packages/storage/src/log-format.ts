import {
  type ConfState,
  CorruptionError,
  DecodeError,
  type Entry,
  EntryKind,
  type GroupName,
  groupNameText,
  type HardState,
  Reader,
  Writer,
} from '@flotilla/base';
import type { Hasher, ReplicaRecord } from '@flotilla/ports';

/**
 * Stored form of logs. Part of the disk format: a change needs a decision record and a new version.
 *
 * Key   = gid (4), group incarnation (8), and for runs: epoch (4), first index (8); big endian, so that the
 *         runs of a log lie in order. The epoch counts the times that the log was begun anew; runs of
 *         another epoch than the replica record names are left-overs.
 * Value = xxh64 (8) over all that follows; version (1); kind (1); gid (4); incarnation (8); body.
 *         The names inside the checksum show a value that was written or read in the wrong place.
 */
export const LOG_FORMAT_VERSION = 1;

const Kind = { replica: 1, hardState: 2, run: 3 } as const;
type Kind = (typeof Kind)[keyof typeof Kind];

export const GROUP_KEY_BYTES = 12;
const RUN_KEY_BYTES = 24;
const BODY_AT = 22;
const RAFT_IDS_MAX = 1_000;

/** Where a run stands, and what it follows: its predecessor's last term and the low half of its checksum. */
export interface RunHead {
  readonly epoch: number;
  readonly first: number;
  readonly prevTerm: number;
  readonly prevSum: number;
}

export interface Run extends RunHead {
  readonly sum: number;
  readonly entries: readonly Entry[];
}

export interface StoredReplica {
  readonly record: ReplicaRecord;
  readonly epoch: number;
}

const RUN_HEAD_BYTES = BODY_AT + 4 + 8 + 8 + 4 + 4;
const ENTRY_HEAD_BYTES = 13;

export function groupKey(group: GroupName): Uint8Array {
  const key = new Uint8Array(GROUP_KEY_BYTES);
  const view = new DataView(key.buffer);
  view.setUint32(0, group.gid);
  putCountBigEndian(view, 4, group.incarnation);
  return key;
}

/** LMDB copies keys at once, so one buffer serves all run keys. */
const runKeyBuffer = new Uint8Array(RUN_KEY_BYTES);
const runKeyView = new DataView(runKeyBuffer.buffer);

export function runKey(group: Uint8Array, epoch: number, first: number): Uint8Array {
  runKeyBuffer.set(group);
  runKeyView.setUint32(GROUP_KEY_BYTES, epoch);
  putCountBigEndian(runKeyView, GROUP_KEY_BYTES + 4, first);
  return runKeyBuffer;
}

export function groupOfKey(key: Uint8Array): GroupName {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { gid: view.getUint32(0), incarnation: countBigEndian(view, 4) };
}

export function positionOfRunKey(key: Uint8Array): { readonly epoch: number; readonly first: number } {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { epoch: view.getUint32(GROUP_KEY_BYTES), first: countBigEndian(view, GROUP_KEY_BYTES + 4) };
}

export function encodeRun(
  take: (bytes: number) => Uint8Array,
  hasher: Hasher,
  group: GroupName,
  head: RunHead,
  entries: readonly Entry[],
): Uint8Array {
  let payload = 0;
  for (const entry of entries) payload += entry.data.length;
  const bytes = take(RUN_HEAD_BYTES + entries.length * ENTRY_HEAD_BYTES + payload);
  putHead(bytes, Kind.run, group);
  let at = BODY_AT;
  at = putU32(bytes, at, head.epoch);
  at = putCount(bytes, at, head.first);
  at = putCount(bytes, at, head.prevTerm);
  at = putU32(bytes, at, head.prevSum);
  at = putU32(bytes, at, entries.length);
  for (const entry of entries) {
    at = putCount(bytes, at, entry.term);
    bytes[at++] = entry.kind;
    at = putU32(bytes, at, entry.data.length);
    bytes.set(entry.data, at);
    at += entry.data.length;
  }
  seal(bytes, hasher);
  return bytes;
}

/** The low half of the checksum, which the next run repeats. */
export function sumOf(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset, 4).getUint32(0, true);
}

/** The payloads of the entries are views of `bytes`. */
export function decodeRun(hasher: Hasher, key: Uint8Array, bytes: Uint8Array): Run {
  const group = groupOfKey(key);
  const position = positionOfRunKey(key);
  const where = `log of group ${groupNameText(group)}, entries from ${position.first} on`;
  return guard(where, { ...position, group: groupNameText(group) }, () => {
    const from = open(bytes, hasher, Kind.run, group);
    const epoch = from.u32();
    const first = from.u53();
    if (epoch !== position.epoch || first !== position.first)
      throw new DecodeError(`the value belongs to epoch ${epoch}, index ${first}`);
    const prevTerm = from.u53();
    const prevSum = from.u32();
    const count = from.u32();
    const entries: Entry[] = [];
    for (let index = first; index < first + count; index++) {
      const term = from.u53();
      const kind = from.u8();
      if (kind > EntryKind.confChangeV2) throw new DecodeError(`${kind} is not a kind of entry`);
      entries.push({ index, term, kind: kind as EntryKind, data: from.raw(from.u32()) });
    }
    from.expectEnd();
    if (count === 0) throw new DecodeError('a run has at least one entry');
    return { epoch, first, prevTerm, prevSum, sum: sumOf(bytes), entries };
  });
}

export function encodeHardState(
  take: (bytes: number) => Uint8Array,
  hasher: Hasher,
  group: GroupName,
  state: HardState,
): Uint8Array {
  const bytes = take(BODY_AT + 24);
  putHead(bytes, Kind.hardState, group);
  let at = putCount(bytes, BODY_AT, state.term);
  at = putCount(bytes, at, state.vote);
  putCount(bytes, at, state.commit);
  seal(bytes, hasher);
  return bytes;
}

export function decodeHardState(hasher: Hasher, key: Uint8Array, bytes: Uint8Array): HardState {
  const group = groupOfKey(key);
  return guard(`hard state of group ${groupNameText(group)}`, { group: groupNameText(group) }, () => {
    const from = open(bytes, hasher, Kind.hardState, group);
    const state = { term: from.u53(), vote: from.u53(), commit: from.u53() };
    from.expectEnd();
    return state;
  });
}

export function encodeReplica(hasher: Hasher, record: ReplicaRecord, epoch: number): Uint8Array {
  const out = new Writer(128);
  out.reserve(BODY_AT);
  out.u32(epoch);
  out.u53(record.raftId);
  out.u53(record.generation);
  out.bool(record.removed);
  out.u53(record.start.index);
  out.u53(record.start.term);
  const { confState } = record.start;
  for (const ids of [
    confState.voters,
    confState.votersOutgoing,
    confState.learners,
    confState.learnersNext,
  ]) {
    out.u32(ids.length);
    for (const id of ids) out.u53(id);
  }
  out.bool(confState.autoLeave);
  const bytes = out.finish();
  putHead(bytes, Kind.replica, record.group);
  seal(bytes, hasher);
  return bytes;
}

export function decodeReplica(hasher: Hasher, key: Uint8Array, bytes: Uint8Array): StoredReplica {
  const group = groupOfKey(key);
  return guard(`replica record of group ${groupNameText(group)}`, { group: groupNameText(group) }, () => {
    const from = open(bytes, hasher, Kind.replica, group);
    const epoch = from.u32();
    const raftId = from.u53();
    const generation = from.u53();
    const removed = from.bool();
    const index = from.u53();
    const term = from.u53();
    const ids = (): number[] => Array.from({ length: from.count(RAFT_IDS_MAX, 8) }, () => from.u53());
    const voters = ids();
    const votersOutgoing = ids();
    const learners = ids();
    const learnersNext = ids();
    const confState: ConfState = { voters, votersOutgoing, learners, learnersNext, autoLeave: from.bool() };
    from.expectEnd();
    return { epoch, record: { group, raftId, generation, removed, start: { index, term, confState } } };
  });
}

function putHead(bytes: Uint8Array, kind: Kind, group: GroupName): void {
  bytes[8] = LOG_FORMAT_VERSION;
  bytes[9] = kind;
  putCount(bytes, putU32(bytes, 10, group.gid), group.incarnation);
}

function seal(bytes: Uint8Array, hasher: Hasher): void {
  hasher.hash(bytes.subarray(8));
  putU32(bytes, putU32(bytes, 0, hasher.low), hasher.high);
}

/** A reader behind the head of a value whose checksum, version, kind and group are as they must be. */
function open(bytes: Uint8Array, hasher: Hasher, kind: Kind, group: GroupName): Reader {
  const from = new Reader(bytes);
  const low = from.u32();
  const high = from.u32();
  hasher.hash(bytes.subarray(8));
  if (low !== hasher.low || high !== hasher.high) throw new DecodeError('the checksum does not fit');
  const version = from.u8();
  if (version !== LOG_FORMAT_VERSION) throw new DecodeError(`format ${version} is unknown`);
  const kindFound = from.u8();
  const gid = from.u32();
  const incarnation = from.u53();
  if (kindFound !== kind || gid !== group.gid || incarnation !== group.incarnation) {
    throw new DecodeError(`it is a value of kind ${kindFound} of group ${gid}.${incarnation}`);
  }
  return from;
}

function guard<T>(where: string, details: Readonly<Record<string, unknown>>, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new CorruptionError(
      `${where}: ${cause.message}; the disk returned other bytes than were written. ` +
        'The replica must not vote or answer; it is to be replaced under a new raft id',
      details,
      { cause },
    );
  }
}

function putU32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
  return at + 4;
}

function putCount(bytes: Uint8Array, at: number, value: number): number {
  return putU32(bytes, putU32(bytes, at, value % 0x1_0000_0000), Math.floor(value / 0x1_0000_0000));
}

function putCountBigEndian(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value % 0x1_0000_0000);
}

function countBigEndian(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
