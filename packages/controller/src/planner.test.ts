import { Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import { type PlanInput, type PlannedMove, type PlanShard, plan, planHomeless } from './planner.ts';

function holders(input: PlanInput): number[] {
  return input.shards.map((shard) => shard.target ?? shard.owner);
}

function after(input: PlanInput, moves: readonly PlannedMove[]): number[] {
  const now = holders(input);
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

/** Owners and targets from groups 0 to `gidMax`, of which only some are live. */
function randomInput(random: Prng, shardsMax: number, gidMax: number): PlanInput {
  const groups = Array.from({ length: gidMax }, (_, at) => at + 1).filter(() => random.chance(0.7));
  if (groups.length === 0) groups.push(1);
  const shards = Array.from({ length: 1 + random.below(shardsMax) }, (): PlanShard => {
    const owner = random.below(gidMax + 1);
    return { owner, target: random.chance(0.4) ? 1 + random.below(gidMax) : undefined };
  });
  return { shards, groups };
}

test('a plan balances within one shard by as few moves as any placement of all shards can', () => {
  const random = new Prng(11);
  for (let run = 0; run < 400; run++) {
    const input = randomInput(random, 6, 3);
    const now = holders(input);
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

test('a plan turns as few open moves round as any other plan of that size', () => {
  const random = new Prng(12);
  for (let run = 0; run < 1500; run++) {
    const input = randomInput(random, 6, 3);
    const now = holders(input);
    const moves = plan(input);
    let fewest = Number.POSITIVE_INFINITY;
    for (const placement of placements(now.length, input.groups)) {
      const moved = placement.flatMap((gid, shard) => (gid === now[shard] ? [] : [shard]));
      if (spread(placement, input.groups) > 1 || moved.length !== moves.length) continue;
      fewest = Math.min(fewest, moved.filter((shard) => input.shards[shard]?.target !== undefined).length);
    }
    expect(moves.filter((move) => move.redirects).length).toBe(fewest);
  }
});

test('a plan names each shard once, says where it comes from, and moves none to where it is', () => {
  const random = new Prng(13);
  for (let run = 0; run < 500; run++) {
    const input = randomInput(random, 40, 5);
    const now = holders(input);
    const moves = plan(input);
    expect(moves.map((move) => move.shard)).toEqual(
      [...new Set(moves.map((move) => move.shard))].sort((left, right) => left - right),
    );
    for (const move of moves) {
      expect(move.from).toBe(now[move.shard]);
      expect(move.to).not.toBe(move.from);
      expect(input.groups).toContain(move.to);
    }
  }
});

test('planning again changes nothing, and the order in which groups are named does not matter', () => {
  const random = new Prng(14);
  for (let run = 0; run < 500; run++) {
    const input = randomInput(random, 40, 5);
    const moves = plan(input);
    const shards = after(input, moves).map((owner) => ({ owner, target: undefined }));
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
    const blank = Array.from({ length: 1 + random.below(300) }, () => ({ owner: 0, target: undefined }));
    const place = (input: PlanInput): PlanShard[] =>
      after(input, plan(input)).map((owner) => ({ owner, target: undefined }));

    const few = place({ shards: blank, groups: some });
    for (const move of plan({ shards: few, groups: all })) expect(some).not.toContain(move.to);
    const many = place({ shards: blank, groups: all });
    for (const move of plan({ shards: many, groups: some })) expect(some).not.toContain(move.from);
  }
});

test('64 shards on two groups give 21 to a third, and a leave of the first then moves 21 or 22', () => {
  const owned = (sizes: Readonly<Record<number, number>>): PlanShard[] =>
    Object.entries(sizes).flatMap(([gid, size]) =>
      new Array<PlanShard>(size).fill({ owner: Number(gid), target: undefined }),
    );
  expect(plan({ shards: owned({ 1: 32, 2: 32 }), groups: [1, 2, 3] })).toHaveLength(21);
  expect(plan({ shards: owned({ 1: 22, 2: 21, 3: 21 }), groups: [2, 3] })).toHaveLength(22);
});

test('without a live group nothing can be planned, and more groups than shards leave some empty', () => {
  const shards = [{ owner: 4, target: undefined }];
  expect(plan({ shards, groups: [] })).toEqual([]);
  expect(planHomeless({ shards, groups: [] })).toEqual([]);
  expect(plan({ shards, groups: [1, 2, 3] })).toEqual([{ shard: 0, from: 4, to: 1, redirects: false }]);
});

test('homeless shards alone are spread as evenly as the owned ones allow', () => {
  const random = new Prng(16);
  for (let run = 0; run < 300; run++) {
    const input = randomInput(random, 6, 3);
    const now = holders(input);
    const live = (shard: number): boolean => input.groups.includes(now[shard] as number);
    const moves = planHomeless(input);
    expect(moves.map((move) => move.shard)).toEqual(now.flatMap((_, shard) => (live(shard) ? [] : [shard])));
    // The sum of squares is least exactly for the most even sizes that can be reached.
    const squares = (placed: readonly number[]): number =>
      input.groups.reduce((sum, gid) => sum + placed.filter((holder) => holder === gid).length ** 2, 0);
    let least = Number.POSITIVE_INFINITY;
    for (const placement of placements(now.length, input.groups)) {
      if (placement.some((gid, shard) => live(shard) && gid !== now[shard])) continue;
      least = Math.min(least, squares(placement));
    }
    expect(squares(after(input, moves))).toBe(least);
  }
});
