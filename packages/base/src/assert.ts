/**
 * Assertions stay on in production. A failed one means that our own code is wrong: the process must stop,
 * because every promise made from here on would rest on a state that nobody understands.
 */
export class InvariantError extends Error {
  readonly code = 'FLOTILLA_INVARIANT';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InvariantError';
  }
}

/** Throws {@link InvariantError} unless `condition` holds. The text is built only on failure. */
export function assert(condition: boolean, text: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantError(typeof text === 'string' ? text : text());
}

/** The value, which must be there. */
export function must<T>(value: T | undefined, text: string | (() => string)): T {
  if (value === undefined) throw new InvariantError(typeof text === 'string' ? text : text());
  return value;
}

/** Closes a `switch` over a union: a new member is a compile error here. */
export function unreachable(value: never): never {
  throw new InvariantError(`unexpected value: ${String(value)}`);
}

/** True for 0, 1, 2 … 2^53-1: the range of indexes, terms, revisions and times. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
