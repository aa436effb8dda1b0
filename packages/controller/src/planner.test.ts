import { Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import { type PlanInput, type PlannedMove, type PlanShard, plan, planStrays } from './planner.ts';

function homes(input: PlanInput): number[] {
  return input.shards.map((shard) => shard.home);
}

/** A shard that its owner keeps. */
function resting(owner: number): PlanShard {
  return { owner, home: owner, isMoving: false, isPinned: false };
}

function after(input: PlanInput, moves: readonly PlannedMove[]): number[] {
  const now = homes(input);
  for (const move of moves) now[move.shard] = move.to;
  return now;
}

function spread(holders: readonly number[], groups: readonly number[]): number {
  const sizes = groups.map((gid) => holders.filter((holder) => holder === gid).length);
  return Math.max(...sizes) - Math.min(...sizes);
}

/** Every way to place the shards, in all. */
function* placements(shards: number, groups: readonly number[]): Generator<number[]> {
  const total = groups.length ** shards;
  for (let code = 0; code < total; code++) {
    let rest = code;
    yield Array.from({ length: shards }, () => {
      const gid = groups[rest % groups.length] as number;
      rest = Math.floor(rest / groups.length);
      return gid;
    });
  }
}

interface Chances {
  readonly moving?: number;
  readonly pinned?: number;
}

/** Owners and homes from groups 0 to `gidMax`, of which only some are live. */
function randomInput(random: Prng, shardsMax: number, gidMax: number, chances: Chances = {}): PlanInput {
  const groups = Array.from({ length: gidMax }, (_, at) => at + 1).filter(() => random.chance(0.7));
  if (groups.length === 0) groups.push(1);
  const shards = Array.from({ length: 1 + random.below(shardsMax) }, (): PlanShard => {
    const owner = random.below(gidMax + 1);
    const isPinned = random.chance(chances.pinned ?? 0);
    if (!random.chance(chances.moving ?? 0.4)) return { ...resting(owner), isPinned };
    return { owner, home: 1 + random.below(gidMax), isMoving: random.chance(0.7), isPinned };
  });
  return { shards, groups };
}

test('a plan balances within one shard by as few moves as any placement of all shards can', () => {
  const random = new Prng(11);
  for (let run = 0; run < 400; run++) {
    const input = randomInput(random, 6, 3);
    const now = homes(input);
    let fewest = Number.POSITIVE_INFINITY;
    for (const placement of placements(now.length, input.groups)) {
      if (spread(placement, input.groups) > 1) continue;
      fewest = Math.min(fewest, placement.filter((gid, shard) => gid !== now[shard]).length);
    }
    const moves = plan(input);
    expect(moves.length).toBe(fewest);
    expect(spread(after(input, moves), input.groups)).toBeLessThanOrEqual(1);
  }
});

test('where no shard can go back, a plan turns as few copies round as any other plan of that size', () => {
  const random = new Prng(12);
  for (let run = 0; run < 1500; run++) {
    const drawn = randomInput(random, 6, 3);
    // Owners that are gone: nothing but the homes can be told apart.
    const input = { ...drawn, shards: drawn.shards.map((shard) => ({ ...shard, owner: 9 })) };
    const now = homes(input);
    const moves = plan(input);
    const turned = (shards: readonly number[]): number =>
      shards.filter((shard) => input.shards[shard]?.isMoving).length;
    let fewest = Number.POSITIVE_INFINITY;
    for (const placement of placements(now.length, input.groups)) {
      const moved = placement.flatMap((gid, shard) => (gid === now[shard] ? [] : [shard]));
      if (spread(placement, input.groups) > 1 || moved.length !== moves.length) continue;
      // A shard without a live home has to be planned elsewhere in any case.
      fewest = Math.min(fewest, turned(moved));
    }
    expect(turned(moves.map((move) => move.shard))).toBe(fewest);
  }
});

test('a leave takes back the join before it, and a join the leave before it: all shards stay with their owners', () => {
  for (const shards of [1, 7, 64, 255]) {
    const blank: PlanShard[] = Array.from({ length: shards }, () => resting(0));
    const owners = after({ shards: blank, groups: [1, 2, 3] }, plan({ shards: blank, groups: [1, 2, 3] }));
    const begin = (moves: readonly PlannedMove[], from: readonly PlanShard[]): PlanShard[] => {
      const to = new Map(moves.map((move) => [move.shard, move.to]));
      return from.map((shard, number) => {
        const home = to.get(number) ?? shard.home;
        return { ...shard, home, isMoving: home !== shard.owner };
      });
    };
    const settled = owners.map(resting);
    const joined = begin(plan({ shards: settled, groups: [1, 2, 3, 4] }), settled);
    const left = begin(plan({ shards: joined, groups: [1, 2, 3] }), joined);
    expect(left.map((shard) => shard.home)).toEqual(owners);

    const gone = begin(plan({ shards: settled, groups: [1, 3] }), settled);
    const back = begin(plan({ shards: gone, groups: [1, 2, 3] }), gone);
    const copied = back.filter((shard) => shard.home !== shard.owner);
    // One may go on where either group may have the odd shard.
    expect(copied.length).toBeLessThanOrEqual(1);
  }
});

test('a plan names each shard once, says where it comes from, and moves none to where it is', () => {
  const random = new Prng(13);
  for (let run = 0; run < 500; run++) {
    const input = randomInput(random, 40, 5);
    const now = homes(input);
    const moves = plan(input);
    expect(moves.map((move) => move.shard)).toEqual(
      [...new Set(moves.map((move) => move.shard))].sort((left, right) => left - right),
    );
    for (const { shard, from, to } of moves) {
      const fits = from === input.shards[shard]?.owner && to !== now[shard] && input.groups.includes(to);
      expect(fits).toBe(true);
    }
  }
});

test('planning again changes nothing, and the order in which groups are named does not matter', () => {
  const random = new Prng(14);
  for (let run = 0; run < 500; run++) {
    const input = randomInput(random, 40, 5);
    const moves = plan(input);
    const shards = after(input, moves).map(resting);
    expect(plan({ shards, groups: input.groups })).toEqual([]);
    expect(plan({ ...input, groups: [...input.groups].reverse() })).toEqual(moves);
  }
});

test('a join moves shards to the new groups only, a leave from the leaving groups only', () => {
  const random = new Prng(15);
  for (let run = 0; run < 200; run++) {
    const gids = Array.from({ length: 12 }, (_, at) => 100 + at * 10);
    const cut = 1 + random.below(11);
    const [some, all] = [gids.slice(0, cut), gids];
    const blank = Array.from({ length: 1 + random.below(300) }, () => resting(0));
    const place = (input: PlanInput): PlanShard[] => after(input, plan(input)).map(resting);

    const few = place({ shards: blank, groups: some });
    const toOld = plan({ shards: few, groups: all }).filter((move) => some.includes(move.to));
    const many = place({ shards: blank, groups: all });
    const fromOld = plan({ shards: many, groups: some }).filter((move) => some.includes(move.from));
    expect([toOld, fromOld]).toEqual([[], []]);
  }
});

test('64 shards on two groups give 21 to a third, and a leave of the first then moves 21 or 22', () => {
  const owned = (sizes: Readonly<Record<number, number>>): PlanShard[] =>
    Object.entries(sizes).flatMap(([gid, size]) => new Array<PlanShard>(size).fill(resting(Number(gid))));
  expect(plan({ shards: owned({ 1: 32, 2: 32 }), groups: [1, 2, 3] })).toHaveLength(21);
  expect(plan({ shards: owned({ 1: 22, 2: 21, 3: 21 }), groups: [2, 3] })).toHaveLength(22);
});

test('without a live group nothing can be planned, and more groups than shards leave some empty', () => {
  const shards = [resting(4)];
  expect(plan({ shards, groups: [] })).toEqual([]);
  expect(planStrays({ shards, groups: [] }, [0])).toEqual([]);
  expect(plan({ shards, groups: [1, 2, 3] })).toEqual([{ shard: 0, from: 4, to: 1 }]);
});

test('stray shards are spread as evenly as the others allow, which stay where they are', () => {
  const random = new Prng(16);
  for (let run = 0; run < 300; run++) {
    const drawn = randomInput(random, 6, 3);
    const strays = drawn.shards.flatMap((shard, number) =>
      !drawn.groups.includes(shard.home) || random.chance(0.2) ? [number] : [],
    );
    const now = homes(drawn);
    const moves = planStrays(drawn, strays);
    expect(moves.map((move) => move.shard)).toEqual(strays);
    // The sum of squares is least exactly for the most even sizes that can be reached.
    const squares = (placed: readonly number[]): number =>
      drawn.groups.reduce((sum, gid) => sum + placed.filter((home) => home === gid).length ** 2, 0);
    let least = Number.POSITIVE_INFINITY;
    for (const placement of placements(now.length, drawn.groups)) {
      if (placement.some((gid, shard) => !strays.includes(shard) && gid !== now[shard])) continue;
      least = Math.min(least, squares(placement));
    }
    expect(squares(after(drawn, moves))).toBe(least);
  }
});

test('pinned shards stay, and the others are as even as these allow, by as few moves as that takes', () => {
  const random = new Prng(17);
  for (let run = 0; run < 400; run++) {
    const input = randomInput(random, 6, 3, { pinned: 0.4 });
    const now = homes(input);
    const isFixed = (shard: number): boolean =>
      input.shards[shard]?.isPinned === true && input.groups.includes(now[shard] as number);
    const squares = (placed: readonly number[]): number =>
      input.groups.reduce((sum, gid) => sum + placed.filter((home) => home === gid).length ** 2, 0);
    let best = { squares: Number.POSITIVE_INFINITY, moved: 0 };
    for (const placement of placements(now.length, input.groups)) {
      if (placement.some((gid, shard) => isFixed(shard) && gid !== now[shard])) continue;
      const found = {
        squares: squares(placement),
        moved: placement.filter((gid, shard) => gid !== now[shard]).length,
      };
      const isBetter =
        found.squares < best.squares || (found.squares === best.squares && found.moved < best.moved);
      if (isBetter) best = found;
    }
    const moves = plan(input);
    expect({ squares: squares(after(input, moves)), moved: moves.length }).toEqual(best);
    for (const move of moves) expect(isFixed(move.shard)).toBe(false);
  }
});
