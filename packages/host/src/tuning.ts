import { assert } from '@flotilla/base';

/** Soft values of the host: safe to change at any start. Times in ms. */
export interface HostTuning {
  /** One tick of every awake group, and one heartbeat frame per pair of stores. */
  readonly heartbeatMs: number;
  /** Silence after which a follower campaigns: a random time in [electionMs, 2 × electionMs). */
  readonly electionMs: number;
  /** Least time between two appends without entries to one follower of a group. */
  readonly noticeMs: number;
  /** How long a follower that heard its leader refuses everybody else. */
  readonly promiseMs: number;
  /** How old the newest answered round may be for a read without a round of its own. */
  readonly leaseMs: number;
  /** False where a machine's monotonic clock may stand still: each read then confirms leadership. */
  readonly leaseEnabled: boolean;
  /** A pause of the loop beyond this ends every lease until a later round is answered; one a tick shorter may, too. */
  readonly stallMs: number;
  /** A step of the wall clock against the monotonic one beyond this does the same. */
  readonly clockStepMs: number;
  /** After a lost connection voters pre-campaign one after the other, this far apart. */
  readonly failoverRankMs: number;
  readonly failoverJitterMs: number;
  /** How long after a commit of at least so many bytes of entries the next one waits for more work. */
  readonly gatherMs: number;
  readonly gatherBytesMin: number;
  /** A log commit that takes longer hands leadership away … */
  readonly commitSlowMs: number;
  /** … and one that takes longer than this ends the process. */
  readonly commitStuckMs: number;
  /** A ReadIndex round that nobody answered is asked again after this. */
  readonly readRetryMs: number;

  readonly commitBytesMax: number;
  readonly commitWritesMax: number;
  readonly applyBytesPerTurn: number;
  /** Applied entries whose state is not durable yet, all groups together. */
  readonly stateBytesPendingMax: number;
  readonly groupUncommittedBytesMax: number;
  readonly storeUncommittedBytesMax: number;
  /** Committed entries that wait for apply before proposals are refused. */
  readonly applyLagMax: number;
  readonly messageBytesMax: number;
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Log kept behind the applied index for slow followers. */
  readonly logKeepBytes: number;
  readonly inboxBytesMax: number;
  /** Free disk bytes below which new replicas and snapshots are refused … */
  readonly diskLowBytes: number;
  /** … and below which writes are refused; reads, deletes and moves away go on. */
  readonly diskFullBytes: number;
  readonly snapshotsInMax: number;
  readonly snapshotsOutMax: number;
  /** Chunks under way and not acknowledged. */
  readonly snapshotWindow: number;
  /** A stream whose other end says nothing for so long is given up. */
  readonly snapshotSilenceMs: number;
}

export const hostTuning: HostTuning = {
  heartbeatMs: 50,
  electionMs: 1_000,
  noticeMs: 25,
  promiseMs: 150,
  leaseMs: 135,
  leaseEnabled: true,
  stallMs: 100,
  clockStepMs: 50,
  failoverRankMs: 10,
  failoverJitterMs: 2,
  gatherMs: 1,
  gatherBytesMin: 1_024,
  commitSlowMs: 3_000,
  commitStuckMs: 20_000,
  readRetryMs: 250,
  commitBytesMax: 4_194_304,
  commitWritesMax: 2_000,
  applyBytesPerTurn: 262_144,
  stateBytesPendingMax: 67_108_864,
  groupUncommittedBytesMax: 67_108_864,
  storeUncommittedBytesMax: 268_435_456,
  applyLagMax: 5_000,
  messageBytesMax: 1_048_576,
  inflightMessagesMax: 256,
  inflightBytesMax: 16_777_216,
  logKeepBytes: 16_777_216,
  inboxBytesMax: 67_108_864,
  diskLowBytes: 536_870_912,
  diskFullBytes: 268_435_456,
  snapshotsInMax: 2,
  snapshotsOutMax: 2,
  snapshotWindow: 4,
  snapshotSilenceMs: 30_000,
};

/** For links with tens of milliseconds: all times of elections and leases five times as long. */
export const wanTuning: HostTuning = {
  ...hostTuning,
  heartbeatMs: 250,
  electionMs: 5_000,
  promiseMs: 750,
  leaseMs: 675,
  stallMs: 500,
};

export function checkTuning(tuning: HostTuning): void {
  // Clock rates may differ by 11 %: a lease must end before the promise that it rests on, on any clock.
  assert(tuning.leaseMs * 1.11 <= tuning.promiseMs, 'a lease must be shorter than the promise');
  assert(tuning.heartbeatMs * 2 < tuning.leaseMs, 'a lease must outlive a lost heartbeat');
  assert(tuning.heartbeatMs * 2 <= tuning.stallMs, 'a tick that comes a little late is no stall');
  assert(tuning.electionMs >= 4 * tuning.promiseMs, 'an election timeout must outlast promises by far');
  assert(tuning.electionMs % tuning.heartbeatMs === 0, 'an election timeout is a whole number of ticks');
  assert(tuning.commitSlowMs < tuning.commitStuckMs, 'slow comes before stuck');
}
