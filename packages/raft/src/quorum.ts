import type { RaftId } from '@flotilla/base';

/**
 * Quorum arithmetic: what a majority has acknowledged, and whether a vote is decided. It knows nothing of
 * roles, logs or messages; a configuration is two lists of voters, the second empty unless it is joint.
 *
 * Joint consensus (thesis 4.3) needs one idea only: a decision counts when *both* majorities made it. So
 * every function here is the plain one applied twice and combined by the more cautious answer.
 */

export type VoteResult = 'won' | 'lost' | 'pending';

/** How many of `count` voters decide. For 0 it is 1, which nobody reaches: callers treat empty sets first. */
export function majority(count: number): number {
  return (count >> 1) + 1;
}

/**
 * The highest index that a majority of `voters` has reached; `undefined` counts as 0. An empty set restricts
 * nothing and answers infinity, so that it disappears in the minimum of a joint decision.
 */
export function majorityIndex(
  voters: readonly RaftId[],
  indexOf: (id: RaftId) => number | undefined,
): number {
  const count = voters.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  // Insertion sort, ascending: there are at most a handful of voters, and this runs for every ack.
  const sorted: number[] = [];
  for (const id of voters) {
    const index = indexOf(id) ?? 0;
    let at = sorted.length;
    sorted.push(index);
    while (at > 0 && (sorted[at - 1] as number) > index) {
      sorted[at] = sorted[at - 1] as number;
      at--;
    }
    sorted[at] = index;
  }
  // A majority has this element or a later one.
  return sorted[count - majority(count)] as number;
}

/** The highest index that the majorities of both halves have reached. */
export function jointIndex(
  incoming: readonly RaftId[],
  outgoing: readonly RaftId[],
  indexOf: (id: RaftId) => number | undefined,
): number {
  const first = majorityIndex(incoming, indexOf);
  if (outgoing.length === 0) return first;
  return Math.min(first, majorityIndex(outgoing, indexOf));
}

/** Result of a vote: `undefined` means not heard of yet. An empty set agrees with everything. */
export function majorityVote(
  voters: readonly RaftId[],
  voteOf: (id: RaftId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return 'won';
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = voteOf(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}

/** Won if both halves won, lost as soon as one of them lost. */
export function jointVote(
  incoming: readonly RaftId[],
  outgoing: readonly RaftId[],
  voteOf: (id: RaftId) => boolean | undefined,
): VoteResult {
  const first = majorityVote(incoming, voteOf);
  const second = majorityVote(outgoing, voteOf);
  if (first === second) return first;
  return first === 'lost' || second === 'lost' ? 'lost' : 'pending';
}
