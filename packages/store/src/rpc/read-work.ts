import { DecodeError, Reader, Writer } from '@flotilla/base';
import type { ReadBatch, Refusal, Replica } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';
import {
  BatchStatus,
  beginResults,
  blankRead,
  endResults,
  type ReadHead,
  readRead,
  Status,
  writeBatchWait,
  writeMalformed,
  writeWait,
} from '@flotilla/wire';
import type { ClientConnection } from './client-connection.ts';
import type { BatchOwner } from './write-batch.ts';

/** Results of one batch of reads beyond this wait for another batch: a reply must fit its frame. */
export const RESULT_BYTES_SOFT = 2_097_152;

/**
 * A client's batch of reads. It is walked anew at each evaluation: on the way it holds no decoded reads and
 * no results, so a batch that waits costs only its bytes.
 */
export class ReadWork implements ReadBatch {
  readonly #owner: BatchOwner;
  readonly #replica: Replica;
  readonly #connection: ClientConnection;
  readonly #head: ReadHead;
  readonly #body: Uint8Array;
  readonly #bodyAt: number;
  readonly #bytesMax: number;
  readonly #deadline: number;
  #out: Writer | undefined;

  constructor(
    owner: BatchOwner,
    replica: Replica,
    connection: ClientConnection,
    request: {
      readonly head: ReadHead;
      readonly body: Uint8Array;
      readonly at: number;
      readonly bytesMax: number;
    },
    nowMs: number,
  ) {
    this.#owner = owner;
    this.#replica = replica;
    this.#connection = connection;
    this.#head = request.head;
    this.#body = request.body;
    this.#bodyAt = request.at;
    this.#bytesMax = request.bytesMax;
    this.#deadline = nowMs + request.head.timeLeftMs;
  }

  evaluate(): void {
    const out = new Writer(256);
    this.#out = out;
    const { machine } = this.#replica;
    try {
      if (!(machine instanceof DataGroup))
        throw new DecodeError('the controller group answers no reads of keys');
      const lengthAt = beginResults(out, this.#head.request);
      const from = new Reader(this.#body, this.#bodyAt);
      const read = blankRead();
      for (let at = 0; at < this.#head.count; at++) {
        readRead(from, read);
        if (out.length > this.#bytesMax) writeWait(out, Status.notReady, 0);
        else machine.read(read, out);
      }
      from.expectEnd();
      endResults(out, lengthAt);
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      out.reset();
      writeMalformed(out, this.#head.request, cause.message);
    }
  }

  deliver(): void {
    const { replies } = this.#connection;
    if (this.#out !== undefined) replies.raw(this.#out.bytes.subarray(0, this.#out.length));
    this.#connection.replied();
  }

  refused(refusal: Refusal): void {
    const { replies } = this.#connection;
    const { request } = this.#head;
    if (refusal.kind === 'not-leader') this.#owner.writeNotLeader(replies, request, this.#replica);
    else writeBatchWait(replies, request, BatchStatus.overloaded, refusal.retryAfterMs, refusal.what);
    this.#connection.replied();
  }

  expired(nowMs: number): boolean {
    if (nowMs < this.#deadline) return false;
    // Its client has given up; the reply only keeps the count of open requests right.
    writeBatchWait(this.#connection.replies, this.#head.request, BatchStatus.notNow, 0, 'its time ran out');
    this.#connection.replied();
    return true;
  }
}
