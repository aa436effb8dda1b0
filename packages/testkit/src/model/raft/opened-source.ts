import type { Rewriting } from '../patches.ts';

/** The core with its private names made plain ones, so that the model can read and restore what a node knows. */
export const opened: Rewriting = {
  folder: 'packages/raft/src/',
  rewritten: (text) => text.replaceAll(/#(?=[a-z])/g, '$'),
};
