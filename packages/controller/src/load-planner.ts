import { assert, must } from '@flotilla/base';
import { limits } from '@flotilla/wire';
import { LOAD_MAX } from './loads.ts';

/**
 * Levels the load of groups that are level in shards already, by moving single shards where a group has one more
 * than another, and by exchanging two shards otherwise. A pure function, like the planner.
 *
 * Copying is work too, and loads are never twice the same. So nothing happens until the heaviest group bears more
 * than 1.25 times the mean; then it is relieved until none bears more than 1.10 times the mean, or nothing helps.
 * An exchange that would take less than a hundredth of what a group bears too much is not worth it. A group that
 * cannot be relieved, since one shard is its load, is set aside, and the others are looked at in the same way:
 * that is what keeps hot shards apart while there are groups without any.
 */

export interface LoadInput {
  /** Indexed by shard: the group that will hold it. */
  readonly homes: readonly number[];
  /** Indexed by shard: whole numbers. */
  readonly loads: readonly number[];
  /** Indexed by shard. */
  readonly mayMove: readonly boolean[];
  /** Groups that may hold shards. */
  readonly groups: readonly number[];
}

/** Replicas decide by these at apply, as by all of the planner: a change needs a new entry format. */
export const loadLimits = {
  /** Shards that one call moves. */
  movesMax: 16,
  /** Groups that one call sets aside: each costs a look at all others. */
  asideMax: 64,
  /** Balancing begins above so many twentieths of the mean, */
  begin: 25,
  /** and ends at or below so many. */
  end: 22,
} as const;

/** A step relieves a group of at least this part of what it bears too much. */
const GAIN_PART = 100;

assert(
  loadLimits.begin > loadLimits.end && loadLimits.end > 20,
  'balancing ends closer to the mean than it begins',
);
assert(
  LOAD_MAX * limits.shardCountMax * limits.groupsMax * 20 <= Number.MAX_SAFE_INTEGER,
  'loads are compared exactly',
);

/** New homes by shard. */
export function levelLoads(input: LoadInput): ReadonlyMap<number, number> {
  const moved = new Map<number, number>();
  let active: readonly Bearer[] = bearersOf(input);
  let hasBegun = false;
  let aside = 0;
  while (active.length > 1 && moved.size < loadLimits.movesMax) {
    const total = active.reduce((sum, bearer) => sum + bearer.load, 0);
    const heaviest = active.reduce((most, bearer) => (bearer.load > most.load ? bearer : most));
    const bound = hasBegun ? loadLimits.end : loadLimits.begin;
    if (heaviest.load * active.length * 20 <= total * bound) break;
    const excess = heaviest.load - Math.floor(total / active.length);
    const step = bestStep(active, heaviest, excess, loadLimits.movesMax - moved.size);
    if (step === undefined) {
      if (++aside > loadLimits.asideMax) break;
      active = active.filter((bearer) => bearer !== heaviest);
      hasBegun = false;
      continue;
    }
    hand(heaviest, step.receiver, step.give, moved);
    if (step.take !== undefined) hand(step.receiver, heaviest, step.take, moved);
    hasBegun = true;
  }
  return moved;
}

interface Loaded {
  readonly shard: number;
  readonly load: number;
}

/** A group and what it bears. */
interface Bearer {
  readonly gid: number;
  load: number;
  /** Its shards, those that may not move included. */
  count: number;
  /** Those that may move, ascending load. Each moves once. */
  movable: readonly Loaded[];
}

function bearersOf({ homes, loads, mayMove, groups }: LoadInput): readonly Bearer[] {
  const bearers = new Map<number, Bearer & { movable: Loaded[] }>();
  for (const gid of [...groups].sort((left, right) => left - right)) {
    bearers.set(gid, { gid, load: 0, count: 0, movable: [] });
  }
  for (const [shard, home] of homes.entries()) {
    const bearer = must(bearers.get(home), 'every shard has a live home when loads are levelled');
    const load = must(loads[shard], 'every shard has a load');
    bearer.load += load;
    bearer.count++;
    if (mayMove[shard] === true) bearer.movable.push({ shard, load });
  }
  for (const { movable } of bearers.values()) {
    movable.sort((left, right) => left.load - right.load || left.shard - right.shard);
  }
  return [...bearers.values()];
}

interface Step {
  readonly receiver: Bearer;
  readonly give: Loaded;
  /** Undefined for a move without exchange. */
  readonly take: Loaded | undefined;
  /** By how much the heavier of the two becomes lighter. */
  readonly relief: number;
}

function cost(step: Step): number {
  return step.take === undefined ? 1 : 2;
}

/** The step that relieves most; of equals the cheaper, then the first by receiver and load. */
function bestStep(
  active: readonly Bearer[],
  donor: Bearer,
  excess: number,
  movesLeft: number,
): Step | undefined {
  let best: Step | undefined;
  const offer = (receiver: Bearer, give: Loaded, take: Loaded | undefined): void => {
    const shift = give.load - (take?.load ?? 0);
    const relief = Math.min(shift, donor.load - receiver.load - shift);
    if (relief <= 0 || relief * GAIN_PART < excess) return;
    const step = { receiver, give, take, relief };
    const isBetter =
      best === undefined || relief > best.relief || (relief === best.relief && cost(step) < cost(best));
    if (isBetter) best = step;
  };
  for (const receiver of active) {
    if (receiver.load >= donor.load) continue;
    const half = (donor.load - receiver.load) / 2;
    for (const give of donor.movable) {
      // Only so do the two keep their sizes, whoever has which.
      if (donor.count === receiver.count + 1) offer(receiver, give, undefined);
      if (movesLeft < 2) continue;
      const at = firstAtLeast(receiver.movable, give.load - half);
      for (const take of receiver.movable.slice(Math.max(0, at - 1), at + 1)) offer(receiver, give, take);
    }
  }
  return best;
}

function firstAtLeast(sorted: readonly Loaded[], load: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as Loaded).load < load) low = middle + 1;
    else high = middle;
  }
  return low;
}

function hand(from: Bearer, to: Bearer, { shard, load }: Loaded, moved: Map<number, number>): void {
  from.movable = from.movable.filter((each) => each.shard !== shard);
  from.load -= load;
  from.count--;
  to.load += load;
  to.count++;
  moved.set(shard, to.gid);
}
