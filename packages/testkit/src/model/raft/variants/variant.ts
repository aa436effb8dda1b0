import type { Patch } from '../../patches.ts';
import type { Harm } from '../harm.ts';

/** A core that is wrong by one rule: the real code with that rule left out, assertions off. */
export interface Variant {
  readonly name: string;
  /** The rule that is left out. */
  readonly rule: string;
  /** What comes of it. */
  readonly harm: Harm;
  /** The search that finds it. */
  readonly bounds: string;
  /** Too far from the beginning to be looked for breadth first: what is told is a way, and not the shortest one. */
  readonly isDeep?: true;
  readonly patches: readonly Patch[];
}

/** Paths are short: `election.ts`. */
export function patch(file: string, find: string, replace: string): Patch {
  return { file: `packages/raft/src/${file}`, find, replace };
}
