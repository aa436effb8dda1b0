import { compareBytes, must } from '@flotilla/base';
import { limits, type PageRecord, ReadKind, Status } from '@flotilla/wire';
import type { ClientCore } from './client-core.ts';
import { type ClientFailure, type FailureCode, failure } from './failure.ts';
import { type ReadChoice, unfit } from './get-many.ts';
import { ReadOperation } from './operation.ts';
import { isEmptyRange, type KeyRange, shardsOfRange } from './range.ts';

/**
 * All records of a range in key order. Keys are spread over shards by hash, so each shard is read page by
 * page and the pages are merged: the smallest head of all shards is next. Whenever one shard runs dry, all
 * that are nearly dry are asked again together, in one frame per group.
 *
 * A scan is not a snapshot: each page shows its shard as it was when the page was read. A shard that moves
 * is asked at its new group, after the last key that it gave.
 */

/** Records and bytes that all pages together may hold; a shard gets its part of both. */
const BUFFER_RECORDS = 32_768;
const BUFFER_BYTES = 16_777_216;
const PAGE_RECORDS_MIN = 16;
const PAGE_BYTES_MIN = 16_384;

export interface ScanOptions extends ReadChoice {
  readonly reverse: boolean;
  readonly limit: number;
  /** For each page. */
  readonly timeoutMs: number | undefined;
}

class Page extends ReadOperation {
  readonly stream: Stream;
  readonly #owner: ScanCursor;
  constructor(owner: ScanCursor, stream: Stream) {
    super();
    this.#owner = owner;
    this.stream = stream;
  }
  settled(): void {
    this.#owner.pageSettled(this);
  }
}

/** What is known of one shard. */
interface Stream {
  readonly shard: number;
  records: readonly PageRecord[];
  at: number;
  from: Uint8Array;
  to: Uint8Array | undefined;
  limit: number;
  /** The shard may have more than what is held here. */
  more: boolean;
  pending: Page | undefined;
}

export class ScanCursor {
  failure: ClientFailure | undefined;
  readonly #core: ClientCore;
  readonly #range: KeyRange;
  readonly #options: ScanOptions;
  #streams: Stream[] = [];
  /** Streams with a head, as a binary heap by that head. */
  readonly #heap: Stream[] = [];
  /** Streams without a head that may get one: nothing can be taken before they do. */
  #missing = 0;
  #left: number;
  #started = false;
  #closed = false;
  #waiter: (() => void) | undefined;
  #pageRecordsMax: number = limits.scanPageRecords;
  #pageBytesMax: number = limits.scanPageBytes;

  constructor(core: ClientCore, range: KeyRange, options: ScanOptions) {
    this.#core = core;
    this.#range = range;
    this.#options = options;
    this.#left = options.limit;
    if (isEmptyRange(range)) this.#left = 0;
  }

  /** Nothing comes any more; says nothing about a failure. */
  get isDone(): boolean {
    if (this.#closed || this.#left <= 0 || this.failure !== undefined) return true;
    return this.#started && this.#missing === 0 && this.#heap.length === 0;
  }

  /** The next record if it is here already; after undefined look at `isDone`, `failure`, or call `fill`. */
  take(): PageRecord | undefined {
    if (this.#missing > 0 || this.isDone) return undefined;
    const stream = this.#heap[0];
    if (stream === undefined) return undefined;
    const record = stream.records[stream.at++] as PageRecord;
    this.#left--;
    if (stream.at < stream.records.length) {
      this.#sink(0);
    } else {
      this.#removeTop();
      if (stream.more) this.#missing++;
    }
    return record;
  }

  /** Calls back, perhaps at once, when `take` can go on or everything has ended. One call at a time. */
  fill(done: () => void): void {
    if (this.#canGoOn()) {
      done();
      return;
    }
    this.#waiter = done;
    if (this.#started) {
      this.#fetch();
      return;
    }
    this.#core.whenRouted(this.#core.deadlineMs(this.#options.timeoutMs), (reason) => {
      if (this.#closed) return;
      if (reason === undefined) this.#start();
      else this.#fail(reason);
    });
  }

  /** Ends the scan early. */
  close(): void {
    this.#closed = true;
    this.#giveUpPages();
    this.#wake();
  }

  giveUp(code: FailureCode, message: string, cause?: unknown): void {
    if (!this.isDone) this.#fail(failure(code, message, 'not-applied', {}, cause));
  }

  pageSettled(page: Page): void {
    const { stream, result } = page;
    stream.pending = undefined;
    if (this.#closed || this.failure !== undefined) return;
    if (page.failure !== undefined) {
      this.#fail(page.failure);
      return;
    }
    if (result?.status !== Status.page || (result.more && result.records.length === 0)) {
      this.#fail(unfit('scan', result?.status));
      return;
    }
    const hadHead = stream.at < stream.records.length;
    stream.records = hadHead ? [...stream.records.slice(stream.at), ...result.records] : result.records;
    stream.at = 0;
    stream.more = result.more;
    const last = result.records.at(-1);
    if (last !== undefined) this.#goOnAfter(stream, last.key);
    if (!hadHead) {
      this.#missing--;
      if (stream.records.length > 0) this.#add(stream);
    }
    if (this.#canGoOn()) this.#wake();
  }

  #canGoOn(): boolean {
    return this.isDone || (this.#started && this.#missing === 0);
  }

  #start(): void {
    this.#started = true;
    const core = this.#core;
    const shards = shardsOfRange(this.#range, core.routes.shardCount, core.ports.hasher);
    const share = (whole: number): number => Math.floor(whole / shards.length);
    this.#pageRecordsMax = Math.min(
      limits.scanPageRecords,
      Math.max(PAGE_RECORDS_MIN, share(BUFFER_RECORDS)),
    );
    this.#pageBytesMax = Math.min(limits.scanPageBytes, Math.max(PAGE_BYTES_MIN, share(BUFFER_BYTES)));
    // With a limit each shard is asked for half as much again as its fair part; one that holds more is asked again.
    const fair = Math.ceil((this.#left / shards.length) * 1.5) + 2;
    this.#streams = shards.map((shard) => ({
      shard,
      records: [],
      at: 0,
      from: this.#range.from,
      to: this.#range.to,
      limit: Math.min(this.#pageRecordsMax, fair),
      more: true,
      pending: undefined,
    }));
    this.#missing = shards.length;
    this.#fetch();
  }

  /** Asks for the next page of every stream that is nearly empty. */
  #fetch(): void {
    const { level, maxAgeMs, reverse, timeoutMs } = this.#options;
    const deadlineMs = this.#core.deadlineMs(timeoutMs);
    for (const stream of this.#streams) {
      const held = stream.records.length - stream.at;
      const limit = Math.min(stream.limit, this.#left - held);
      if (!stream.more || stream.pending !== undefined || held * 2 > stream.limit || limit <= 0) continue;
      // Its fair part of what is left is here already.
      if (held > 0 && held * this.#streams.length >= this.#left) continue;
      const page = new Page(this, stream);
      page.kind = ReadKind.scan;
      page.shard = stream.shard;
      page.key = stream.from;
      page.hasEnd = stream.to !== undefined;
      if (stream.to !== undefined) page.to = stream.to;
      page.reverse = reverse;
      page.limit = limit;
      page.bytesMax = this.#pageBytesMax;
      page.level = level;
      page.maxAgeMs = maxAgeMs;
      page.deadlineMs = deadlineMs;
      stream.pending = page;
      stream.limit = Math.min(this.#pageRecordsMax, stream.limit * 2);
      this.#core.submit(page);
      // A full client refuses at once, which ends the scan.
      if (this.failure !== undefined) return;
    }
  }

  #goOnAfter(stream: Stream, key: Uint8Array): void {
    if (this.#options.reverse) {
      stream.to = key.slice();
      return;
    }
    const from = new Uint8Array(key.length + 1);
    from.set(key);
    stream.from = from;
  }

  #fail(reason: ClientFailure): void {
    this.failure = reason;
    this.#giveUpPages();
    this.#wake();
  }

  #giveUpPages(): void {
    for (const stream of this.#streams) {
      const page = stream.pending;
      stream.pending = undefined;
      if (page !== undefined) this.#core.giveUp(page, 'aborted', 'the scan has ended');
    }
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.();
  }

  #isBefore(left: Stream, right: Stream): boolean {
    const order = compareBytes(headKey(left), headKey(right));
    return this.#options.reverse ? order > 0 : order < 0;
  }

  #add(stream: Stream): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(stream);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(stream, heap[parent] as Stream)) break;
      heap[at] = heap[parent] as Stream;
      at = parent;
    }
    heap[at] = stream;
  }

  #removeTop(): void {
    const last = must(this.#heap.pop(), 'a heap to take from');
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const moving = heap[from] as Stream;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#isBefore(heap[child + 1] as Stream, heap[child] as Stream))
        child++;
      if (!this.#isBefore(heap[child] as Stream, moving)) break;
      heap[at] = heap[child] as Stream;
      at = child;
    }
    heap[at] = moving;
  }
}

function headKey(stream: Stream): Uint8Array {
  return (stream.records[stream.at] as PageRecord).key;
}
