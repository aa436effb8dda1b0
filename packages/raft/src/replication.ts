import { assert, EMPTY_BYTES, type Entry, EntryKind, type Message, MessageKind } from '@flotilla/base';
import type { Core } from './core.ts';
import { describeProgress, hex, viewProgress } from './describe.ts';
import { NO_ENTRIES } from './log.ts';
import { isMember } from './membership.ts';
import { draft } from './messages.ts';
import type { Progress } from './progress.ts';
import { encodeRound } from './read-only.ts';
import { payloadBytes } from './storage.ts';

/** The leader's side of log replication (paper 5.3). */

/**
 * Puts entries of one kind at the end of the leader's log. The leader's own acknowledgement takes the same road
 * as those of others: it is queued behind the write, and counts for the commit when that is durable. False if
 * the limit of uncommitted bytes stands against it; one proposal always fits, and empty ones do not count.
 */
export function appendOwn(core: Core, kind: EntryKind, data: readonly Uint8Array[]): boolean {
  let bytes = 0;
  for (const one of data) bytes += one.length;
  const held = core.uncommittedBytes;
  if (held > 0 && bytes > 0 && held + bytes > core.config.uncommittedBytesMax) {
    core.logger?.log(
      'warn',
      () =>
        `${hex(core.id)} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`,
    );
    return false;
  }
  core.uncommittedBytes = held + bytes;
  const { term } = core;
  let index = core.log.lastIndex;
  const entries: Entry[] = [];
  for (const one of data) entries.push({ index: ++index, term, kind, data: one });
  core.log.append(entries);
  const ack = draft(MessageKind.appResp, core.id);
  ack.index = index;
  core.send(ack);
  return true;
}

/** Applied entries make room for proposals, except those from before this leadership, which took none. */
export function returnQuota(core: Core, applied: readonly Entry[]): void {
  let bytes = 0;
  for (const { index, data } of applied) if (index >= core.termFirstIndex) bytes += data.length;
  core.uncommittedBytes = Math.max(0, core.uncommittedBytes - bytes);
}

const EMPTY_DATA: readonly Uint8Array[] = [EMPTY_BYTES];

/** An entry that does nothing: the first one of a term, and the one in place of a refused change. */
export function appendEmpty(core: Core): void {
  const appended = appendOwn(core, EntryKind.normal, EMPTY_DATA);
  assert(appended, 'an empty entry passes every limit');
}

export function broadcastAppend(core: Core): void {
  for (const progress of core.tracker.members) {
    if (progress.id !== core.id) sendAppend(core, progress, true);
  }
}

/** Sends whatever members have not been sent yet; nothing to those who have all. */
export function broadcastMissing(core: Core): void {
  for (const progress of core.tracker.members) {
    if (progress.id !== core.id) sendAppend(core, progress, false);
  }
}

/**
 * Sends one append message, or a snapshot where the entries are gone. False if nothing was sent: the member
 * is paused, or has everything and an empty message (which tells the commit index) was not asked for.
 */
export function sendAppend(core: Core, progress: Progress, evenIfEmpty: boolean): boolean {
  if (progress.paused) return false;
  const { log } = core;
  const previous = progress.next - 1;
  const previousTerm = log.term(previous);
  if (previousTerm === undefined) return sendSnapshot(core, progress);
  let entries: readonly Entry[] = NO_ENTRIES;
  // With a full window only empty messages go: they find out whether what is in flight was lost.
  if (progress.state !== 'replicate' || !progress.inflights.full) {
    const found = log.entriesFrom(progress.next, core.config.messageBytesMax);
    if (found === undefined) return sendSnapshot(core, progress);
    entries = found;
  }
  if (entries.length === 0 && !evenIfEmpty) return false;
  const message = draft(MessageKind.app, progress.id);
  message.index = previous;
  message.logTerm = previousTerm;
  message.entries = entries;
  message.commit = log.committed;
  core.send(message);
  progress.noteSent(entries.length, payloadBytes(entries));
  progress.sentCommit = log.committed;
  return true;
}

function sendSnapshot(core: Core, progress: Progress): boolean {
  const { log } = core;
  if (!progress.recentActive) {
    // Snapshots are dear, and a member that does not answer heartbeats will not take one either.
    core.logger?.log(
      'debug',
      () => `ignore sending snapshot to ${hex(progress.id)} since it is not recently active`,
    );
    return false;
  }
  const snapshot = log.unstable.snapshot ?? log.storage.snapshot();
  // A snapshot from before the member was added does not name it; it would be refused, and the member be waited
  // for in vain. The next heartbeat's answer asks storage again.
  if (snapshot === undefined || snapshot.index === 0 || !isMember(snapshot.confState, progress.id)) {
    core.logger?.log(
      'debug',
      () =>
        `${hex(core.id)} failed to send snapshot to ${hex(progress.id)} because snapshot is temporarily unavailable`,
    );
    return false;
  }
  core.logger?.log(
    'debug',
    () =>
      `${hex(core.id)} [firstindex: ${log.firstIndex}, commit: ${log.committed}] sent snapshot[index: ${snapshot.index}, term: ${snapshot.term}] to ${hex(progress.id)} [${describeProgress(viewProgress(progress))}]`,
  );
  progress.becomeSnapshot(snapshot.index);
  core.logger?.log(
    'debug',
    () =>
      `${hex(core.id)} paused sending replication messages to ${hex(progress.id)} [${describeProgress(viewProgress(progress))}]`,
  );
  const message = draft(MessageKind.snap, progress.id);
  message.snapshot = snapshot;
  core.send(message);
  return true;
}

/** Heartbeats to all, with the newest round that reads wait for. A lease rests on rounds for which none waits, too. */
export function broadcastHeartbeat(core: Core): void {
  const { reads, config } = core;
  let round = reads.roundPending;
  if (config.readOnly === 'lease-based') {
    round = reads.openRound();
    reads.lease.sent(round, config.electionTicks);
  }
  const context = encodeRound(round);
  for (const progress of core.tracker.members) {
    if (progress.id === core.id) continue;
    const message = draft(MessageKind.heartbeat, progress.id);
    // Never beyond what is known to match there: the member takes this commit without looking at its log.
    message.commit = Math.min(progress.match, core.log.committed);
    message.context = context;
    core.send(message);
    progress.sentCommit = message.commit;
  }
}

/**
 * Commits what a majority has, if it ends in an entry of the own term (paper 5.4.2). The term matters; figure 8
 * of the paper in short, S1 to S5:
 *
 * 1. S1 leads term 2, and replicates entry 2 of term 2 to S2 only.
 * 2. S5 leads term 3 with votes of S3, S4, and takes another entry 2, of term 3.
 * 3. S1 leads term 4 and replicates its old entry 2 to S3. It is on a majority now.
 * 4. If it counted as committed, S5 could still win term 5 (its last term 3 beats 2) and overwrite it.
 */
export function maybeCommit(core: Core): boolean {
  return core.log.maybeCommit(core.tracker.quorumMatch(), core.term);
}

/** A refusal of an append: find out whether it is genuine, and probe further back. */
export function handleRejection(core: Core, progress: Progress, message: Message): void {
  const { from, index, rejectHint, logTerm } = message;
  core.logger?.log(
    'debug',
    () =>
      `${hex(core.id)} received MsgAppResp(rejected, hint: (index ${rejectHint}, term ${logTerm})) from ${hex(from)} for index ${index}`,
  );
  // The follower skipped all its entries above our term at that index; we skip ours above its term:
  //
  //   index     1 2 3 4 5 6 7 8 9
  //   leader    1 3 3 3 5 5 5 5 5      probe at 9 (term 5): the follower hints (6, term 2),
  //   follower  1 1 1 1 2 2            and the next probe goes to 1, not to 6.
  let hint = rejectHint;
  if (logTerm > 0) hint = core.log.findConflictByTerm(Math.min(hint, core.log.lastIndex), logTerm).index;
  if (!progress.retreat(index, hint)) return;
  core.logger?.log(
    'debug',
    () =>
      `${hex(core.id)} decreased progress of ${hex(from)} to [${describeProgress(viewProgress(progress))}]`,
  );
  if (progress.state === 'replicate') progress.becomeProbe();
  sendAppend(core, progress, true);
}

/** An accepting answer that brought news: change how we send to that member. */
export function resumeAfterAck(core: Core, progress: Progress): void {
  if (progress.state === 'probe') {
    progress.becomeReplicate();
  } else if (progress.state === 'replicate') {
    progress.inflights.freeUpTo(progress.match);
  } else if (progress.match + 1 >= core.log.firstIndex) {
    // Whether it was our snapshot or another way that brought it here does not matter: the log reaches on
    // from what it has. So the index of the snapshot under way is not compared.
    core.logger?.log(
      'debug',
      () =>
        `${hex(core.id)} recovered from needing snapshot, resumed sending replication messages to ${hex(progress.id)} [${describeProgress(viewProgress(progress))}]`,
    );
    progress.becomeProbe();
    progress.becomeReplicate();
  }
}
