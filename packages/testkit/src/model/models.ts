import { allBounds as moveBounds } from './move/bounds.ts';
import { variants as moveVariants } from './move/variants/index.ts';
import type { Patch } from './patches.ts';
import { allBounds as raftBounds } from './raft/bounds.ts';
import { variants as raftVariants } from './raft/variants/index.ts';

// What can be explored, by name. Nothing of the code that is explored may be imported here: it is loaded behind its
// patches (`search-child.ts`).

/** A small world, as far as whoever starts the searches needs to know it. */
export interface SearchBounds {
  readonly name: string;
  readonly about: string;
  /** Takes minutes. */
  readonly isLarge: boolean;
  /** Too large to be explored: random walks. */
  readonly walks: boolean;
  readonly patches: readonly Patch[];
}

/** What is explored, with one rule left out. */
export interface WrongRule {
  readonly name: string;
  readonly rule: string;
  readonly harm: string;
  /** The search that finds it. */
  readonly bounds: string;
  readonly isDeep?: true;
  readonly patches: readonly Patch[];
}

export interface Model {
  readonly name: string;
  readonly about: string;
  /** What the wrong ones are called. */
  readonly wrongName: string;
  readonly bounds: readonly SearchBounds[];
  readonly variants: readonly WrongRule[];
  /** Searches of one process have equal shares of its time; else each has all that those before it left. */
  readonly sharesTime: boolean;
}

export const models: readonly Model[] = [
  {
    name: 'move',
    about: 'moves of one shard in the real groups and the real controller',
    wrongName: 'protocol',
    bounds: moveBounds,
    variants: moveVariants,
    sharesTime: true,
  },
  {
    name: 'raft',
    about: 'three nodes with the real consensus core, their disks and their network',
    wrongName: 'core',
    bounds: raftBounds,
    variants: raftVariants,
    sharesTime: false,
  },
];
