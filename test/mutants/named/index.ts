import { commits } from './commits.ts';
import { elections, preVotes } from './elections.ts';
import { flow } from './flow.ts';
import { leases } from './leases.ts';
import { membership, transfers } from './membership.ts';
import type { Mutant } from './mutant.ts';
import { reads, tickLeases } from './reads.ts';
import { snapshots } from './snapshots.ts';
import { writes } from './writes.ts';

export type { Mutant } from './mutant.ts';

/** All named mutants of `raft`. */
export const mutants: readonly Mutant[] = [
  ...elections,
  ...preVotes,
  ...commits,
  ...flow,
  ...snapshots,
  ...membership,
  ...transfers,
  ...reads,
  ...tickLeases,
  ...writes,
  ...leases,
];
