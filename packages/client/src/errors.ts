import { type ErrorDetails, FlotillaError, type Outcome, type Retry } from '@flotilla/base';
import type { ClientFailure } from './core/index.ts';

/**
 * What a call of this package can fail with. `code` is literal, so that a `switch` narrows; `retry` says
 * whether trying again can help, `outcome` what to assume about a write: `not-applied`, or `unknown`.
 */

interface Facts {
  readonly outcome?: Outcome;
  readonly retry?: Retry;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

abstract class ClientError extends FlotillaError {
  override readonly outcome: Outcome;
  constructor(message: string, facts: Facts = {}) {
    super(message, facts.details ?? {}, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.outcome = facts.outcome ?? 'not-applied';
  }
}

/** What a write had asked for: a version (0: absent), presence, or a value. */
export type Expectation = number | 'present' | 'value';

/** A condition of a write did not hold; nothing was changed. */
export class ConflictError extends ClientError {
  override readonly code = 'FLOTILLA_CONFLICT';
  override readonly retry = 'never';
  readonly key: string;
  readonly expected: Expectation;
  /** The version that is there; 0: the key is absent. */
  readonly actual: number;
  constructor(key: string, expected: Expectation, actual: number) {
    const wanted =
      expected === 0
        ? 'to be absent'
        : typeof expected === 'number'
          ? `at version ${expected}`
          : expected === 'present'
            ? 'to be present'
            : 'with another value';
    const found = actual === 0 ? 'it is absent' : `it is at version ${actual}`;
    super(`"${key}" was expected ${wanted}, but ${found}: read it again and decide anew`, {
      details: { key, expected, actual },
    });
    this.key = key;
    this.expected = expected;
    this.actual = actual;
  }
}

/** The time for the operation and all its retries is over. */
export class DeadlineError extends ClientError {
  override readonly code = 'FLOTILLA_DEADLINE';
  override readonly retry = 'backoff';
}

/** No store could be reached that serves the shard. */
export class UnavailableError extends ClientError {
  override readonly code = 'FLOTILLA_UNAVAILABLE';
  override readonly retry = 'backoff';
}

/** The session of a write ended while its fate was unknown; only a look at the data can tell. */
export class SessionExpiredError extends ClientError {
  override readonly code = 'FLOTILLA_SESSION_EXPIRED';
  override readonly retry = 'never';
}

/** A store or this client holds too much already. */
export class OverloadedError extends ClientError {
  override readonly code = 'FLOTILLA_OVERLOADED';
  override readonly retry = 'backoff';
}

/** An argument that no cluster would take; nothing was sent. */
export class InvalidArgumentError extends ClientError {
  override readonly code = 'FLOTILLA_INVALID_ARGUMENT';
  override readonly retry = 'never';
}

/** An increment met a value that is not a decimal 64-bit integer. */
export class NotANumberError extends ClientError {
  override readonly code = 'FLOTILLA_NOT_A_NUMBER';
  override readonly retry = 'never';
}

/** An increment would leave the range of 64-bit integers. */
export class OverflowError extends ClientError {
  override readonly code = 'FLOTILLA_OVERFLOW';
  override readonly retry = 'never';
}

/** An append would make the value longer than a value may be. */
export class ValueTooLargeError extends ClientError {
  override readonly code = 'FLOTILLA_VALUE_TOO_LARGE';
  override readonly retry = 'never';
}

/** The cluster understood and refused; `reason` is its own stable code. */
export class RefusedError extends ClientError {
  override readonly code = 'FLOTILLA_REFUSED';
  override readonly retry = 'never';
  readonly reason: string;
  constructor(message: string, facts: Facts = {}) {
    super(message, facts);
    this.reason = typeof facts.details?.reason === 'string' ? facts.details.reason : '';
  }
}

/** Client and store do not speak the same protocol. */
export class ProtocolError extends ClientError {
  override readonly code = 'FLOTILLA_PROTOCOL';
  override readonly retry = 'never';
}

/** The endpoints belong to another cluster than was asked for. */
export class ClusterMismatchError extends ClientError {
  override readonly code = 'FLOTILLA_CLUSTER_MISMATCH';
  override readonly retry = 'never';
}

/** The caller's signal fired; `cause` is its reason. */
export class AbortedError extends ClientError {
  override readonly code = 'FLOTILLA_ABORTED';
  override readonly retry = 'never';
}

/** The client was closed. */
export class ClosedError extends ClientError {
  override readonly code = 'FLOTILLA_CLOSED';
  override readonly retry = 'never';
}

const classOf = {
  deadline: DeadlineError,
  unavailable: UnavailableError,
  'session-expired': SessionExpiredError,
  overloaded: OverloadedError,
  invalid: InvalidArgumentError,
  refused: RefusedError,
  protocol: ProtocolError,
  'cluster-mismatch': ClusterMismatchError,
  aborted: AbortedError,
  closed: ClosedError,
} as const;

/** The error for a failure of the core. */
export function errorOf(failure: ClientFailure): FlotillaError {
  const { message, outcome, details, cause } = failure;
  return new classOf[failure.code](message, { outcome, details, cause });
}
