import { type Message, MessageKind } from '@flotilla/base';
import type { Core } from './core.ts';
import { hex } from './describe.ts';
import { campaignIfAllowed } from './election.ts';
import { isMember } from './membership.ts';
import { draft } from './messages.ts';
import { switchToSnapshot } from './reconfigure.ts';
import { becomeFollower } from './roles.ts';
import type { StepResult } from './step-result.ts';

/** What a follower does with the messages of its leader; candidates become followers of it first. */

/** A message of this term from its leader. There is one leader in a term, so a candidate has lost. */
function acceptLeader(core: Core, message: Message): void {
  if (core.role !== 'follower') becomeFollower(core, message.term, message.from);
  core.electionElapsed = 0;
  core.leaderId = message.from;
  if (core.config.readOnly === 'lease-based') core.reads.lease.promise(core.config.electionTicks);
}

export function handleAppend(core: Core, message: Message): StepResult {
  acceptLeader(core, message);
  const { log } = core;
  const { index: previous, logTerm, entries, from } = message;
  const answer = draft(MessageKind.appResp, from);
  if (previous < log.committed) {
    // A late message about a part that is settled. Tell how far it is settled.
    answer.index = log.committed;
    core.send(answer);
    return 'ok';
  }
  if (log.matches(previous, logTerm)) {
    const last = previous + entries.length;
    const conflict = log.findConflict(entries);
    if (conflict !== 0) log.append(entries.slice(conflict - previous - 1));
    // The log may go on behind `last`, with entries of which this message says nothing. They may be remains of
    // another leader: neither commit nor acknowledge them.
    log.commitTo(Math.min(message.commit, last));
    answer.index = last;
    core.send(answer);
    return 'ok';
  }
  core.logger?.log(
    'debug',
    () =>
      `${hex(core.id)} [logterm: ${log.term(previous) ?? 0}, index: ${previous}] rejected MsgApp [logterm: ${logTerm}, index: ${previous}] from ${hex(from)}`,
  );
  // The logs do not agree at `previous`. They cannot agree either at any index where our term is above the
  // leader's term there, because terms never fall along a log; so the hint skips those in one step.
  const hint = log.findConflictByTerm(Math.min(previous, log.lastIndex), logTerm);
  answer.index = previous;
  answer.reject = true;
  answer.rejectHint = hint.index;
  answer.logTerm = hint.term;
  core.send(answer);
  return 'ok';
}

export function handleHeartbeat(core: Core, message: Message): StepResult {
  if (message.commit > core.log.lastIndex) {
    // The leader clamps this to what we acknowledged, and only what is durable is acknowledged.
    core.logger?.log(
      'error',
      () =>
        `${hex(core.id)} was told commit ${message.commit} but its log ends at ${core.log.lastIndex}: it lost acknowledged entries`,
    );
    return 'inconsistent';
  }
  acceptLeader(core, message);
  core.log.commitTo(message.commit);
  const answer = draft(MessageKind.heartbeatResp, message.from);
  answer.context = message.context;
  core.send(answer);
  return 'ok';
}

export function handleSnapshot(core: Core, message: Message): StepResult {
  const { snapshot } = message;
  if (snapshot === undefined) return 'malformed';
  acceptLeader(core, message);
  const restored = restore(core, message);
  const { index, term } = snapshot;
  const verb = restored ? 'restored' : 'ignored';
  core.logger?.log(
    'info',
    () => `${hex(core.id)} [commit: ${core.log.committed}] ${verb} snapshot [index: ${index}, term: ${term}]`,
  );
  const answer = draft(MessageKind.appResp, message.from);
  answer.index = restored ? core.log.lastIndex : core.log.committed;
  core.send(answer);
  return 'ok';
}

/** True if the snapshot replaces our log. False if we are as far, or can get there with what we have. */
function restore(core: Core, message: Message): boolean {
  const { log } = core;
  const { snapshot } = message;
  if (snapshot === undefined || snapshot.index <= log.committed) return false;
  const { index, term, confState } = snapshot;
  if (!isMember(confState, core.id)) {
    // Restoring it would leave a node that knows that it is not in the group but goes on taking part.
    core.logger?.log(
      'warn',
      () =>
        `${hex(core.id)} attempted to restore snapshot but it is not in the ConfState; should never happen`,
    );
    return false;
  }
  if (log.matches(index, term)) {
    const { lastIndex, lastTerm } = log;
    core.logger?.log(
      'info',
      () =>
        `${hex(core.id)} [commit: ${log.committed}, lastindex: ${lastIndex}, lastterm: ${lastTerm}] fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`,
    );
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  switchToSnapshot(core, confState);
  core.logger?.log(
    'info',
    () =>
      `${hex(core.id)} [commit: ${log.committed}, lastindex: ${log.lastIndex}, lastterm: ${log.lastTerm}] restored snapshot [index: ${index}, term: ${term}]`,
  );
  return true;
}

/** The leader wants this node to take over, now: no pre-vote, and no lease stands against its requests. */
export function handleTimeoutNow(core: Core, message: Message): StepResult {
  core.logger?.log(
    'info',
    () =>
      `${hex(core.id)} [term ${core.term}] received MsgTimeoutNow from ${hex(message.from)} and starts an election to get leadership.`,
  );
  campaignIfAllowed(core, 'transfer');
  return 'ok';
}

/** A request to move leadership that was asked of a follower goes on to the leader. */
export function passOnTransfer(core: Core, message: Message): StepResult {
  if (core.leaderId === 0) {
    core.logger?.log(
      'info',
      () => `${hex(core.id)} no leader at term ${core.term}; dropping leader transfer msg`,
    );
    return 'ok';
  }
  const onward = draft(MessageKind.transferLeader, core.leaderId);
  onward.from = message.from;
  core.send(onward);
  return 'ok';
}

/**
 * The host knows that the leader is gone (a broken connection, say). Forgetting it frees this node to vote for
 * another within the term; the election timer goes on. With lease-based reads a leader relies on being
 * remembered for as long as the timer runs.
 */
export function handleForgetLeader(core: Core): StepResult {
  if (core.config.readOnly === 'lease-based') {
    core.logger?.log('error', () => 'ignoring MsgForgetLeader due to ReadOnlyLeaseBased');
    return 'ok';
  }
  if (core.leaderId !== 0) {
    const { leaderId, term } = core;
    core.logger?.log('info', () => `${hex(core.id)} forgetting leader ${hex(leaderId)} at term ${term}`);
    core.leaderId = 0;
  }
  return 'ok';
}
