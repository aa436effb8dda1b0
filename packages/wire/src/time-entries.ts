import { DecodeError, type Reader, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * Body of a time entry: count u16 · (shard u16 · items u16)…
 *
 * The leader names shards and how many due items each may lose; which items those are follows from state and
 * stamp, in a fixed order. So the entry stays small, and every replica removes the same.
 */
export interface TimeShare {
  readonly shard: number;
  /** At most so many records and session rows. */
  readonly items: number;
}

export function writeTimeBody(out: Writer, shares: readonly TimeShare[]): void {
  out.u16(shares.length);
  for (const share of shares) {
    out.u16(share.shard);
    out.u16(share.items);
  }
}

/** Throws `DecodeError` too when the shares together are over the limit of one entry. */
export function readTimeBody(from: Reader): TimeShare[] {
  const count = from.u16();
  if (count > limits.timeEntryItems) {
    throw new DecodeError(`a time entry of ${count} shards (limit ${limits.timeEntryItems})`, { count });
  }
  const shares: TimeShare[] = [];
  let items = 0;
  for (let at = 0; at < count; at++) {
    const share = { shard: from.u16(), items: from.u16() };
    items += share.items;
    shares.push(share);
  }
  if (items > limits.timeEntryItems) {
    throw new DecodeError(`a time entry of ${items} items (limit ${limits.timeEntryItems})`, { items });
  }
  from.expectEnd();
  return shares;
}
