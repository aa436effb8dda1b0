import {
  APPEND_THREAD,
  APPLY_THREAD,
  EMPTY_BYTES,
  type Message,
  MessageKind,
  type RaftId,
} from '@flotilla/base';
import { NO_ENTRIES } from './log.ts';

/** A message while it is being filled in. Once sent it is a {@link Message} and nobody changes it. */
export type Draft = { -readonly [Field in keyof Message]: Message[Field] };

const NO_RESPONSES: readonly Message[] = [];

/** Every message is made here, so that all have one hidden class. Sender and term are filled in on sending. */
export function draft(kind: MessageKind, to: RaftId): Draft {
  return {
    kind,
    from: 0,
    to,
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: NO_ENTRIES,
    snapshot: undefined,
    context: EMPTY_BYTES,
    responses: NO_RESPONSES,
  };
}

export const MESSAGE_KIND_MAX: number = MessageKind.storageApplyResp;

const NAMES = new Map<MessageKind, string>([
  [MessageKind.app, 'MsgApp'],
  [MessageKind.appResp, 'MsgAppResp'],
  [MessageKind.vote, 'MsgVote'],
  [MessageKind.voteResp, 'MsgVoteResp'],
  [MessageKind.preVote, 'MsgPreVote'],
  [MessageKind.preVoteResp, 'MsgPreVoteResp'],
  [MessageKind.snap, 'MsgSnap'],
  [MessageKind.heartbeat, 'MsgHeartbeat'],
  [MessageKind.heartbeatResp, 'MsgHeartbeatResp'],
  [MessageKind.prop, 'MsgProp'],
  [MessageKind.readIndex, 'MsgReadIndex'],
  [MessageKind.readIndexResp, 'MsgReadIndexResp'],
  [MessageKind.transferLeader, 'MsgTransferLeader'],
  [MessageKind.timeoutNow, 'MsgTimeoutNow'],
  [MessageKind.hup, 'MsgHup'],
  [MessageKind.beat, 'MsgBeat'],
  [MessageKind.unreachable, 'MsgUnreachable'],
  [MessageKind.snapStatus, 'MsgSnapStatus'],
  [MessageKind.checkQuorum, 'MsgCheckQuorum'],
  [MessageKind.forgetLeader, 'MsgForgetLeader'],
  [MessageKind.storageAppend, 'MsgStorageAppend'],
  [MessageKind.storageAppendResp, 'MsgStorageAppendResp'],
  [MessageKind.storageApply, 'MsgStorageApply'],
  [MessageKind.storageApplyResp, 'MsgStorageApplyResp'],
]);

/** The name under which etcd's raft, its logs and its test files know the kind. */
export function messageKindName(kind: MessageKind): string {
  return NAMES.get(kind) ?? `Msg(${kind})`;
}

export function isStorageThread(id: RaftId): boolean {
  return id === APPEND_THREAD || id === APPLY_THREAD;
}

/** Kinds that never come from another process. */
export function isLocalKind(kind: MessageKind): boolean {
  return kind > MessageKind.timeoutNow;
}

/** Answers count only from members. */
export function isResponseKind(kind: MessageKind): boolean {
  switch (kind) {
    case MessageKind.appResp:
    case MessageKind.voteResp:
    case MessageKind.preVoteResp:
    case MessageKind.heartbeatResp:
    case MessageKind.readIndexResp:
    case MessageKind.unreachable:
    case MessageKind.storageAppendResp:
    case MessageKind.storageApplyResp:
      return true;
    default:
      return false;
  }
}

/**
 * Messages that claim something about the own disk: votes and acknowledgements. They wait until everything
 * that is unstable now is durable.
 */
export function waitsForDurability(kind: MessageKind): boolean {
  return kind === MessageKind.appResp || kind === MessageKind.voteResp || kind === MessageKind.preVoteResp;
}

/** In the context of a vote request: the leader itself asked for this election, so leases do not stand against it. */
const TRANSFER = 'CampaignTransfer';
export const CAMPAIGN_TRANSFER: Uint8Array = Uint8Array.from(TRANSFER, (letter) => letter.charCodeAt(0));

export function isTransferCampaign(message: Message): boolean {
  const { context } = message;
  if (context.length !== CAMPAIGN_TRANSFER.length) return false;
  for (let at = 0; at < context.length; at++) if (context[at] !== CAMPAIGN_TRANSFER[at]) return false;
  return true;
}
