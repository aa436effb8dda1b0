import { assert, must } from '@flotilla/base';
import type { ClusterConfig } from '@flotilla/wire';

/**
 * Which shards should go where. A pure function of the map and the groups that may hold shards, so that every
 * replica of the controller group, and `--plan` before anything happens, reach the same result.
 *
 * A shard counts for the group that will hold it when all open moves are done. Wanted: every live group
 * within one shard of every other, by the fewest moves. With S shards and n groups that fixes the sizes:
 * S mod n groups hold one more than the others, and moves are saved by letting those be the largest ones of
 * today. Then exactly the homeless shards and what is above a group's size have to move.
 */

export interface PlanShard {
  /** gid that serves the shard; 0 while nobody does. */
  readonly owner: number;
  /** Where an open move brings it. */
  readonly target: number | undefined;
}

export interface PlanInput {
  /** Indexed by shard. */
  readonly shards: readonly PlanShard[];
  /** Groups that may hold shards, in any order: those that leave are not among them. */
  readonly groups: readonly number[];
}

export interface PlannedMove {
  readonly shard: number;
  /** Holder when all open moves are done; 0 for none. */
  readonly from: number;
  readonly to: number;
  /** The shard has an open move, which must be cancelled or wait first. */
  readonly redirects: boolean;
}

export function planInput(config: ClusterConfig): PlanInput {
  return {
    shards: config.shards.map((shard) => ({ owner: shard.owner, target: shard.intent?.target })),
    groups: config.groups.filter((group) => !group.leaving).map((group) => group.gid),
  };
}

/** The fewest moves after which every shard has a live holder and groups are within one shard of each other. */
export function plan(input: PlanInput): readonly PlannedMove[] {
  const holdings = holdingsOf(input);
  const groups = [...holdings.byGroup.values()];
  if (groups.length === 0) return [];
  const least = Math.floor(input.shards.length / groups.length);
  let larger = input.shards.length % groups.length;
  // A place above the least saves a move where a group holds more, and a shard on its way from being turned
  // round where all that would move is on its way.
  const saved = ({ held, resting }: Holding): number =>
    (held.length > least ? 1 : 0) + (held.length - least > resting ? 1 : 0);
  groups.sort((left, right) => saved(right) - saved(left) || largestFirst(left, right));
  for (const group of groups) group.size = larger-- > 0 ? least + 1 : least;
  return deal(input, holdings);
}

/** Gives homeless shards to the smallest groups and leaves all others where they are. */
export function planHomeless(input: PlanInput): readonly PlannedMove[] {
  const holdings = holdingsOf(input);
  const groups = [...holdings.byGroup.values()].sort(smallestFirst);
  if (groups.length === 0) return [];
  // Raises the smallest groups together, like water, until the homeless shards are used up.
  let left = holdings.homeless.length;
  let level = 0;
  let wet = 0;
  for (const [at, group] of groups.entries()) {
    const cost = (group.held.length - level) * at;
    if (cost > left) break;
    left -= cost;
    level = group.held.length;
    wet = at + 1;
  }
  level += Math.floor(left / wet);
  left %= wet;
  for (const [at, group] of groups.entries()) {
    group.size = at < wet ? level + (at < left ? 1 : 0) : group.held.length;
  }
  return deal(input, holdings);
}

interface Holding {
  readonly gid: number;
  /** Shards in ascending order. */
  readonly held: number[];
  /** How many of these have no open move. */
  resting: number;
  /** How many it shall hold. */
  size: number;
}

interface Holdings {
  /** Ascending gid. */
  readonly byGroup: ReadonlyMap<number, Holding>;
  readonly homeless: readonly number[];
}

function holder(shard: PlanShard): number {
  return shard.target ?? shard.owner;
}

function holdingsOf(input: PlanInput): Holdings {
  const byGroup = new Map<number, Holding>();
  for (const gid of [...input.groups].sort((left, right) => left - right)) {
    assert(gid > 0 && !byGroup.has(gid), () => `group ${gid} cannot be planned for`);
    byGroup.set(gid, { gid, held: [], resting: 0, size: 0 });
  }
  const homeless: number[] = [];
  input.shards.forEach((shard, number) => {
    const group = byGroup.get(holder(shard));
    (group?.held ?? homeless).push(number);
    if (group !== undefined && shard.target === undefined) group.resting++;
  });
  return { byGroup, homeless };
}

function largestFirst(left: Holding, right: Holding): number {
  return right.held.length - left.held.length || left.gid - right.gid;
}

function smallestFirst(left: Holding, right: Holding): number {
  return left.held.length - right.held.length || left.gid - right.gid;
}

/** Moves what is homeless or above its group's size to the groups below theirs, both in ascending order. */
function deal(input: PlanInput, holdings: Holdings): readonly PlannedMove[] {
  const moving = [...holdings.homeless];
  const takers: Holding[] = [];
  for (const group of holdings.byGroup.values()) {
    const excess = group.held.length - group.size;
    if (excess < 0) takers.push(group);
    if (excess <= 0) continue;
    // Shards at rest go first: a shard on its way would have to be turned round.
    const byEase = [...group.held].sort((left, right) => onItsWay(input, left) - onItsWay(input, right));
    moving.push(...byEase.slice(0, excess));
  }
  moving.sort((left, right) => left - right);
  const places = takers.flatMap((group) => new Array<number>(group.size - group.held.length).fill(group.gid));
  assert(places.length === moving.length, 'every moving shard has one place');
  return moving.map((number, at) => {
    const shard = must(input.shards[number], 'a planned shard exists');
    const to = places[at] as number;
    return { shard: number, from: holder(shard), to, redirects: shard.target !== undefined };
  });
}

function onItsWay(input: PlanInput, shard: number): number {
  return input.shards[shard]?.target === undefined ? 0 : 1;
}
