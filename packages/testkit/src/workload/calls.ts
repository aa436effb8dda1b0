import { utf8Decode, utf8Encode } from '@flotilla/base';
import { type ClientFailure, ReadOperation, WriteOperation } from '@flotilla/client/core';
import { Flag, Op, type Result, Status } from '@flotilla/wire';
import { CheckFailure } from '../checkers/failure.ts';
import type { Call, Outcome } from '../checkers/history.ts';

/** One call of a history as an operation of the client core, and its end as an outcome of the history. */

export class SimWrite extends WriteOperation {
  readonly #done: (outcome: Outcome) => void;

  constructor(
    key: string,
    call: Exclude<Call, { kind: 'get' }>,
    deadlineMs: number,
    done: (outcome: Outcome) => void,
  ) {
    super();
    this.#done = done;
    this.key = utf8Encode(key);
    this.deadlineMs = deadlineMs;
    this.op = Op[call.kind];
    if (call.kind === 'put' || call.kind === 'append') this.value = utf8Encode(call.value);
    if (call.kind === 'increment') this.value = utf8Encode(String(call.delta));
    const { condition } = call;
    if (condition?.kind === 'absent') this.flags |= Flag.ifAbsent;
    if (condition?.kind === 'present') this.flags |= Flag.ifPresent;
    if (condition?.kind === 'version') {
      this.flags |= Flag.ifVersion;
      this.version = condition.version;
    }
    if (condition?.kind === 'value') {
      this.flags |= Flag.ifValue;
      this.expected = utf8Encode(condition.value);
    }
  }

  settled(): void {
    this.#done(this.failure === undefined ? writeOutcome(this.result) : failureOutcome(this.failure));
  }
}

/** A record that expires, of which nobody keeps account. */
export class PassingWrite extends WriteOperation {
  readonly #done: () => void;

  constructor(key: string, value: string, ttlMs: number, deadlineMs: number, done: () => void) {
    super();
    this.#done = done;
    this.key = utf8Encode(key);
    this.value = utf8Encode(value);
    this.flags = Flag.ttl;
    this.ttl = ttlMs;
    this.deadlineMs = deadlineMs;
  }

  settled(): void {
    this.#done();
  }
}

export class SimRead extends ReadOperation {
  readonly #done: (outcome: Outcome) => void;

  constructor(key: string, deadlineMs: number, done: (outcome: Outcome) => void) {
    super();
    this.#done = done;
    this.key = utf8Encode(key);
    this.deadlineMs = deadlineMs;
  }

  settled(): void {
    this.#done(this.failure === undefined ? readOutcome(this.result) : { kind: 'not-applied' });
  }
}

/**
 * Failures that say the truth about a sick cluster. All others mean that client and store do not fit: no session is
 * old enough to expire, and no write that somebody waits for may be called older than its session's floor.
 */
const expected: ReadonlySet<string> = new Set(['deadline', 'unavailable', 'overloaded', 'aborted', 'closed']);

function failureOutcome(failure: ClientFailure): Outcome {
  if (!expected.has(failure.code)) {
    throw new CheckFailure('client', `an operation ended with ${failure.code}: ${failure.message}`);
  }
  return { kind: failure.outcome };
}

function writeOutcome(result: Result | undefined): Outcome {
  if (result?.status === Status.conflict) return { kind: 'conflict', version: result.version };
  if (result?.status !== Status.ok) return unfit('write', result);
  if (result.value.length === 0) return { kind: 'ok', version: result.version };
  return { kind: 'ok', version: result.version, value: utf8Decode(result.value) };
}

function readOutcome(result: Result | undefined): Outcome {
  if (result?.status === Status.absent) return { kind: 'absent' };
  if (result?.status !== Status.record) return unfit('read', result);
  return { kind: 'found', value: utf8Decode(result.value), version: result.version };
}

function unfit(what: string, result: Result | undefined): never {
  throw new CheckFailure('client', `a ${what} of the workload was answered with ${JSON.stringify(result)}`);
}
