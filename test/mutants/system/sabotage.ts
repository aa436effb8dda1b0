import type { SimulationOptions } from '@flotilla/testkit';
import type { Patch } from '@flotilla/testkit/internal';

/** A wrong system that breaks one rule. */
export interface Sabotage {
  readonly name: string;
  /** The rule as it should be. */
  readonly rule: string;
  /** The checks of the simulator of which any may notice it. */
  readonly checkers: readonly string[];
  /** The clusters in which it is looked for: such as any seed may make, but with more of what it takes. */
  readonly world: World;
  readonly patches: readonly Patch[];
}

export type World = Omit<SimulationOptions, 'seed' | 'trace'>;

/** Sabotages as rows: name, rule, checks, world, changes. */
export type Row = readonly [
  name: string,
  rule: string,
  checkers: readonly string[],
  world: World,
  ...patches: readonly Patch[],
];

export function sabotagesOf(rows: readonly Row[]): readonly Sabotage[] {
  return rows.map(([name, rule, checkers, world, ...patches]) => ({ name, rule, checkers, world, patches }));
}
