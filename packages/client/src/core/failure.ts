import type { ErrorDetails, Outcome, Retry } from '@flotilla/base';

/** Failures are values inside the core; the facade turns each into the error class of its code. */

export type FailureCode =
  | 'deadline'
  | 'unavailable'
  | 'session-expired'
  | 'overloaded'
  | 'invalid'
  | 'refused'
  | 'protocol'
  | 'cluster-mismatch'
  | 'aborted'
  | 'closed';

export interface ClientFailure {
  readonly code: FailureCode;
  /** What failed, where, why, what to do. */
  readonly message: string;
  readonly retry: Retry;
  /** What the caller may assume about a write. Reads always say `not-applied`. */
  readonly outcome: Outcome;
  readonly details: ErrorDetails;
  readonly cause: unknown;
}

const retryOf: { readonly [code in FailureCode]: Retry } = {
  deadline: 'backoff',
  unavailable: 'backoff',
  'session-expired': 'never',
  overloaded: 'backoff',
  invalid: 'never',
  refused: 'never',
  protocol: 'never',
  'cluster-mismatch': 'never',
  aborted: 'never',
  closed: 'never',
};

export function failure(
  code: FailureCode,
  message: string,
  outcome: Outcome = 'not-applied',
  details: ErrorDetails = {},
  cause?: unknown,
): ClientFailure {
  return { code, message, retry: retryOf[code], outcome, details, cause };
}

/** Why an attempt came to nothing; kept for the message of the error that ends the operation. */
export interface Trouble {
  readonly kind: 'route' | 'unreachable' | 'leaderless' | 'overload' | 'not-ready' | 'lost' | 'session';
  readonly text: string;
}

type TroubleName =
  | 'noConfig'
  | 'noOwner'
  | 'noGroup'
  | 'moved'
  | 'unreachable'
  | 'leaderless'
  | 'notReady'
  | 'throttled'
  | 'lost'
  | 'unknown'
  | 'noSession'
  | 'badSession'
  | 'sessions';

export const troubles: { readonly [name in TroubleName]: Trouble } = {
  noConfig: { kind: 'route', text: 'no store has sent a cluster config yet' },
  noOwner: { kind: 'route', text: 'no group owns this shard yet: join a group with `flotilla join`' },
  noGroup: { kind: 'route', text: 'the group is not in the newest config that is known here' },
  moved: { kind: 'route', text: 'the shard was not where the newest known config says' },
  unreachable: { kind: 'unreachable', text: 'no store of the group takes connections' },
  leaderless: { kind: 'leaderless', text: 'the group has no leader' },
  notReady: { kind: 'not-ready', text: 'the shard is arriving at its new group' },
  throttled: {
    kind: 'overload',
    text: 'writes to the shard are slowed down, so that its move to another group can catch up: send less, or allow more time',
  },
  lost: { kind: 'lost', text: 'the connection was lost before the answer came' },
  unknown: { kind: 'lost', text: 'leadership was lost before the fate of the write was known' },
  noSession: { kind: 'session', text: 'no store issued a session for writes' },
  badSession: {
    kind: 'session',
    text: "the shard's time is behind the time at which the session was opened",
  },
  sessions: { kind: 'overload', text: 'the shard holds as many sessions as it may' },
};
