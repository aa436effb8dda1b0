/**
 * The values that consensus, storage and wire share. They hold ids, never addresses; all numbers are safe
 * integers; `data` and `context` are opaque bytes that nobody changes after they were handed over.
 */

/** Raft id of a replica within its group: 1, 2, 3 … never reused. 0 means none. */
export type RaftId = number;

export const EntryKind = { normal: 0, confChange: 1, confChangeV2: 2 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}

/** What must survive a crash before any message that follows from it leaves (Raft paper, figure 2). */
export interface HardState {
  readonly term: number;
  readonly vote: RaftId;
  readonly commit: number;
}

/** Membership of a group as of one applied index; ids ascending. Joint while `votersOutgoing` is not empty. */
export interface ConfState {
  readonly voters: readonly RaftId[];
  readonly votersOutgoing: readonly RaftId[];
  readonly learners: readonly RaftId[];
  readonly learnersNext: readonly RaftId[];
  readonly autoLeave: boolean;
}

/** Where a snapshot stands. `data` is what the host needs to fetch it (empty in tests of the core). */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  readonly data: Uint8Array;
}

/** Message kinds. Those up to `timeoutNow` travel between replicas, the others never leave a process. */
export const MessageKind = {
  app: 1,
  appResp: 2,
  vote: 3,
  voteResp: 4,
  preVote: 5,
  preVoteResp: 6,
  snap: 7,
  heartbeat: 8,
  heartbeatResp: 9,
  prop: 10,
  readIndex: 11,
  readIndexResp: 12,
  transferLeader: 13,
  timeoutNow: 14,
  hup: 20,
  beat: 21,
  unreachable: 22,
  snapStatus: 23,
  checkQuorum: 24,
  forgetLeader: 25,
  storageAppend: 26,
  storageAppendResp: 27,
  storageApply: 28,
  storageApplyResp: 29,
} as const;
export type MessageKind = (typeof MessageKind)[keyof typeof MessageKind];

/** Pseudo-recipients of asynchronous storage work; no replica ever has these ids. */
export const APPEND_THREAD: RaftId = -1;
export const APPLY_THREAD: RaftId = -2;

/**
 * One message of the protocol. Always all fields, so that every message has one hidden class; unused
 * numbers are 0, unused lists empty.
 */
export interface Message {
  readonly kind: MessageKind;
  readonly from: RaftId;
  readonly to: RaftId;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly commit: number;
  readonly vote: RaftId;
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
  readonly context: Uint8Array;
  /** Storage messages only: what to deliver once their work is durable. */
  readonly responses: readonly Message[];
}
