import type { Patch } from '@flotilla/testkit/internal';
import type { Suite } from '../suites.ts';

/** A wrong core, or a wrong host, that breaks one rule. */
export interface Mutant {
  readonly name: string;
  /** The rule as it should be. */
  readonly rule: string;
  /** Where it comes from: paper, thesis, etcd's raft, or a decision of this project. */
  readonly source: string;
  readonly suite: Suite;
  readonly patches: readonly Patch[];
}

export type Change = (find: string, replace: string) => Patch;

/** A change of one place in a file of a package. */
export function changeOf(path: string): Change {
  const at = path.indexOf('/');
  const file = `packages/${path.slice(0, at)}/src/${path.slice(at + 1)}`;
  return (find, replace) => ({ file, find, replace });
}

/** Mutants of the core, as rows: name, rule, source, changes. */
export type Row = readonly [name: string, rule: string, source: string, ...patches: readonly Patch[]];

export function mutantsOf(suite: Suite, rows: readonly Row[]): readonly Mutant[] {
  return rows.map(([name, rule, source, ...patches]) => ({ name, rule, source, suite, patches }));
}
