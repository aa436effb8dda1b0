import type { Dispatcher } from './dispatcher.ts';
import { failure, troubles } from './failure.ts';
import type { Lane } from './group.ts';
import type { Link } from './link.ts';
import { type Operation, Phase, type ReadOperation, type WriteOperation } from './operation.ts';
import { tuning } from './options.ts';
import type { Session } from './session.ts';

/** Takes from a lane what goes into its next batch. */

/** A page of few records is expected to be small; a store leaves out what does not fit, and is asked again. */
const RECORD_BYTES_TYPICAL = 1024;

/** Frame, request and entry headers. */
const HEAD_BYTES = 96;

/** The next operation of the lane that still belongs there; others are dropped or sent to their new lane. */
function nextOf(dispatcher: Dispatcher, lane: Lane): Operation | undefined {
  for (;;) {
    const operation = lane.peek();
    if (operation === undefined) return undefined;
    if (operation.phase === Phase.done) {
      lane.shift();
    } else if (dispatcher.routes.gidFor(operation) !== lane.group.gid) {
      lane.shift();
      dispatcher.route(operation);
    } else {
      return operation;
    }
  }
}

/**
 * A batch has one session. A write that was sent before keeps its own; one that was not joins the batch's, or
 * takes one that is fresh. The first write that does not fit ends the batch: order within a lane is kept.
 */
export function collectWrites(
  dispatcher: Dispatcher,
  lane: Lane,
  link: Link,
  most: number,
  nowMs: number,
): { list: WriteOperation[]; session: Session; bytes: number } | undefined {
  const list: WriteOperation[] = [];
  let session: Session | undefined;
  let fresh: Session | undefined;
  let bytes = HEAD_BYTES;
  while (list.length < most) {
    const operation = nextOf(dispatcher, lane) as WriteOperation | undefined;
    if (operation === undefined) break;
    if (operation.session?.canRetry(nowMs) === false) {
      if (endSession(dispatcher, operation)) lane.shift();
      continue;
    }
    if (list.length > 0 && bytes + operation.bytes > dispatcher.settings.batchBytesMax) break;
    fresh ??= operation.session === undefined ? dispatcher.sessionFor(link, nowMs) : undefined;
    const wanted = operation.session ?? fresh;
    if (wanted === undefined) {
      if (list.length > 0) break;
      lane.trouble = troubles.noSession;
      dispatcher.lookAgain(lane, tuning.skip);
      return undefined;
    }
    if (session !== undefined && wanted !== session) break;
    if (operation.session === undefined) {
      if (wanted.isFull) {
        dispatcher.onWindowFull(link, nowMs);
        dispatcher.lookAgain(lane, tuning.skip);
        break;
      }
      operation.session = wanted;
      operation.seq = wanted.take();
    }
    session = wanted;
    lane.shift();
    list.push(operation);
    bytes += operation.bytes;
  }
  return session === undefined ? undefined : { list, session, bytes: bytes + (list.length >> 3) };
}

/** A write whose session may not be used any more; true if that was its end. */
function endSession(dispatcher: Dispatcher, operation: WriteOperation): boolean {
  if (!operation.doubtful) {
    dispatcher.forgetSession(operation);
    return false;
  }
  failExpired(dispatcher, operation);
  return true;
}

export function failExpired(dispatcher: Dispatcher, operation: WriteOperation): void {
  operation.failure = failure(
    'session-expired',
    `the session of a write to shard ${operation.shard} ended while its fate was unknown; ` +
      'a repeat could apply it twice: read the key, then decide',
    'unknown',
    { shard: operation.shard },
  );
  dispatcher.settle(operation);
}

export function collectReads(
  dispatcher: Dispatcher,
  lane: Lane,
  most: number,
): { list: ReadOperation[]; bytes: number } | undefined {
  const list: ReadOperation[] = [];
  const countMax = Math.min(most, tuning.readsPerFrame);
  let bytes = HEAD_BYTES;
  let pageBytes = 0;
  while (list.length < countMax) {
    const operation = nextOf(dispatcher, lane) as ReadOperation | undefined;
    if (operation === undefined) break;
    const pages = Math.min(operation.bytesMax, operation.limit * RECORD_BYTES_TYPICAL);
    const isFull = bytes + operation.bytes > dispatcher.settings.batchBytesMax;
    if (list.length > 0 && (isFull || pageBytes + pages > tuning.readFramePageBytes)) break;
    lane.shift();
    list.push(operation);
    bytes += operation.bytes;
    pageBytes += pages;
  }
  return list.length === 0 ? undefined : { list, bytes };
}
