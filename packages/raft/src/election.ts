import { assert, EMPTY_BYTES, EntryKind, type Message, MessageKind, Reader, Writer } from '@flotilla/base';
import type { Core } from './core.ts';
import { hex } from './describe.ts';
import { CAMPAIGN_TRANSFER, draft, messageKindName } from './messages.ts';
import { broadcastAppend } from './replication.ts';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts';
import type { StepResult } from './step-result.ts';

/** Elections (paper 5.2, 5.4; pre-vote: thesis 9.6). */

export type Campaign = 'pre-election' | 'election' | 'transfer';

/** Bytes of entries looked at in one go when searching for unapplied changes of membership. */
const SCAN_BYTES = 1 << 20;

/** Starts an election, unless this node should not. */
export function campaignIfAllowed(core: Core, campaign: Campaign): void {
  if (core.role === 'leader') {
    core.logger?.log('debug', () => `${hex(core.id)} ignoring MsgHup because already leader`);
    return;
  }
  if (!core.promotable) {
    core.logger?.log('warn', () => `${hex(core.id)} is unpromotable and can not campaign`);
    return;
  }
  if (hasUnappliedConfChange(core)) {
    core.logger?.log(
      'warn',
      () =>
        `${hex(core.id)} cannot campaign at term ${core.term} since there are still pending configuration changes to apply`,
    );
    return;
  }
  core.logger?.log('info', () => `${hex(core.id)} is starting a new election at term ${core.term}`);
  runCampaign(core, campaign);
}

/**
 * Configurations take effect as they are applied, not as they are appended. Without this rule:
 *
 * 1. {1,2,3} adds 4 and then 5, one simple change after the other; both commit, node 3 has applied neither.
 * 2. Nodes 1, 4 and 5 form a majority of {1..5}; 2 and 3 one of {1,2,3}, which 3 still believes in.
 * 3. 3 campaigns with the vote of 2, while 1 leads with 4 and 5: two leaders that know nothing of each other.
 *
 * What is committed is enough to look at: as long as at most one change is under way, majorities of
 * neighbouring configurations overlap.
 */
function hasUnappliedConfChange(core: Core): boolean {
  const { log } = core;
  let next = log.applied + 1;
  while (next <= log.committed) {
    const entries = log.slice(next, log.committed + 1, SCAN_BYTES);
    assert(entries !== undefined, 'entries are kept until they are applied');
    for (const entry of entries) if (entry.kind !== EntryKind.normal) return true;
    next += entries.length;
  }
  return false;
}

function runCampaign(core: Core, campaign: Campaign): void {
  const pre = campaign === 'pre-election';
  if (pre) becomePreCandidate(core);
  else becomeCandidate(core);
  const kind = pre ? MessageKind.preVote : MessageKind.vote;
  // A pre-vote asks about the next term without entering it.
  const term = pre ? core.term + 1 : core.term;
  const { lastIndex, lastTerm } = core.log;
  for (const id of core.tracker.voters) {
    if (id === core.id) {
      // The own vote counts when it is durable, like everybody else's: a candidate that crashed after
      // counting a vote that it does not remember could vote again in that term.
      const own = draft(responseKind(kind), id);
      own.term = term;
      core.send(own);
      continue;
    }
    core.logger?.log(
      'info',
      () =>
        `${hex(core.id)} [logterm: ${lastTerm}, index: ${lastIndex}] sent ${messageKindName(kind)} request to ${hex(id)} at term ${core.term}`,
    );
    const request = draft(kind, id);
    request.term = term;
    request.index = lastIndex;
    request.logTerm = lastTerm;
    request.context = campaign === 'transfer' ? CAMPAIGN_TRANSFER : EMPTY_BYTES;
    core.send(request);
  }
}

function responseKind(kind: MessageKind): MessageKind {
  return kind === MessageKind.preVote ? MessageKind.preVoteResp : MessageKind.voteResp;
}

/**
 * Answers a request for a vote or a pre-vote, in any role. Neither needs the candidate or this node to be a
 * voter in *our* configuration: ours may be older than theirs. A learner that was promoted by a change that it
 * has not applied yet would otherwise hold up the very election that could tell it.
 */
export function handleVoteRequest(core: Core, message: Message): StepResult {
  const { kind, from, index, logTerm } = message;
  const mayVote =
    // A repeated request gets the same answer.
    core.vote === from ||
    // Not voted, and nobody leads this term: a known leader has a majority, and the vote could only harm.
    (core.vote === 0 && core.leaderId === 0) ||
    // A pre-vote promises nothing.
    (kind === MessageKind.preVote && message.term > core.term);
  const granted = mayVote && core.log.isUpToDate(index, logTerm);
  core.logger?.log('info', () => {
    const { lastTerm, lastIndex } = core.log;
    const verb = granted ? 'cast' : 'rejected';
    const name = messageKindName(kind);
    return `${hex(core.id)} [logterm: ${lastTerm}, index: ${lastIndex}, vote: ${hex(core.vote)}] ${verb} ${name} ${granted ? 'for' : 'from'} ${hex(from)} [logterm: ${logTerm}, index: ${index}] at term ${core.term}`;
  });
  const answer = draft(responseKind(kind), from);
  if (granted) {
    // The term of the request, not ours: a pre-candidate asks about a term that neither side has entered.
    answer.term = message.term;
    answer.context = encodePosition(index, logTerm);
    core.send(answer);
    if (kind === MessageKind.vote) {
      core.electionElapsed = 0;
      core.vote = from;
    }
  } else {
    answer.term = core.term;
    answer.reject = true;
    answer.context = encodePosition(core.log.committed, core.log.term(core.log.committed) ?? 0);
    core.send(answer);
  }
  return 'ok';
}

/**
 * A refusal tells how far the refusing node knows the log to be committed. Without it a change that removes
 * nodes can stop the group for good:
 *
 * 1. Nodes 2 and 1 are voters, 2 leads. It removes itself (or 2 and 3 of {1, 2, 3} leave together): the change
 *    is committed, and applied by 2, but 1 does not hear of the commit.
 * 2. 2 crashes, with uncommitted entries behind the change. It is no voter any more and never campaigns again.
 * 3. 1 is the only voter and has every committed entry. In the configuration that it knows it needs the vote
 *    of 2, whose log is longer: refused, for ever.
 *
 * With the commit index in the refusal, 1 applies the change and elects itself. Believing it is safe: whatever
 * is committed at (index, term) is committed in every log that has an entry of that term there.
 *
 * What is learned may be a change that this node has not applied. The election under way goes on all the same: the
 * change is one step ahead of the configuration that it is held in. A second one cannot be in this log, because it
 * would have told that the first one is committed before the election began.
 */
function learnCommit(core: Core, context: Uint8Array): void {
  const position = decodePosition(context);
  if (position !== undefined) core.log.maybeCommit(position.index, position.term);
}

/**
 * A vote tells for which log it was given: the one whose last entry the request named. Requests leave before what
 * they say is durable, so a crash may leave the candidate with a shorter log and without the term, and it may
 * campaign in the same term again:
 *
 * 1. 1 leads term 1; entry 5 is durable on 1 and 3, so committed, and on its way to the disk of 2.
 * 2. 2 campaigns in term 2 with entry 5 at the end of its log. 3 votes for it; its answer is slow.
 * 3. 2 loses power, and with it entry 5 and term 2. It comes back, and campaigns in term 2 with entry 4 at the end.
 * 4. The answer of step 2 arrives. If it counted, 2 would lead without entry 5, and overwrite it.
 */
function isForAnotherLog(core: Core, context: Uint8Array): boolean {
  const position = decodePosition(context);
  if (position === undefined) return false;
  return position.index !== core.log.lastIndex || position.term !== core.log.lastTerm;
}

const POSITION_BYTES = 16;

/** A place in a log, as the context of an answer. */
function encodePosition(index: number, term: number): Uint8Array {
  const out = new Writer(POSITION_BYTES);
  out.u53(index);
  out.u53(term);
  return out.take();
}

/** Undefined for what is no place in a log: then nothing was told. */
function decodePosition(context: Uint8Array): { readonly index: number; readonly term: number } | undefined {
  if (context.length !== POSITION_BYTES) return undefined;
  try {
    const from = new Reader(context);
    return { index: from.u53(), term: from.u53() };
  } catch {
    return undefined;
  }
}

/**
 * A vote for the election under way. Answers of the other kind are late ones of an earlier stage.
 *
 * Nobody leads a term that its own disk does not know, also if the votes of others suffice:
 *
 * 1. 3 campaigns in term 2; 1 and 2 vote for it before its own write is durable. It leads, and sends entry
 *    (5, term 2) to 1, which makes it durable.
 * 2. 3 loses power, and with it term, vote and entry. It comes back in term 1 and campaigns in term 2 again.
 * 3. 2 gave it its vote of that term and gives it again: 3 leads term 2 once more, with another (5, term 2).
 * 4. 1 takes its own entry for that one, because index and term are equal. Two logs differ for ever.
 */
export function handleVoteResponse(core: Core, message: Message): StepResult {
  const { kind, from, reject } = message;
  const expected = core.role === 'pre-candidate' ? MessageKind.preVoteResp : MessageKind.voteResp;
  if (kind !== expected) return 'ok';
  if (reject) learnCommit(core, message.context);
  else if (isForAnotherLog(core, message.context)) return 'ok';
  const name = messageKindName(kind);
  core.logger?.log(
    'info',
    () =>
      `${hex(core.id)} received ${name}${reject ? ' rejection' : ''} from ${hex(from)} at term ${core.term}`,
  );
  core.tracker.recordVote(from, !reject);
  core.logger?.log('info', () => {
    const { granted, rejected } = core.tracker.countVotes();
    return `${hex(core.id)} has received ${granted} ${name} votes and ${rejected} vote rejections`;
  });
  const result = core.tracker.voteResult();
  if (result === 'won') {
    if (core.role === 'pre-candidate') {
      runCampaign(core, 'election');
    } else if (core.tracker.hasAnswered(core.id)) {
      becomeLeader(core);
      broadcastAppend(core);
    }
  } else if (result === 'lost') {
    // Same term: a refusal of a pre-vote carries the term of whoever refused, and was handled before.
    becomeFollower(core, core.term, 0);
  }
  return 'ok';
}
