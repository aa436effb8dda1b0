import { assert, must } from '@flotilla/base';
import { type ClusterConfig, MovePhase } from '@flotilla/wire';
import { homeOf } from './intents.ts';

/**
 * Which shards should go where. A pure function of the map and the groups that may hold shards, so that every
 * replica of the controller group, and `--plan` before anything happens, reach the same result.
 *
 * A shard counts for its home: the group that will hold it when all open moves are done. Wanted: every live
 * group within one shard of every other, by the fewest changes of home. With S shards and n groups that fixes
 * the sizes: S mod n groups hold one more than the others, and changes are saved by letting those be the
 * largest ones of today. Then exactly the homeless shards and what is above a group's size have to change.
 * Among these plans the copying is kept small, without a proof that it is least: who can go back to its owner
 * goes back, and a copy that is under way is turned round only where nothing else could go.
 */

export interface PlanShard {
  /** gid that serves the shard, or will do so whatever is planned; 0 for none. */
  readonly owner: number;
  /** gid that holds it when all open moves are done; 0 for none. */
  readonly home: number;
  /** It is being copied to its home: planned elsewhere, it is turned round. */
  readonly isMoving: boolean;
  /** Stays at its home, if that is a live group. */
  readonly isPinned: boolean;
}

export interface PlanInput {
  /** Indexed by shard. */
  readonly shards: readonly PlanShard[];
  /** Groups that may hold shards, in any order: those that leave are not among them. */
  readonly groups: readonly number[];
}

/** A shard whose home changes. */
export interface PlannedMove {
  readonly shard: number;
  /** Its owner; 0 for none. */
  readonly from: number;
  /** Its new home, which may be the owner: then a move that was planned before is taken back. */
  readonly to: number;
}

export function planInput(config: ClusterConfig): PlanInput {
  const shards = config.shards.map((record): PlanShard => {
    const { owner, intent, pinned } = record;
    const home = homeOf(record);
    if (intent?.phase !== MovePhase.moving) return { owner, home, isMoving: false, isPinned: pinned };
    // With somewhere to go on to, the move is known to be past cancelling.
    const isMoving = intent.next === 0;
    return { owner: isMoving ? owner : intent.target, home, isMoving, isPinned: pinned };
  });
  return { shards, groups: liveGroups(config) };
}

export function liveGroups(config: ClusterConfig): readonly number[] {
  return config.groups.filter((group) => !group.leaving).map((group) => group.gid);
}

/** The fewest moves after which every shard has a live home and groups are within one shard of each other. */
export function plan(input: PlanInput): readonly PlannedMove[] {
  const groups = holdingsOf(input);
  if (groups.size === 0) return [];
  const homeless: number[] = [];
  for (const [number, shard] of input.shards.entries()) {
    const group = groups.get(shard.home);
    if (group === undefined) homeless.push(number);
    else if (shard.isPinned) group.floor++;
  }
  fill(groups, input.shards.length);
  return deal(input, groups, homeless);
}

/** Places the shards named, as evenly as the others allow, which all stay where they are. */
export function planStrays(input: PlanInput, strays: readonly number[]): readonly PlannedMove[] {
  const isStray = new Set(strays);
  const groups = holdingsOf(input, isStray);
  if (groups.size === 0) return [];
  let held = 0;
  for (const group of groups.values()) {
    group.floor = group.held.length;
    held += group.floor;
  }
  fill(groups, held + isStray.size);
  return deal(input, groups, [...isStray]);
}

interface Holding {
  readonly gid: number;
  /** Shards at home here, in ascending order. */
  readonly held: number[];
  /** How many of these may go and are not being copied. */
  resting: number;
  /** How many it holds at least. */
  floor: number;
  /** How many it shall hold. */
  size: number;
}

type Holdings = ReadonlyMap<number, Holding>;

function holdingsOf(input: PlanInput, except?: ReadonlySet<number>): Holdings {
  const groups = new Map<number, Holding>();
  for (const gid of [...input.groups].sort((left, right) => left - right)) {
    assert(gid > 0 && !groups.has(gid), () => `group ${gid} cannot be planned for`);
    groups.set(gid, { gid, held: [], resting: 0, floor: 0, size: 0 });
  }
  for (const [number, shard] of input.shards.entries()) {
    const group = groups.get(shard.home);
    if (group === undefined || except?.has(number) === true) continue;
    group.held.push(number);
    if (!shard.isMoving && !shard.isPinned) group.resting++;
  }
  return groups;
}

/** Sizes for `count` shards, as even as the floors allow: these rise together, like water, the lowest first. */
function fill(groups: Holdings, count: number): void {
  const byFloor = [...groups.values()].sort((left, right) => left.floor - right.floor);
  let left = byFloor.reduce((sum, group) => sum - group.floor, count);
  let level = 0;
  let wet = 0;
  for (const [at, group] of byFloor.entries()) {
    const cost = (group.floor - level) * at;
    if (cost > left) break;
    left -= cost;
    level = group.floor;
    wet = at + 1;
  }
  level += Math.floor(left / wet);
  left %= wet;
  for (const group of byFloor) group.size = Math.max(group.floor, level);
  const larger = byFloor.slice(0, wet).sort((one, other) => byClaim(level, one, other));
  for (const group of larger.slice(0, left)) group.size++;
}

/**
 * Who gets a place above the level. It saves a move where a group holds more, and a shard on its way from being
 * turned round where all that would go is on its way.
 */
function byClaim(level: number, left: Holding, right: Holding): number {
  const saved = ({ held, resting }: Holding): number =>
    (held.length > level ? 1 : 0) + (held.length - level > resting ? 1 : 0);
  return saved(right) - saved(left) || right.held.length - left.held.length || left.gid - right.gid;
}

/** Moves what is homeless or above its group's size to the groups below theirs. */
function deal(input: PlanInput, groups: Holdings, homeless: readonly number[]): readonly PlannedMove[] {
  const places = new Places(groups);
  const moves: PlannedMove[] = [];
  const elsewhere: number[] = [];
  const takeHome = (number: number): boolean => {
    const owner = must(input.shards[number], 'a planned shard exists').owner;
    if (!places.take(owner)) return false;
    moves.push({ shard: number, from: owner, to: owner });
    return true;
  };
  for (const group of groups.values()) elsewhere.push(...leavers(input, group, takeHome));
  for (const number of homeless) if (!takeHome(number)) elsewhere.push(number);
  elsewhere.sort((left, right) => left - right);
  const free = places.left();
  assert(free.length === elsewhere.length, 'every moving shard has one place');
  for (const [at, number] of elsewhere.entries()) {
    const { owner } = must(input.shards[number], 'a planned shard exists');
    moves.push({ shard: number, from: owner, to: free[at] as number });
  }
  return moves.sort((left, right) => left.shard - right.shard);
}

/**
 * What a group gives away to others than the owners. First go those whose owner has a place, since nothing has to
 * be copied for them; then those at rest; those on their way are the last.
 */
function leavers(
  { shards }: PlanInput,
  { held, size }: Holding,
  takeHome: (number: number) => boolean,
): readonly number[] {
  let excess = held.length - size;
  if (excess <= 0) return [];
  const rest: number[] = [];
  for (const number of held) {
    const shard = must(shards[number], 'a held shard exists');
    if (shard.isPinned) continue;
    if (excess > 0 && shard.owner !== shard.home && takeHome(number)) excess--;
    else rest.push(number);
  }
  const onItsWay = (number: number): number => (shards[number]?.isMoving === true ? 1 : 0);
  return rest.sort((left, right) => onItsWay(left) - onItsWay(right)).slice(0, excess);
}

/** Free places of the groups below their size. */
class Places {
  readonly #free = new Map<number, number>();

  constructor(groups: Holdings) {
    for (const { gid, held, size } of groups.values()) {
      if (held.length < size) this.#free.set(gid, size - held.length);
    }
  }

  /** False if the group has none. */
  take(gid: number): boolean {
    const count = this.#free.get(gid) ?? 0;
    if (count > 0) this.#free.set(gid, count - 1);
    return count > 0;
  }

  /** One gid for each place that nobody took, ascending. */
  left(): readonly number[] {
    return [...this.#free].flatMap(([gid, count]) => new Array<number>(count).fill(gid));
  }
}
