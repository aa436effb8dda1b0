import { createRequire } from 'node:module';
import type sorted from 'sorted-btree';
import { compareText } from './key-text.ts';

/**
 * B+ tree of `sorted-btree`, ordered by key text. The package is CommonJS with a `default` field, which Node
 * and bundling test runners unwrap differently; `require` gives the same object everywhere.
 */
export type SortedTree<V> = sorted.default<string, V>;

const { default: BTree } = createRequire(import.meta.url)('sorted-btree') as typeof sorted;

export function sortedTree<V>(): SortedTree<V> {
  return new BTree<string, V>(undefined, compareText);
}
