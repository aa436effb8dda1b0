import { type Message, MessageKind, type RaftId } from '@flotilla/base';
import type { Core } from './core.ts';
import { describeProgress, hex, viewProgress } from './describe.ts';
import { draft } from './messages.ts';
import type { Progress } from './progress.ts';
import { decodeRound } from './read-only.ts';
import { releaseConfirmedReads, startWaitingReads } from './reads.ts';
import { leaveJointIfDue } from './reconfigure.ts';
import {
  broadcastAppend,
  broadcastHeartbeat,
  handleRejection,
  maybeCommit,
  resumeAfterAck,
  sendAppend,
} from './replication.ts';
import { becomeFollower } from './roles.ts';
import type { StepResult } from './step-result.ts';

/** What a leader does with answers and reports about its members, and the transfer of leadership. */

function memberOf(core: Core, id: RaftId): Progress | undefined {
  const progress = core.tracker.get(id);
  if (progress === undefined) {
    core.logger?.log('debug', () => `${hex(core.id)} no progress available for ${hex(id)}`);
  }
  return progress;
}

export function handleAppendResponse(core: Core, message: Message): StepResult {
  const progress = memberOf(core, message.from);
  if (progress === undefined) return 'ok';
  if (!message.reject && message.index > core.log.lastIndex) {
    core.logger?.log(
      'error',
      () =>
        `${hex(core.id)} leads term ${core.term} with a log up to ${core.log.lastIndex}, but ${hex(message.from)} acknowledged ${message.index}`,
    );
    return 'inconsistent';
  }
  progress.recentActive = true;
  if (message.reject) handleRejection(core, progress, message);
  else handleAck(core, progress, message.index);
  return 'ok';
}

function handleAck(core: Core, progress: Progress, index: number): void {
  // A probe that is answered with what we knew has still told us that the logs agree there.
  const agreed = progress.match === index && progress.state === 'probe';
  if (!progress.advance(index) && !agreed) return;
  const isSelf = progress.id === core.id;
  resumeAfterAck(core, progress);
  if (maybeCommit(core)) {
    startWaitingReads(core);
    broadcastAppend(core);
  } else if (!isSelf && progress.wantsCommit(core.log.committed)) {
    // It has entries of whose commit no message has told it, and there may be none for a while.
    sendAppend(core, progress, true);
  }
  if (isSelf) return;
  // There is room again. Each message takes what fits, so one answer may release several.
  while (sendAppend(core, progress, false)) {
    // Sent one; try the next.
  }
  if (progress.id === core.transferee && progress.match === core.log.lastIndex) {
    core.logger?.log(
      'info',
      () => `${hex(core.id)} sent MsgTimeoutNow to ${hex(progress.id)} after received MsgAppResp`,
    );
    core.send(draft(MessageKind.timeoutNow, progress.id));
  }
}

export function handleHeartbeatResponse(core: Core, message: Message): StepResult {
  const progress = memberOf(core, message.from);
  if (progress === undefined) return 'ok';
  progress.recentActive = true;
  // It is alive, so what was sent before is answered or lost. One more message finds out.
  progress.flowPaused = false;
  if (progress.match < core.log.lastIndex || progress.state === 'probe') sendAppend(core, progress, true);
  const round = decodeRound(message.context);
  if (round > 0) {
    core.reads.acknowledge(message.from, round);
    releaseConfirmedReads(core);
  }
  return 'ok';
}

export function handleBeat(core: Core): StepResult {
  broadcastHeartbeat(core);
  return 'ok';
}

/** Once per election timeout: has a majority answered since the last time? (thesis 6.2) */
export function handleCheckQuorum(core: Core): StepResult {
  if (!core.tracker.quorumActive()) {
    core.logger?.log('warn', () => `${hex(core.id)} stepped down to follower since quorum is not active`);
    becomeFollower(core, core.term, 0);
  }
  for (const progress of core.tracker.members) {
    if (progress.id !== core.id) progress.recentActive = false;
  }
  return 'ok';
}

/** The host could not deliver to a member: what is in flight is lost, most likely. */
export function handleUnreachable(core: Core, message: Message): StepResult {
  const progress = memberOf(core, message.from);
  if (progress === undefined) return 'ok';
  if (progress.state === 'replicate') progress.becomeProbe();
  core.logger?.log(
    'debug',
    () =>
      `${hex(core.id)} failed to send message to ${hex(message.from)} because it is unreachable [${describeProgress(viewProgress(progress))}]`,
  );
  return 'ok';
}

/** The host reports how the sending of a snapshot ended (`reject`: badly). */
export function handleSnapshotStatus(core: Core, message: Message): StepResult {
  const progress = memberOf(core, message.from);
  if (progress === undefined || progress.state !== 'snapshot') return 'ok';
  // After a failure probing goes back to what is known to match, not to behind the snapshot.
  if (message.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  const verb = message.reject ? 'failed' : 'succeeded';
  core.logger?.log(
    'debug',
    () =>
      `${hex(core.id)} snapshot ${verb}, resumed sending replication messages to ${hex(message.from)} [${describeProgress(viewProgress(progress))}]`,
  );
  // Sent it is, installed it may not be. Wait for its acknowledgement, or for the next heartbeat's answer.
  progress.flowPaused = true;
  return 'ok';
}

/** Hands leadership to the member `from` as soon as that has the whole log (thesis 3.10). */
export function handleTransfer(core: Core, message: Message): StepResult {
  const target = message.from;
  const progress = memberOf(core, target);
  if (progress === undefined) return 'ok';
  const me = hex(core.id);
  const term = core.term;
  if (progress.isLearner) {
    core.logger?.log('debug', () => `${me} is learner. Ignored transferring leadership`);
    return 'ok';
  }
  const previous = core.transferee;
  if (previous !== 0) {
    if (previous === target) {
      core.logger?.log(
        'info',
        () =>
          `${me} [term ${term}] transfer leadership to ${hex(target)} is in progress, ignores request to same node ${hex(target)}`,
      );
      return 'ok';
    }
    core.transferee = 0;
    core.logger?.log(
      'info',
      () => `${me} [term ${term}] abort previous transferring leadership to ${hex(previous)}`,
    );
  }
  if (target === core.id) {
    core.logger?.log('debug', () => `${me} is already leader. Ignored transferring leadership to self`);
    // If that called a transfer off, what was refused for its sake is due.
    leaveJointIfDue(core);
    return 'ok';
  }
  core.logger?.log('info', () => `${me} [term ${term}] starts to transfer leadership to ${hex(target)}`);
  // The transfer has one election timeout; then the leader goes on by itself.
  core.electionElapsed = 0;
  core.transferee = target;
  if (progress.match === core.log.lastIndex) {
    core.send(draft(MessageKind.timeoutNow, target));
    core.logger?.log(
      'info',
      () =>
        `${me} sends MsgTimeoutNow to ${hex(target)} immediately as ${hex(target)} already has up-to-date log`,
    );
  } else {
    sendAppend(core, progress, true);
  }
  return 'ok';
}

/** Somebody else sends as the leader of the term that this node leads. */
export function handleSecondLeader(core: Core, message: Message): StepResult {
  core.logger?.log(
    'error',
    () => `${hex(core.id)} leads term ${core.term}, and so does ${hex(message.from)}: a vote was given twice`,
  );
  return 'inconsistent';
}
