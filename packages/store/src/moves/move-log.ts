import type { LogFields, LogLevel, LogSink } from '@flotilla/ports';
import type { MoveMetrics } from './move-metrics.ts';
import type { MoveOrder } from './move-order.ts';

/** A rate is measured over this time. */
const WINDOW_MS = 1_000;

/**
 * What is told about one move while this store drives it: one log line per step, and figures. They begin anew
 * with each driver; what decides anything stands in the groups' logs.
 */
export class MoveLog {
  readonly order: MoveOrder;
  readonly beganAtMs: number;
  /** Why it does not go on; empty if it does. */
  problem = '';
  totalBytes = 0;
  pauseMs: number | undefined;
  restarts = 0;
  /** Digests that did not fit. */
  mismatches = 0;
  #taken = 0;
  #windowAtMs: number;
  #windowBytes = 0;
  #windowRate: number | undefined;
  readonly #sink: LogSink;
  readonly #metrics: MoveMetrics;

  constructor(order: MoveOrder, sink: LogSink, metrics: MoveMetrics, nowMs: number) {
    this.order = order;
    this.beganAtMs = nowMs;
    this.#windowAtMs = nowMs;
    this.#sink = sink;
    this.#metrics = metrics;
  }

  /** Bytes per second that the target takes in; 0 before the first. */
  rate(nowMs: number): number {
    const ageMs = nowMs - this.#windowAtMs;
    // Nothing for a while: the last window says nothing any more.
    if (ageMs > 3 * WINDOW_MS) return (this.#windowBytes * 1_000) / ageMs;
    return this.#windowRate ?? (this.#taken * 1_000) / Math.max(1, nowMs - this.beganAtMs);
  }

  begun(isResumed: boolean): void {
    this.#line('info', isResumed ? 'move-resumed' : 'move-begun', {});
  }

  /** A page or a delta was applied. */
  took(bytes: number, nowMs: number): void {
    this.#metrics.bytes.add(bytes);
    this.#taken += bytes;
    this.#windowBytes += bytes;
    const ageMs = nowMs - this.#windowAtMs;
    if (ageMs < WINDOW_MS) return;
    this.#windowRate = (this.#windowBytes * 1_000) / ageMs;
    this.#windowAtMs = nowMs;
    this.#windowBytes = 0;
  }

  copyComplete(nowMs: number): void {
    const bytesPerSecond = Math.round(this.rate(nowMs));
    this.#line('info', 'move-copy-complete', { bytes: this.#taken, ms: this.#ageMs(nowMs), bytesPerSecond });
  }

  frozen(revision: number): void {
    this.#line('info', 'move-frozen', { revision });
  }

  /** `freezeSentAtMs`: undefined if a driver before this one sent it. */
  active(freezeSentAtMs: number | undefined, nowMs: number): void {
    if (freezeSentAtMs !== undefined) {
      this.pauseMs = Math.round(nowMs - freezeSentAtMs);
      this.#metrics.pause.observe(this.pauseMs);
    }
    this.#line('info', 'move-active', { pauseMs: this.pauseMs, bytes: this.#taken });
  }

  restarted(why: string, base: number): void {
    this.restarts++;
    this.#metrics.restarts.add(1);
    this.#line('warn', 'move-restarted', { why, base, restarts: this.restarts });
  }

  digestMismatch(): void {
    this.mismatches++;
    this.#line('error', 'move-digest-mismatch', {
      mismatches: this.mismatches,
      what: 'the copy is not what the source holds: it is made anew, and the shard is not served until then',
    });
  }

  /** The source answered with bytes that do not fit their checksum. */
  damaged(storeId: string): void {
    this.#line('warn', 'move-piece-damaged', { from: storeId });
  }

  throttled(bytesPerSecond: number): void {
    this.#line('info', 'move-throttled', { bytesPerSecond });
  }

  /** It was paused, or is being cancelled. */
  heldBack(): void {
    this.#line('info', 'move-held-back', { bytes: this.#taken });
  }

  /** The source or the target will take no more steps of this move. */
  closed(where: 'source' | 'target'): void {
    this.#line('info', 'move-closed', { where });
  }

  ended(result: 'done' | 'cancelled', nowMs: number): void {
    this.#metrics.ended(result);
    this.#line('info', `move-${result}`, { ms: this.#ageMs(nowMs), bytes: this.#taken });
  }

  #ageMs(nowMs: number): number {
    return Math.round(nowMs - this.beganAtMs);
  }

  #line(level: LogLevel, event: string, fields: LogFields): void {
    const { moveId, shard, source, target } = this.order;
    this.#sink.log(level, event, { moveId, shard, source, target, ...fields });
  }
}
