/**
 * Hand-written histories of single keys, each titled by what it shows. A checker that accepts one of the bad
 * ones, or refuses one of the good ones, is worth nothing.
 */

export interface WrittenHistory {
  readonly title: string;
  readonly text: string;
  /** Values are not unique in this one. */
  readonly repeats?: true;
}

export function history(title: string, ...events: readonly string[]): WrittenHistory {
  return { title, text: events.join('\n') };
}
