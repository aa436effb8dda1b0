import { Reader, type Writer } from '@flotilla/base';
import type { Proposal, Refusal, Replica } from '@flotilla/host';
import {
  BatchStatus,
  beginResults,
  blankCommand,
  endResults,
  Op,
  readBatchHead,
  readCommand,
  readEntryHead,
  stampEntry,
  writeBare,
  writeBatchWait,
} from '@flotilla/wire';
import type { ClientConnection } from './client-connection.ts';

/** What batches ask of the service. */
export interface BatchOwner {
  stampFor(replica: Replica): number;
  writeNotLeader(out: Writer, request: number, replica: Replica): void;
}

/** A client's batch on its way through the log: the entry is the client's own bytes. */
export class WriteBatch implements Proposal {
  readonly data: Uint8Array;
  readonly #owner: BatchOwner;
  readonly #replica: Replica;
  readonly #connection: ClientConnection;
  readonly #request: number;
  #resultsAt = -1;

  constructor(
    owner: BatchOwner,
    replica: Replica,
    connection: ClientConnection,
    request: number,
    entry: Uint8Array,
  ) {
    this.#owner = owner;
    this.#replica = replica;
    this.#connection = connection;
    this.#request = request;
    this.data = entry;
  }

  /** Deletes alone: each of them gives room. The batch was walked before, so it can be walked again. */
  spares(): boolean {
    const { bodyAt, count } = readEntryHead(this.data);
    const from = new Reader(this.data, bodyAt);
    readBatchHead(from);
    const command = blankCommand();
    for (let at = 0; at < count; at++) {
      readCommand(from, command);
      if (command.op !== Op.delete && command.op !== Op.deleteRange) return false;
    }
    return true;
  }

  prepare(): void {
    stampEntry(this.data, this.#owner.stampFor(this.#replica));
  }

  out(): Writer {
    const { replies } = this.#connection;
    this.#resultsAt = beginResults(replies, this.#request);
    return replies;
  }

  applied(): void {
    endResults(this.#connection.replies, this.#resultsAt);
    this.#connection.replied();
  }

  refused(refusal: Refusal): void {
    const { replies } = this.#connection;
    if (refusal.kind === 'not-leader') this.#owner.writeNotLeader(replies, this.#request, this.#replica);
    else {
      const { retryAfterMs, what } = refusal;
      writeBatchWait(replies, this.#request, BatchStatus.overloaded, retryAfterMs, what);
    }
    this.#connection.replied();
  }

  lost(): void {
    const { replies } = this.#connection;
    // A state machine that stopped in the middle of this entry may have left half an answer.
    if (this.#resultsAt >= 0) replies.length = this.#resultsAt - 5;
    writeBare(replies, this.#request, BatchStatus.unknown);
    this.#connection.replied();
  }
}
