import type { ConfState, RaftId } from '@flotilla/base';

/** Worked out by looking at every set of nodes, so that it shares nothing with the arithmetic of the core. */

const ALL = 0b111;

function holdsMajority(set: number, voters: readonly RaftId[]): boolean {
  let count = 0;
  for (const id of voters) if ((set & (1 << (id - 1))) !== 0) count++;
  return voters.length === 0 || count * 2 > voters.length;
}

/** The set of nodes (bit `id - 1` for each) can decide for the configuration. */
export function decides(set: number, { voters, votersOutgoing }: ConfState): boolean {
  return holdsMajority(set, voters) && holdsMajority(set, votersOutgoing);
}

/** The same sets decide for both. */
export function decideAlike(left: ConfState, right: ConfState): boolean {
  for (let set = 0; set <= ALL; set++) if (decides(set, left) !== decides(set, right)) return false;
  return true;
}

/** Whatever set decides for one, it shares a node with every set that decides for the other. */
export function quorumsMeet(left: ConfState, right: ConfState): boolean {
  for (let one = 0; one <= ALL; one++) {
    // The complement of a set is the largest one without its nodes.
    if (decides(one, left) && decides(ALL & ~one, right)) return false;
  }
  return true;
}
