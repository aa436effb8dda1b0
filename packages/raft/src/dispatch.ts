import { assert, type Message, MessageKind } from '@flotilla/base';
import type { Core } from './core.ts';
import { describeRole, hex, type Role } from './describe.ts';
import { campaignIfAllowed, handleVoteRequest, handleVoteResponse } from './election.ts';
import {
  handleAppend,
  handleForgetLeader,
  handleHeartbeat,
  handleSnapshot,
  handleTimeoutNow,
  passOnTransfer,
} from './follower.ts';
import {
  handleAppendResponse,
  handleBeat,
  handleCheckQuorum,
  handleHeartbeatResponse,
  handleSecondLeader,
  handleSnapshotStatus,
  handleTransfer,
  handleUnreachable,
} from './leader.ts';
import { confStateProblem } from './membership.ts';
import {
  draft,
  isLocalKind,
  isResponseKind,
  isStorageThread,
  isTransferCampaign,
  MESSAGE_KIND_MAX,
  messageKindName,
  waitsForDurability,
} from './messages.ts';
import { handleForwardedProposal, handleStrayProposal } from './proposals.ts';
import { handleReadAnswer, handleReadRequest } from './reads.ts';
import { appliedTo, snapshotApplied } from './reconfigure.ts';
import { returnQuota } from './replication.ts';
import { becomeFollower } from './roles.ts';
import type { StepResult } from './step-result.ts';
import { entriesBytes } from './storage.ts';

/** The way of a message through the core: checks at the border, then the term, then the table. */

type Handler = (core: Core, message: Message) => StepResult;

const ANY_ROLE: readonly (readonly [MessageKind, Handler])[] = [
  [MessageKind.hup, handleHup],
  [MessageKind.vote, handleVoteRequest],
  [MessageKind.preVote, handleVoteRequest],
  [MessageKind.storageAppendResp, handleStorageAppended],
  [MessageKind.storageApplyResp, handleStorageApplied],
];

const CANDIDATE = table([
  [MessageKind.app, handleAppend],
  [MessageKind.heartbeat, handleHeartbeat],
  [MessageKind.snap, handleSnapshot],
  [MessageKind.voteResp, handleVoteResponse],
  [MessageKind.preVoteResp, handleVoteResponse],
  [MessageKind.prop, handleStrayProposal],
  [MessageKind.timeoutNow, ignoreTimeoutNow],
]);

/** The whole protocol. A pair without a handler is ignored: it is late, or means nothing in that role. */
const handlers: Readonly<Record<Role, readonly (Handler | undefined)[]>> = {
  follower: table([
    [MessageKind.app, handleAppend],
    [MessageKind.heartbeat, handleHeartbeat],
    [MessageKind.snap, handleSnapshot],
    [MessageKind.prop, handleStrayProposal],
    [MessageKind.readIndex, handleReadRequest],
    [MessageKind.readIndexResp, handleReadAnswer],
    [MessageKind.transferLeader, passOnTransfer],
    [MessageKind.timeoutNow, handleTimeoutNow],
    [MessageKind.forgetLeader, handleForgetLeader],
  ]),
  'pre-candidate': CANDIDATE,
  candidate: CANDIDATE,
  leader: table([
    [MessageKind.app, handleSecondLeader],
    [MessageKind.heartbeat, handleSecondLeader],
    [MessageKind.appResp, handleAppendResponse],
    [MessageKind.heartbeatResp, handleHeartbeatResponse],
    [MessageKind.prop, handleForwardedProposal],
    [MessageKind.readIndex, handleReadRequest],
    [MessageKind.transferLeader, handleTransfer],
    [MessageKind.beat, handleBeat],
    [MessageKind.checkQuorum, handleCheckQuorum],
    [MessageKind.unreachable, handleUnreachable],
    [MessageKind.snapStatus, handleSnapshotStatus],
  ]),
};

function table(rows: readonly (readonly [MessageKind, Handler])[]): readonly (Handler | undefined)[] {
  const row: (Handler | undefined)[] = new Array(MESSAGE_KIND_MAX + 1).fill(undefined);
  for (const [kind, handler] of [...ANY_ROLE, ...rows]) {
    assert(row[kind] === undefined, () => `two handlers for ${messageKindName(kind)}`);
    row[kind] = handler;
  }
  return row;
}

/** A message from another process or from a storage thread. Whatever it says, this does not throw. */
export function stepFromOutside(core: Core, message: Message): StepResult {
  const { kind, from } = message;
  const fromThread = isStorageThread(from);
  if (isLocalKind(kind) && !fromThread) return 'local-message';
  if (isResponseKind(kind) && !fromThread && core.tracker.get(from) === undefined) return 'unknown-peer';
  if (!fromThread && !isWellFormed(core, message)) {
    core.logger?.log(
      'error',
      () => `${hex(core.id)} received a malformed ${messageKindName(kind)} from ${hex(from)}`,
    );
    return 'malformed';
  }
  return step(core, message);
}

/** A message of this node to itself, or one that passed the border. Term 0 is bound to no term. */
export function step(core: Core, message: Message): StepResult {
  const { term } = message;
  if (term > core.term) {
    if (!meetHigherTerm(core, message)) return 'ok';
  } else if (term < core.term && term !== 0) {
    answerLowerTerm(core, message);
    return 'ok';
  }
  const handler = handlers[core.role][message.kind];
  return handler === undefined ? 'ok' : handler(core, message);
}

/**
 * What the protocol relies on and no correct node breaks. It matters here because a message of term 0 would
 * pass the term check, and a gap in the entries would pass the log's.
 */
function isWellFormed(core: Core, message: Message): boolean {
  const { kind, term } = message;
  if (!hasSafeNumbers(message)) return false;
  if (message.to !== core.id || !isSafe(message.from) || message.from === 0) return false;
  if (message.from === core.id && !mayComeBack(kind)) return false;
  if (kind === MessageKind.prop) return message.entries.length > 0;
  if (kind === MessageKind.readIndex) return true;
  // A node that was just founded is at term 0, and may refuse a pre-vote there.
  if (term === 0) return kind === MessageKind.preVoteResp && message.reject;
  if (kind === MessageKind.app) {
    let { index, logTerm } = message;
    for (const entry of message.entries) {
      index++;
      if (entry.index !== index || entry.term < logTerm || entry.term > term) return false;
      if (!isSafe(entry.term)) return false;
      logTerm = entry.term;
    }
    return true;
  }
  if (kind === MessageKind.snap) {
    const { snapshot } = message;
    return (
      snapshot !== undefined &&
      isSafe(snapshot.index) &&
      snapshot.index > 0 &&
      isSafe(snapshot.term) &&
      snapshot.term <= term &&
      confStateProblem(snapshot.confState) === undefined
    );
  }
  return true;
}

/** Terms and indexes are counts, and there is a term left to campaign in. */
function hasSafeNumbers(message: Message): boolean {
  return (
    isSafe(message.term) &&
    message.term < Number.MAX_SAFE_INTEGER &&
    isSafe(message.index) &&
    isSafe(message.logTerm) &&
    isSafe(message.commit) &&
    isSafe(message.rejectHint)
  );
}

function isSafe(count: number): boolean {
  return Number.isSafeInteger(count) && count >= 0;
}

/** Own votes and acknowledgements come by way of the disk, requests of this node by way of another one. */
function mayComeBack(kind: MessageKind): boolean {
  return (
    waitsForDurability(kind) ||
    kind === MessageKind.prop ||
    kind === MessageKind.readIndex ||
    kind === MessageKind.transferLeader
  );
}

/** The message knows a later term than this node. False if that ends it. */
function meetHigherTerm(core: Core, message: Message): boolean {
  const { kind, from } = message;
  const isVoteRequest = kind === MessageKind.vote || kind === MessageKind.preVote;
  if (isVoteRequest && !isTransferCampaign(message) && inLease(core)) {
    // A leader was heard within the shortest election timeout: whoever campaigns was cut off, or is removed.
    core.logger?.log('info', () => {
      const { lastTerm, lastIndex } = core.log;
      const heard = core.config.electionTicks - core.electionElapsed;
      const remaining = Math.max(heard, core.reads.lease.promisedTicks);
      return `${hex(core.id)} [logterm: ${lastTerm}, index: ${lastIndex}, vote: ${hex(core.vote)}] ignored ${messageKindName(kind)} from ${hex(from)} [logterm: ${message.logTerm}, index: ${message.index}] at term ${core.term}: lease is not expired (remaining ticks: ${remaining})`;
    });
    return false;
  }
  // A pre-vote and its granting name a term that nobody has entered yet. A refusal names one that somebody has.
  if (kind === MessageKind.preVote) return true;
  if (kind === MessageKind.preVoteResp && !message.reject) return true;
  core.logger?.log(
    'info',
    () =>
      `${hex(core.id)} [term: ${core.term}] received a ${messageKindName(kind)} message with higher term from ${hex(from)} [term: ${message.term}]`,
  );
  const isLeader = kind === MessageKind.app || kind === MessageKind.heartbeat || kind === MessageKind.snap;
  becomeFollower(core, message.term, isLeader ? from : 0);
  return true;
}

/** The plain election timeout counts here, not the randomized one: it is what leaders may rely on. */
function inLease(core: Core): boolean {
  // Where reads rest on it, this outlives that the leader is known.
  if (core.reads.lease.promisedTicks > 0) return true;
  return core.config.checkQuorum && core.leaderId !== 0 && core.electionElapsed < core.config.electionTicks;
}

function answerLowerTerm(core: Core, message: Message): void {
  const { kind, from } = message;
  if (
    (core.config.checkQuorum || core.config.preVote) &&
    (kind === MessageKind.heartbeat || kind === MessageKind.app)
  ) {
    // Usually silence is right: the sender will learn of our term when we campaign. Not so here:
    //
    // 1. This node was cut off, campaigned (without pre-vote, or before it was switched on) and is at a
    //    higher term than the leader. Now it is back.
    // 2. The others hold the leader's lease and ignore its requests, so the leader never hears its term.
    // 3. It ignores the leader's messages, because their term is lower: it is stuck for ever.
    //
    // An answer with our term makes the leader step down, and the next election settles it.
    core.send(draft(MessageKind.appResp, from));
    return;
  }
  if (kind === MessageKind.preVote) {
    // Before pre-vote was switched on everywhere, somebody may have got a higher term with a shorter log. Two
    // such groups would ignore each other's pre-votes; the refusal carries our term to the candidate.
    core.logger?.log('info', () => {
      const { lastTerm, lastIndex } = core.log;
      return `${hex(core.id)} [logterm: ${lastTerm}, index: ${lastIndex}, vote: ${hex(core.vote)}] rejected ${messageKindName(kind)} from ${hex(from)} [logterm: ${message.logTerm}, index: ${message.index}] at term ${core.term}`;
    });
    const refusal = draft(MessageKind.preVoteResp, from);
    refusal.term = core.term;
    refusal.reject = true;
    core.send(refusal);
    return;
  }
  if (kind === MessageKind.storageAppendResp) {
    // A write that began in an earlier term. Its entries may have been overwritten since, even twice, so that
    // index and entry term look right again while the last write is still under way:
    //
    // 1. Term 1: entry (5, term 1) is handed out for writing.
    // 2. Term 2: it is replaced by (5, term 2), handed out too.
    // 3. Term 3: the new leader brings (5, term 1) back, and it waits for its write.
    // 4. The notice of 1 arrives. (5, term 1) fits, yet storage is about to write (5, term 2) over it.
    if (message.index !== 0) {
      core.logger?.log(
        'info',
        () =>
          `${hex(core.id)} [term: ${core.term}] ignored entry appends from a ${messageKindName(kind)} message with lower term [term: ${message.term}]`,
      );
    }
    // A snapshot is committed, nobody replaces it: its notice counts in every term.
    if (message.snapshot !== undefined) snapshotApplied(core, message.snapshot.index);
    return;
  }
  core.logger?.log(
    'info',
    () =>
      `${hex(core.id)} [term: ${core.term}] ignored a ${messageKindName(kind)} message with lower term from ${hex(from)} [term: ${message.term}]`,
  );
}

function handleHup(core: Core): StepResult {
  campaignIfAllowed(core, core.config.preVote ? 'pre-election' : 'election');
  return 'ok';
}

function handleStorageAppended(core: Core, message: Message): StepResult {
  if (message.index !== 0) core.log.unstable.stableTo(message.index, message.logTerm);
  if (message.snapshot !== undefined) snapshotApplied(core, message.snapshot.index);
  return 'ok';
}

function handleStorageApplied(core: Core, message: Message): StepResult {
  const { entries } = message;
  const last = entries[entries.length - 1];
  if (last === undefined) return 'ok';
  appliedTo(core, last.index, entriesBytes(entries));
  returnQuota(core, entries);
  return 'ok';
}

function ignoreTimeoutNow(core: Core, message: Message): StepResult {
  core.logger?.log(
    'debug',
    () =>
      `${hex(core.id)} [term ${core.term} state ${describeRole(core.role)}] ignored MsgTimeoutNow from ${hex(message.from)}`,
  );
  return 'ok';
}
