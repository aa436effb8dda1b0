/** Small pieces of the sentences in causes and answers. */

export function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

/** `a, b, c`, or the first `shown` and how many more there are. */
export function listed(items: readonly (string | number)[], shown = 16): string {
  if (items.length === 0) return 'none';
  if (items.length <= shown) return items.join(', ');
  return `${items.slice(0, shown).join(', ')} and ${items.length - shown} more`;
}

/** Ascending numbers as `0-31, 40, 50-63`. */
export function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < numbers.length; ) {
    const first = numbers[at] as number;
    let last = first;
    at++;
    while (at < numbers.length && numbers[at] === last + 1) {
      last++;
      at++;
    }
    parts.push(first === last ? `${first}` : `${first}-${last}`);
  }
  return listed(parts);
}

export function groupWords(gids: readonly number[]): string {
  return `${gids.length === 1 ? 'group' : 'groups'} ${listed(gids)}`;
}

/** `move 17 of shards 0-3`, shards ascending. */
export function moveWords(moveId: number, shards: readonly number[]): string {
  return `move ${moveId} of ${shards.length === 1 ? 'shard' : 'shards'} ${ranges(shards)}`;
}
