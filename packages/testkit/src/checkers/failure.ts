import { InvariantError } from '@flotilla/base';

/**
 * A promise of the system was broken. The first sentence says which and where, the story tells what led to
 * it, oldest first, in words that need no debugger.
 */
export class CheckFailure extends Error {
  readonly checker: string;
  readonly story: readonly string[];
  /** When it went wrong, if that was found only later. */
  readonly atMs: number | undefined;

  constructor(checker: string, message: string, story: readonly string[] = [], atMs?: number) {
    super(message);
    this.name = 'CheckFailure';
    this.checker = checker;
    this.story = story;
    this.atMs = atMs;
  }

  /** The whole report as text. */
  report(): string {
    return [`${this.checker}: ${this.message}`, ...this.story.map((line) => `  ${line}`)].join('\n');
  }
}

/** Whatever was thrown, as a promise that was broken. */
export function asFailure(error: unknown): CheckFailure {
  if (error instanceof CheckFailure) return error;
  if (!(error instanceof Error)) return new CheckFailure('no error', `something threw ${String(error)}`);
  const what = error instanceof InvariantError ? 'an assertion failed' : 'an exception was thrown';
  const stack = (error.stack ?? '').split('\n').slice(1, 12);
  return new CheckFailure('no error', `${what}: ${error.message}`, stack);
}
