import { type Message, MessageKind, type RaftId } from '@flotilla/base';
import type { Core } from './core.ts';
import { hex } from './describe.ts';
import { draft } from './messages.ts';
import { broadcastHeartbeat } from './replication.ts';
import type { StepResult } from './step-result.ts';

/** Linearizable reads without log entries (thesis 6.4). */

/** Requests that may wait at a leader. Beyond it they are dropped, and whoever asked asks again. */
const READS_WAITING_MAX = 65_536;

/** A read asked of this node, by itself or by another (`from`). False if it was dropped. */
export function requestRead(core: Core, from: RaftId, context: Uint8Array): boolean {
  if (core.role === 'leader') return readAsLeader(core, from, context);
  if (core.leaderId === 0) {
    core.logger?.log(
      'info',
      () => `${hex(core.id)} no leader at term ${core.term}; dropping index reading msg`,
    );
    return false;
  }
  const message = draft(MessageKind.readIndex, core.leaderId);
  message.from = from;
  message.context = context;
  core.send(message);
  return true;
}

export function handleReadRequest(core: Core, message: Message): StepResult {
  requestRead(core, message.from, message.context);
  return 'ok';
}

/** The leader's answer to a read that this node asked for. */
export function handleReadAnswer(core: Core, message: Message): StepResult {
  core.readStates.push({ index: message.index, context: message.context });
  return 'ok';
}

function readAsLeader(core: Core, from: RaftId, context: Uint8Array): boolean {
  if (core.waitingReads.length + core.reads.count >= READS_WAITING_MAX) return false;
  if (core.firstCommitOfTermDone) {
    startRead(core, from, context);
    return true;
  }
  // Until then the commit index may lie below what an earlier leader has answered clients for:
  //
  // 1. Leader A commits entry 7, answers its client, and crashes before anybody hears of the commit.
  // 2. B, which has entry 7, becomes leader; its own commit index is still 6.
  // 3. A read at 6 would not see what the client of 1 was told is written.
  core.waitingReads.push({ from, context });
  return true;
}

function startRead(core: Core, from: RaftId, context: Uint8Array): void {
  if (core.config.readOnly === 'lease-based') {
    if (holdsLease(core)) {
      answerRead(core, from, context, core.log.committed);
      return;
    }
    // Otherwise by a round, like any other read.
  }
  const round = core.reads.add(core.log.committed, from, context);
  core.reads.acknowledge(core.id, round);
  // A voter alone is its own majority. Whoever is no voter any more needs the others, however few they are.
  releaseConfirmedReads(core);
  if (core.reads.roundPending > 0) broadcastHeartbeat(core);
}

function holdsLease({ tracker, reads, id, config }: Core): boolean {
  const round = tracker.quorumOf((each) =>
    each === id ? Number.POSITIVE_INFINITY : reads.acknowledged(each),
  );
  return reads.lease.holds(round, config.electionTicks);
}

/** The first commit of the term, at the latest now: reads that waited for it begin. */
export function startWaitingReads(core: Core): void {
  if (core.waitingReads.length === 0 || !core.firstCommitOfTermDone) return;
  const waiting = core.waitingReads;
  core.waitingReads = [];
  for (const { from, context } of waiting) startRead(core, from, context);
}

/** Answers the reads whose round a quorum has acknowledged. */
export function releaseConfirmedReads(core: Core): void {
  const { reads } = core;
  if (reads.count === 0) return;
  const confirmed = core.tracker.quorumOf((id) => reads.acknowledged(id));
  for (const read of reads.release(confirmed)) answerRead(core, read.from, read.context, read.index);
}

function answerRead(core: Core, from: RaftId, context: Uint8Array, index: number): void {
  if (from === 0 || from === core.id) {
    core.readStates.push({ index, context });
    return;
  }
  const answer = draft(MessageKind.readIndexResp, from);
  answer.index = index;
  answer.context = context;
  core.send(answer);
}
