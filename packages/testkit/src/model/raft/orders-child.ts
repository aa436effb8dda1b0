import { loadWith } from '../patches.ts';
import type { Fault } from '../search.ts';
import { allBounds, type Bounds } from './bounds.ts';
import { opened } from './opened-source.ts';

/**
 * Explores a search twice: in every order of events and with all messages ever sent, and with as few of both as it makes
 * do with. Prints how many states each
 * took, how many different nodes were in them, and how many nodes only one of the two met.
 */

function found<T>(what: T | undefined): T {
  if (what === undefined) throw new Error(`usage: orders-child.ts SEARCH`);
  return what;
}

const bounds: Bounds = found(allBounds.find(({ name }) => name === process.argv[2]));
loadWith([], opened);
// Behind the patches, since a module that is loaded already would stay as it is.
const [{ CoveringSearch }, { RaftWorld }, { RENAMINGS, NODES }] = await Promise.all([
  import('../covering-search.ts'),
  import('./raft-world.ts'),
  import('./raft-model.ts'),
]);

class WatchedWorld extends RaftWorld {
  readonly cells = new Set<number>();

  override fault(row: Uint32Array): Fault | undefined {
    for (let at = 0; at < NODES; at++) this.cells.add(row[at] as number);
    return super.fault(row);
  }

  /**
   * Nodes under the names that make their bytes least: names differ with the order in which states were found. Without
   * the answers that wait for a write: where messages come again and again, some of them were given before.
   */
  nodes(): ReadonlySet<string> {
    const { machine } = this.model;
    const least = (cell: number): string | undefined => {
      const replica = machine.replica(cell);
      replica.writes = replica.writes.map((write) => ({ ...write, toOthers: [] }));
      return RENAMINGS.map((renaming) => String(replica.freeze(renaming))).sort()[0];
    };
    return new Set([...this.cells].map((cell) => found(least(cell))));
  }
}

function explore(
  allOrders: boolean,
  dropsOld: boolean,
): { readonly states: number; readonly nodes: ReadonlySet<string> } {
  const world = new WatchedWorld({ ...bounds, allOrders, dropsOld });
  const limits = { seconds: 600, states: 10_000_000, sought: undefined, followsWaysHome: false };
  const { states, isWhole } = new CoveringSearch(world, limits).run();
  if (!isWhole) throw new Error(`${bounds.name} has no end`);
  return { states, nodes: world.nodes() };
}

const [every, fewer] = [explore(true, false), explore(false, true)];
const both = [...fewer.nodes].filter((node) => every.nodes.has(node)).length;
const onlyOne = every.nodes.size + fewer.nodes.size - 2 * both;
console.log(JSON.stringify({ states: [every.states, fewer.states], nodes: fewer.nodes.size, onlyOne }));
