import { DecodeError, Writer } from '@flotilla/base';
import {
  type BatchReply,
  BatchStatus,
  beginEntry,
  beginFrame,
  EntryBody,
  type Result,
  readResult,
  writeBatchHead,
  writeCommand,
  writeRead,
  writeReadHead,
  writeWriteHead,
} from '@flotilla/wire';
import type { Lane } from './group.ts';
import type { Link, Pending } from './link.ts';
import { type Operation, Phase, type ReadOperation, type WriteOperation } from './operation.ts';
import type { Routes } from './routes.ts';
import type { Session } from './session.ts';

/** Operations that left together in one frame. */

export interface BatchOwner {
  /** The answer to one operation, also if nobody waits for it any more. */
  onResult(batch: Batch, operation: Operation, result: Result): void;
  /** All results were handled. */
  onResults(batch: Batch): void;
  /** The whole batch was refused; nothing of it was proposed (except for `unknown`). */
  onRefusal(batch: Batch, reply: Exclude<BatchReply, { status: typeof BatchStatus.results }>): void;
  /** No answer will come for these. */
  onLost(batch: Batch, operations: readonly Operation[]): void;
}

export class Batch implements Pending {
  readonly lane: Lane;
  readonly link: Link;
  readonly list: readonly Operation[];
  /** The replica that answered did not know of a move yet. */
  isBehind = false;
  readonly #owner: BatchOwner;
  #handled = 0;

  constructor(owner: BatchOwner, lane: Lane, link: Link, list: readonly Operation[]) {
    this.#owner = owner;
    this.lane = lane;
    this.link = link;
    this.list = list;
    lane.batchesInFlight++;
  }

  get operations(): number {
    return this.list.length;
  }

  onReply(reply: BatchReply): void {
    this.lane.batchesInFlight--;
    if (reply.status !== BatchStatus.results) {
      this.#owner.onRefusal(this, reply);
      return;
    }
    try {
      const from = reply.results;
      while (this.#handled < this.list.length && from.remaining > 0) {
        const result = readResult(from);
        const operation = this.list[this.#handled++] as Operation;
        this.#owner.onResult(this, operation, result);
      }
      from.expectEnd();
      if (this.#handled < this.list.length) {
        throw new DecodeError(`${this.#handled} results for a batch of ${this.list.length}`);
      }
    } catch (error) {
      // The connection will end for this; what was not answered must not be forgotten on the way.
      this.#owner.onLost(this, this.list.slice(this.#handled));
      throw error;
    }
    this.#owner.onResults(this);
  }

  onAdminReply(): void {
    this.lane.batchesInFlight--;
    this.#owner.onLost(this, this.list);
    throw new DecodeError('an admin reply to a batch');
  }

  onLost(): void {
    this.lane.batchesInFlight--;
    this.#owner.onLost(this, this.list);
  }
}

function timeLeftMs(list: readonly Operation[], nowMs: number): number {
  // The longest of all: an operation with less ends here by itself, and must not take the others along.
  let deadlineMs = 0;
  for (const operation of list) if (operation.deadlineMs > deadlineMs) deadlineMs = operation.deadlineMs;
  return Math.min(0xffff_ffff, Math.max(1, Math.floor(deadlineMs - nowMs)));
}

/** The commands, encoded once and for all, in place behind the room for the leader's header. */
export function encodeWrites(
  list: readonly WriteOperation[],
  session: Session,
  gid: number,
  request: number,
  routes: Routes,
  bytes: number,
  nowMs: number,
): Writer {
  const out = new Writer(bytes);
  beginFrame(out);
  writeWriteHead(out, { request, gid, timeLeftMs: timeLeftMs(list, nowMs) });
  beginEntry(out, EntryBody.clientBatch, list.length);
  const floor = session.floor;
  writeBatchHead(out, { session: session.id, floor });
  for (const operation of list) {
    operation.epoch = routes.epochFor(operation);
    operation.seqOffset = operation.seq - floor;
    operation.phase = Phase.sent;
    writeCommand(out, operation);
  }
  return out;
}

export function encodeReads(
  list: readonly ReadOperation[],
  lane: Lane,
  request: number,
  routes: Routes,
  bytes: number,
  nowMs: number,
): Writer {
  const out = new Writer(bytes);
  beginFrame(out);
  writeReadHead(out, {
    request,
    gid: lane.group.gid,
    level: lane.level,
    maxAgeMs: lane.maxAgeMs,
    timeLeftMs: timeLeftMs(list, nowMs),
    count: list.length,
  });
  for (const operation of list) {
    operation.epoch = routes.epochFor(operation);
    operation.phase = Phase.sent;
    writeRead(out, operation);
  }
  return out;
}
