import { PairTable } from '../pair-table.ts';

/**
 * Sets of entries as numbers: the pages and changes of a move that were readable at any time. Sets only grow, by
 * what one state of a source shows, so each growth is worked out once. The empty set is 0.
 */
export class Pools {
  readonly #sets: (readonly number[])[] = [[]];
  readonly #numbers = new Map<string, number>([['', 0]]);
  readonly #grown = new PairTable();

  entries(pool: number): readonly number[] {
    return this.#sets[pool] as readonly number[];
  }

  #number(entries: readonly number[]): number {
    const key = entries.join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#sets.push(entries);
    this.#numbers.set(key, this.#sets.length - 1);
    return this.#sets.length - 1;
  }

  /** The number of a set of entries, in any order. */
  of(entries: readonly number[]): number {
    return this.#number([...new Set(entries)].sort((left, right) => left - right));
  }

  union(left: number, right: number): number {
    if (left === right || right === 0) return left;
    const known = this.#grown.get(left, right);
    if (known !== undefined) return known;
    const both = this.of([...this.entries(left), ...this.entries(right)]);
    this.#grown.set(left, right, both);
    return both;
  }
}
