/** What a caller may do about a failure. */
export type Retry = 'never' | 'refresh-route' | 'backoff';

/** What a caller may assume about a write that failed. */
export type Outcome = 'not-applied' | 'unknown';

export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * Base of every error that leaves a public interface. `code` is for switches, `retry` and `outcome` for
 * programs, the message (what, where, why, what to do next) for people.
 */
export abstract class FlotillaError extends Error {
  abstract readonly code: `FLOTILLA_${string}`;
  abstract readonly retry: Retry;
  readonly outcome: Outcome = 'not-applied';
  readonly details: ErrorDetails;
  constructor(message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.details = details;
  }
}

/** Bytes from outside that do not follow their format. The border that read them answers or closes. */
export class DecodeError extends FlotillaError {
  override readonly code = 'FLOTILLA_DECODE';
  override readonly retry = 'never';
}

/** Stored bytes whose checksum does not fit. Never treated as absence (rule L8). */
export class CorruptionError extends FlotillaError {
  override readonly code = 'FLOTILLA_CORRUPTION';
  override readonly retry = 'never';
}

/** Flags, files or arguments that cannot be used as they are. */
export class UsageError extends FlotillaError {
  override readonly code = 'FLOTILLA_USAGE';
  override readonly retry = 'never';
}
