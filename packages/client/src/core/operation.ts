import { EMPTY_BYTES } from '@flotilla/base';
import { type Command, commandBytes, Op, type Read, ReadKind, ReadLevel, type Result } from '@flotilla/wire';
import type { ClientFailure, Trouble } from './failure.ts';
import type { Session } from './session.ts';

/**
 * One command or read on its way through the client. It is the record that the codecs write from and the
 * object that hears of the end, so nothing else is allocated for it. Whoever makes one extends the class and
 * overrides {@link settled}, which is called exactly once, with either `result` or `failure` set.
 */

export const Phase = { idle: 0, queued: 1, sent: 2, waiting: 3, done: 4 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** The shard follows from the key. */
export const BY_KEY = -1;

/** A try at the target of a move whose source cannot be reached: see `detours.ts`. */
export interface Detour {
  readonly gid: number;
  readonly epoch: number;
}

export abstract class Operation {
  phase: Phase = Phase.idle;
  shard: number = BY_KEY;
  epoch = 0;
  key: Uint8Array = EMPTY_BYTES;
  /** On the monotonic clock, over all attempts. */
  deadlineMs = 0;
  /** Attempts in a row that were sent elsewhere without a pause. */
  redirects = 0;
  /** Pauses so far that grow from one to the next. */
  pauses = 0;
  /** Since when its shard has been arriving where it was asked for; -1 if it is not. */
  arrivingSinceMs = -1;
  detour: Detour | undefined;
  /** End of the pause, while waiting. */
  retryAtMs = 0;
  /** What the client counts for it. */
  bytes = 0;
  trouble: Trouble | undefined;
  /** Byte fields are views of the answer's frame: copy what is kept. */
  result: Result | undefined;
  failure: ClientFailure | undefined;

  abstract settled(): void;
}

export abstract class WriteOperation extends Operation implements Command {
  op: Op = Op.put;
  flags = 0;
  seqOffset = 0;
  version = 0;
  expected: Uint8Array = EMPTY_BYTES;
  ttl = 0;
  value: Uint8Array = EMPTY_BYTES;
  /** Bound at the first attempt; a number belongs to one command in one shard for ever. */
  session: Session | undefined;
  seq = 0;
  /** An attempt was sent, and whether it was executed is not known. */
  doubtful = false;

  measure(): void {
    this.bytes = commandBytes(this);
  }
}

export abstract class ReadOperation extends Operation implements Read {
  kind: ReadKind = ReadKind.get;
  hasEnd = false;
  to: Uint8Array = EMPTY_BYTES;
  reverse = false;
  limit = 0;
  bytesMax = 0;
  level: ReadLevel = ReadLevel.linearizable;
  maxAgeMs = 0;

  measure(): void {
    this.bytes = 64 + this.key.length + this.to.length;
  }
}
