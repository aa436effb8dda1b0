import {
  type ConfState,
  DecodeError,
  EMPTY_BYTES,
  type Entry,
  EntryKind,
  type GroupName,
  type Message,
  MessageKind,
  type RaftId,
  Reader,
  type SnapshotMeta,
  type Writer,
} from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * Consensus traffic between two stores. A `raft` frame carries the messages of many groups, one after the
 * other to its end; a `beat` frame the heartbeats of all groups whose leader runs on the sender.
 */

const CONTEXT_BYTES_MAX = 256;
const CONF_IDS_MAX = 64;
const ENTRY_BYTES_MIN = 21;
const LAST_TRAVELLING: number = MessageKind.timeoutNow;

function writeIds(out: Writer, ids: readonly RaftId[]): void {
  out.u8(ids.length);
  for (const id of ids) out.u53(id);
}

function readIds(from: Reader): RaftId[] {
  const count = from.u8();
  if (count > CONF_IDS_MAX) throw new DecodeError(`${count} ids in one part of a configuration`);
  const ids: RaftId[] = [];
  for (let at = 0; at < count; at++) ids.push(from.u53());
  return ids;
}

export function writeConfState(out: Writer, conf: ConfState): void {
  writeIds(out, conf.voters);
  writeIds(out, conf.votersOutgoing);
  writeIds(out, conf.learners);
  writeIds(out, conf.learnersNext);
  out.bool(conf.autoLeave);
}

export function readConfState(from: Reader): ConfState {
  return {
    voters: readIds(from),
    votersOutgoing: readIds(from),
    learners: readIds(from),
    learnersNext: readIds(from),
    autoLeave: from.bool(),
  };
}

export function writeSnapshotMeta(out: Writer, meta: SnapshotMeta): void {
  out.u53(meta.index);
  out.u53(meta.term);
  writeConfState(out, meta.confState);
  out.bytes32(meta.data);
}

export function readSnapshotMeta(from: Reader): SnapshotMeta {
  return {
    index: from.u53(),
    term: from.u53(),
    confState: readConfState(from),
    data: from.bytes32(limits.snapshotChunkBytes),
  };
}

/** Terms and indexes of one message are nearly equal, but a fixed layout is read faster than a short one. */
export function writeRaftMessage(out: Writer, group: GroupName, message: Message): void {
  out.u32(group.gid);
  out.u53(group.incarnation);
  out.u8(message.kind);
  out.bool(message.reject);
  out.u53(message.from);
  out.u53(message.to);
  out.u53(message.term);
  out.u53(message.logTerm);
  out.u53(message.index);
  out.u53(message.commit);
  out.u53(message.rejectHint);
  out.bytes16(message.context);
  out.u32(message.entries.length);
  for (const entry of message.entries) {
    out.u53(entry.index);
    out.u53(entry.term);
    out.u8(entry.kind);
    out.bytes32(entry.data);
  }
  out.bool(message.snapshot !== undefined);
  if (message.snapshot !== undefined) writeSnapshotMeta(out, message.snapshot);
}

/** About what {@link writeRaftMessage} writes, for splitting frames. */
export function raftMessageBytes(message: Message): number {
  let bytes = 128 + message.context.length;
  for (const entry of message.entries) bytes += ENTRY_BYTES_MIN + entry.data.length;
  return bytes;
}

export interface RaftEnvelope {
  readonly group: GroupName;
  readonly message: Message;
}

/** Entries' data are views into the frame. */
export function readRaftMessage(from: Reader): RaftEnvelope {
  const group = { gid: from.u32(), incarnation: from.u53() };
  const kind = from.u8();
  if (kind === 0 || kind > LAST_TRAVELLING)
    throw new DecodeError(`message kind ${kind} does not travel`, { kind });
  const reject = from.bool();
  const sender = from.u53();
  const to = from.u53();
  const term = from.u53();
  const logTerm = from.u53();
  const index = from.u53();
  const commit = from.u53();
  const rejectHint = from.u53();
  const context = from.bytes16(CONTEXT_BYTES_MAX);
  const count = from.count(0xffff_ffff, ENTRY_BYTES_MIN);
  const entries: Entry[] = [];
  for (let at = 0; at < count; at++) entries.push(readEntry(from));
  const snapshot = from.bool() ? readSnapshotMeta(from) : undefined;
  return {
    group,
    message: {
      kind: kind as MessageKind,
      from: sender,
      to,
      term,
      logTerm,
      index,
      commit,
      vote: 0,
      reject,
      rejectHint,
      entries,
      snapshot,
      context: context.length === 0 ? EMPTY_BYTES : context,
      responses: [],
    },
  };
}

function readEntry(from: Reader): Entry {
  const index = from.u53();
  const term = from.u53();
  const kind = from.u8();
  if (kind > EntryKind.confChangeV2) throw new DecodeError(`entry kind ${kind} is not known here`, { kind });
  return { index, term, kind: kind as EntryKind, data: from.bytes32(limits.peerFrameBytes) };
}

/** One group's heartbeat inside a `beat` frame. */
export interface Beat {
  readonly group: GroupName;
  readonly from: RaftId;
  readonly to: RaftId;
  readonly term: number;
  /** What the follower may commit: never above what it has. */
  readonly commit: number;
  /** The leader's own commit index, for bounds on staleness. */
  readonly leaderCommit: number;
  /** ReadIndex context that the heartbeat confirms; empty for none. */
  readonly context: Uint8Array;
}

/** `round` is stamped by the sender's monotonic clock before the frame is built; acks echo it. */
export function writeBeats(out: Writer, round: number, beats: readonly Beat[]): void {
  out.u53(round);
  out.u32(beats.length);
  for (const beat of beats) {
    out.u32(beat.group.gid);
    out.u53(beat.group.incarnation);
    out.u53(beat.from);
    out.u53(beat.to);
    out.u53(beat.term);
    out.u53(beat.commit);
    out.u53(beat.leaderCommit);
    out.bytes16(beat.context);
  }
}

export interface Beats {
  readonly round: number;
  readonly beats: readonly Beat[];
}

export function readBeats(body: Uint8Array): Beats {
  const from = new Reader(body);
  const round = from.u53();
  const count = from.count(limits.groupsMax, 54);
  const beats: Beat[] = [];
  for (let at = 0; at < count; at++) {
    beats.push({
      group: { gid: from.u32(), incarnation: from.u53() },
      from: from.u53(),
      to: from.u53(),
      term: from.u53(),
      commit: from.u53(),
      leaderCommit: from.u53(),
      context: from.bytes16(CONTEXT_BYTES_MAX),
    });
  }
  from.expectEnd();
  return { round, beats };
}

/** Answer to one beat. A round of 0 says that no promise was taken: it renews no lease. */
export interface BeatAck {
  readonly group: GroupName;
  readonly from: RaftId;
  readonly to: RaftId;
  readonly term: number;
  readonly round: number;
  readonly context: Uint8Array;
}

export function writeBeatAcks(out: Writer, acks: readonly BeatAck[]): void {
  out.u32(acks.length);
  for (const ack of acks) {
    out.u32(ack.group.gid);
    out.u53(ack.group.incarnation);
    out.u53(ack.from);
    out.u53(ack.to);
    out.u53(ack.term);
    out.u53(ack.round);
    out.bytes16(ack.context);
  }
}

export function readBeatAcks(body: Uint8Array): BeatAck[] {
  const from = new Reader(body);
  const count = from.count(limits.groupsMax, 46);
  const acks: BeatAck[] = [];
  for (let at = 0; at < count; at++) {
    acks.push({
      group: { gid: from.u32(), incarnation: from.u53() },
      from: from.u53(),
      to: from.u53(),
      term: from.u53(),
      round: from.u53(),
      context: from.bytes16(CONTEXT_BYTES_MAX),
    });
  }
  from.expectEnd();
  return acks;
}

/** How long a refused candidate should wait before it asks again. */
export interface VoteRefusal {
  readonly group: GroupName;
  readonly to: RaftId;
  readonly remainingMs: number;
}

export function writeVoteRefusal(out: Writer, refusal: VoteRefusal): void {
  out.u32(refusal.group.gid);
  out.u53(refusal.group.incarnation);
  out.u53(refusal.to);
  out.f64(refusal.remainingMs);
}

export function readVoteRefusal(body: Uint8Array): VoteRefusal {
  const from = new Reader(body);
  return {
    group: { gid: from.u32(), incarnation: from.u53() },
    to: from.u53(),
    remainingMs: from.f64(),
  };
}
