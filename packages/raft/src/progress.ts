import { assert, type RaftId } from '@flotilla/base';
import { Inflights } from './inflights.ts';

/**
 * What a leader knows about one member, and how it sends to it:
 *
 * - `probe`: the leader does not know where the logs agree. One message with entries at a time, until an answer.
 * - `replicate`: they agree up to `match`. Entries are sent ahead (`next` moves with the sending, not with the
 *   answers), as far as the in-flight window allows.
 * - `snapshot`: the entries it needs are compacted. A snapshot is under way and nothing else is sent.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

export class Progress {
  readonly id: RaftId;
  /** Learners get entries but count for no majority. */
  isLearner: boolean;
  state: ProgressState = 'probe';
  /** The highest index known to be durable there and equal to ours. */
  match: number;
  /** The next index to send. Always above `match`. */
  next: number;
  /** Probe: an answer is awaited. Replicate: the window was full at the last sending. */
  flowPaused = false;
  /** Index of the snapshot under way; 0 unless in state `snapshot`. */
  pendingSnapshot = 0;
  /** Heard from since the last check of the quorum. */
  recentActive: boolean;
  /** The highest commit index that a message told it, as far as we know. Avoids repeating what it knows. */
  sentCommit = 0;
  readonly inflights: Inflights;

  constructor(
    id: RaftId,
    isLearner: boolean,
    match: number,
    next: number,
    recentActive: boolean,
    countMax: number,
    bytesMax: number,
  ) {
    assert(next > match, 'the next index to send lies above the matched one');
    this.id = id;
    this.isLearner = isLearner;
    this.match = match;
    this.next = next;
    this.recentActive = recentActive;
    this.inflights = new Inflights(countMax, bytesMax);
  }

  /** True while nothing may be sent. In `replicate` a full window still lets empty messages through later. */
  get paused(): boolean {
    return this.state === 'snapshot' || this.flowPaused;
  }

  becomeProbe(): void {
    // A snapshot that was sent, or may have arrived, is not worth sending entries for again.
    const after = this.state === 'snapshot' ? Math.max(this.match, this.pendingSnapshot) : this.match;
    this.#enter('probe');
    this.next = after + 1;
    this.#forgetCommitAfterNext();
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter('snapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Books a sent append message with `count` entries of `bytes` payload. */
  noteSent(count: number, bytes: number): void {
    if (this.state === 'replicate') {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      // After an empty message too: with a full window one empty message is sent per heartbeat answer, which
      // is enough to notice that everything in flight was lost, and no more than that.
      this.flowPaused = this.inflights.full;
    } else if (this.state === 'probe') {
      // An empty probe does not pause: it costs little, and its answer may be the one that never comes.
      if (count > 0) this.flowPaused = true;
    } else {
      assert(false, 'nothing is appended to a member that waits for a snapshot');
    }
  }

  /** True if telling it `commit` lets it commit more: it was told less, and it was sent entries beyond that. */
  wantsCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** An acknowledgement up to `index`. False if it brings nothing new. */
  advance(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    if (this.next <= index) this.next = index + 1;
    this.flowPaused = false;
    return true;
  }

  /**
   * A rejection of the append that followed `rejected`, with a hint where the logs may agree. Messages are
   * reordered and repeated, so most of the care goes into telling a genuine rejection from a late one:
   *
   * 1. Replicating, `rejected` ≤ match: we know since then that the logs agree there. Late; ignored.
   * 2. Probing or in snapshot, `rejected` ≠ next-1: an answer to a probe that we no longer care about. Acting on
   *    it would move `next` back below what later answers have taught us. Ignored.
   */
  retreat(rejected: number, hint: number): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.#forgetCommitAfterNext();
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.#forgetCommitAfterNext();
    this.flowPaused = false;
    return true;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.flowPaused = false;
    this.pendingSnapshot = 0;
    this.inflights.reset();
  }

  /** Messages beyond `next` are taken as lost, and with them the commit index that they told. */
  #forgetCommitAfterNext(): void {
    if (this.sentCommit > this.next - 1) this.sentCommit = this.next - 1;
  }
}
