/** The keys of a workload by what is done to them. Each kind has checks of its own. */

export interface KeySpace {
  /** Everything happens to these; linearizability is their check. */
  readonly registers: readonly string[];
  /** Only appended to, with unique ids. */
  readonly lists: readonly string[];
  /** Only incremented. */
  readonly counters: readonly string[];
}

export function keySpace(registers: number, lists: number, counters: number): KeySpace {
  const names = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, at) => `${prefix}/${String(at).padStart(3, '0')}`);
  return {
    registers: names('reg', registers),
    lists: names('list', lists),
    counters: names('sum', counters),
  };
}

export function allKeys(keys: KeySpace): readonly string[] {
  return [...keys.registers, ...keys.lists, ...keys.counters];
}
