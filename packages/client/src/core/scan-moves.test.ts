import { Prng, utf8Decode, utf8Encode } from '@flotilla/base';
import { expect, test } from 'vitest';
import { Harness } from '../testing/harness.ts';
import { DeleteRange } from './delete-range.ts';
import type { GetMany } from './get-many.ts';
import { boundedRange, prefixRange } from './range.ts';

// Calls that read or change many shards while the shards move: complete and without doubles, or a failure that
// says that trying again can help.

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, at) => `user:${10_000 + at}`);

/** All records of the cluster, in key order. */
const stored = (harness: Harness): string[] =>
  harness.cluster.shards.flatMap((shard) => shard.sorted().map(({ key }) => utf8Decode(key))).sort();

/** Begins a move of the shard to its other group; nobody serves it for so long. */
function moveAway(harness: Harness, number: number, frozenMs: number): void {
  const shard = harness.cluster.shard(number);
  if (shard.move !== undefined) return;
  shard.beginMove(7, 3 - shard.owner);
  shard.freeze();
  harness.time.set(frozenMs, () => shard.activate());
}

test('a shard that freezes while its page is on the way is read at its new group, forward and in reverse', () => {
  for (const reverse of [false, true]) {
    const harness = new Harness({ shards: 4 }).warm();
    const keys = keysOf(5000);
    harness.fill(keys);
    let frames = 0;
    for (const store of harness.cluster.stores.values()) {
      store.script = () => {
        frames++;
        if (frames % 3 === 1) moveAway(harness, frames % 4, 80);
        return 'serve';
      };
    }
    const got = harness.drain(harness.cursor(boundedRange(), { reverse }));
    expect(got).toEqual(reverse ? [...keys].reverse() : keys);
    expect(harness.cluster.shards.some((shard) => shard.epoch > 2)).toBe(true);
  }
});

test('a page waits for a shard that stays frozen, as long as its own time lasts', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const keys = keysOf(2000);
  harness.fill(keys);
  moveAway(harness, 2, 6000);
  expect(harness.drain(harness.cursor(boundedRange(), { timeoutMs: 8000 }))).toEqual(keys);

  moveAway(harness, 2, 6000);
  const cursor = harness.cursor(boundedRange(), { timeoutMs: 2000 });
  expect(harness.drain(cursor)).toEqual([]);
  expect(cursor.failure).toMatchObject({ code: 'deadline', retry: 'backoff', outcome: 'not-applied' });
  expect(cursor.failure?.message).toContain('arriving at its new group');
});

test('a scan whose shard freezes half way gives all up to there, then a failure that is worth a retry', () => {
  const harness = new Harness({ shards: 2 }).warm();
  const keys = keysOf(4000);
  harness.fill(keys);
  const cursor = harness.cursor(boundedRange(), { timeoutMs: 500 });
  let count = 0;
  const got = harness.drain(cursor, () => {
    count++;
    if (count === 700) moveAway(harness, 0, 5000);
  });
  expect(got.length).toBeGreaterThanOrEqual(700);
  expect(got).toEqual(keys.slice(0, got.length));
  expect(cursor.failure?.retry).toBe('backoff');
});

test('random scans over shards that freeze and move agree with a model', () => {
  const random = new Prng(5);
  for (let round = 0; round < 12; round++) {
    const harness = new Harness({ shards: 1 + random.below(8) }).warm();
    const keys = keysOf(random.below(3000));
    harness.fill(keys);
    const reverse = random.below(2) === 1;
    const limit = random.below(2) === 1 ? 1 + random.below(2000) : Number.POSITIVE_INFINITY;
    const disturb = (): void => {
      moveAway(harness, random.below(harness.cluster.shards.length), random.below(120));
      if (random.below(4) === 0) harness.cluster.pushConfig();
    };
    for (const store of harness.cluster.stores.values()) {
      store.script = () => {
        if (random.below(3) === 0) disturb();
        return random.below(20) === 0 ? 'break' : 'serve';
      };
    }
    const model = reverse ? [...keys].reverse() : keys;
    const got = harness.drain(harness.cursor(boundedRange(), { reverse, limit }));
    expect(got).toEqual(model.slice(0, limit));
  }
});

test('getMany gathers keys of shards that freeze and move meanwhile', () => {
  const harness = new Harness({ shards: 8 }).warm();
  const keys = keysOf(500);
  harness.fill(keys);
  for (const shard of [0, 3, 5]) moveAway(harness, shard, 40 * shard + 10);
  const values = (all: GetMany): string[] =>
    all.results.map((result) =>
      result !== undefined && 'value' in result ? utf8Decode(result.value) : 'none',
    );
  const all = harness.getMany([...keys, 'absent']);
  harness.time.advance(400);
  expect(all.failure).toBeUndefined();
  expect(values(all)).toEqual([...keys.map(() => 'v'), 'none']);

  moveAway(harness, 1, 60_000);
  const late = harness.getMany(keys);
  harness.time.advance(11_000);
  expect(late.failure).toMatchObject({ code: 'deadline', retry: 'backoff' });
});

function deleteUsers(harness: Harness): DeleteRange {
  const all = new DeleteRange(harness.core, prefixRange(utf8Encode('user:')), undefined, () => {});
  all.start();
  return all;
}

test('a range delete goes on at the new group after the last key that it deleted at the old one', () => {
  const harness = new Harness({ shards: 2 }).warm();
  harness.fill([...keysOf(6000), 'a', 'z']);
  let frames = 0;
  for (const store of harness.cluster.stores.values()) {
    store.script = () => {
      frames++;
      if (frames % 3 === 0) moveAway(harness, frames % 2, 50);
      return 'serve';
    };
  }
  const all = deleteUsers(harness);
  harness.time.advance(5000);
  expect(all.failure).toBeUndefined();
  expect(all.deleted).toBe(6000);
  expect(stored(harness)).toEqual(['a', 'z']);
  // Nothing was begun anew: a shard takes a thousand keys a step, and not one step more than that.
  const steps = harness.cluster.shards.map((shard) => shard.executed.length);
  expect(steps.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(8);
});

test('a step of a range delete whose answer was lost with its source is counted once, from the row at the target', () => {
  for (let round = 0; round < 4; round++) {
    const random = new Prng(300 + round);
    const harness = new Harness({ shards: 4, timeoutMs: 30_000 }).warm();
    harness.fill([...keysOf(6500), 'a', 'z']);
    for (const store of harness.cluster.stores.values()) {
      store.script = () => {
        if (random.below(4) > 0) return 'serve';
        const shard = random.below(4);
        // The answer is lost and the shard is gone before the client can ask again.
        harness.time.set(1, () => moveAway(harness, shard, random.below(100)));
        return 'serve-then-break';
      };
    }
    const all = deleteUsers(harness);
    harness.time.advance(30_000);
    expect(all.failure).toBeUndefined();
    expect(all.deleted).toBe(6500);
    expect(stored(harness)).toEqual(['a', 'z']);
    expect(harness.doubles()).toEqual([]);
  }
});
