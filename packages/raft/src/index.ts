export type {
  ConfChange,
  ConfChangeKind,
  ConfChangeSingle,
  ConfChangeTransition,
} from './conf-change.ts';
export { decodeConfChange, encodeConfChange, LEAVE_JOINT } from './conf-change.ts';
export type { RaftConfig, ReadOnlyMode } from './config.ts';
export { RaftStateError } from './config.ts';
export type { ReadState } from './core.ts';
export type { ProgressView, Role } from './describe.ts';
export { describeConfState, describeProgress } from './describe.ts';
export type { RaftLogger, RaftLogLevel } from './logger.ts';
export { isMember, isVoter, membersOf, votersOf } from './membership.ts';
export { CAMPAIGN_TRANSFER, isTransferCampaign, messageKindName } from './messages.ts';
export { RaftNode } from './node.ts';
export type { ProgressState } from './progress.ts';
export type { Proposal, ProposalRefusal } from './proposals.ts';
export { jointIndex, jointVote } from './quorum.ts';
export type { Ready, SoftState } from './ready.ts';
export type { Status } from './status.ts';
export type { StepResult } from './step-result.ts';
export type { RaftStorage } from './storage.ts';
export { entriesBytes, entryBytes } from './storage.ts';
