import { Prng, utf8Decode, utf8Encode } from '@flotilla/base';
import { Flag } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Harness } from '../testing/harness.ts';
import { DeleteRange } from './delete-range.ts';
import { boundedRange, prefixRange } from './range.ts';

function keysOf(count: number, seed = 1): string[] {
  const random = new Prng(seed);
  const keys = new Set<string>();
  while (keys.size < count) keys.add(`${['a', 'b', 'user:'][random.below(3)]}${random.below(100_000)}`);
  return [...keys];
}

const sorted = (keys: readonly string[]) => [...keys].sort();

test('a scan gives every record of all shards in key order', () => {
  const harness = new Harness({ shards: 16 }).warm();
  const keys = keysOf(3000);
  harness.fill(keys);
  expect(harness.drain(harness.cursor())).toEqual(sorted(keys));
});

test('prefix, range, reverse and limit agree with a model', () => {
  const harness = new Harness({ shards: 8 }).warm();
  const keys = keysOf(800, 2);
  harness.fill(keys);
  const all = sorted(keys);
  const users = all.filter((key) => key.startsWith('user:'));
  expect(harness.drain(harness.cursor(prefixRange(utf8Encode('user:'))))).toEqual(users);
  const middle = all.filter((key) => key >= 'a5' && key < 'b3');
  const range = boundedRange(utf8Encode('a5'), utf8Encode('b3'));
  expect(harness.drain(harness.cursor(range))).toEqual(middle);
  expect(harness.drain(harness.cursor(range, { reverse: true }))).toEqual([...middle].reverse());
  for (const limit of [1, 7, 100]) {
    expect(harness.drain(harness.cursor(range, { limit }))).toEqual(middle.slice(0, limit));
    expect(harness.drain(harness.cursor(range, { limit, reverse: true }))).toEqual(
      [...middle].reverse().slice(0, limit),
    );
  }
  expect(harness.drain(harness.cursor(boundedRange(utf8Encode('b'), utf8Encode('a'))))).toEqual([]);
});

test('a limit keeps a scan from fetching everything, and one frame per group is enough', () => {
  const harness = new Harness({ shards: 64 }).warm();
  harness.fill(keysOf(5000, 3));
  let fetched = 0;
  expect(harness.drain(harness.cursor(boundedRange(), { limit: 100 })).length).toBe(100);
  for (const seen of harness.cluster.reads) for (const read of seen.reads) fetched += read.limit;
  expect(fetched).toBeLessThan(500);
  expect(harness.cluster.reads.length).toBeLessThanOrEqual(4);
});

test('a prefix with a whole hash tag is read from its one shard', () => {
  const harness = new Harness({ shards: 16 }).warm();
  const keys = Array.from({ length: 50 }, (_, at) => `{42}:${at}`);
  harness.fill([...keys, '{43}:1']);
  expect(harness.drain(harness.cursor(prefixRange(utf8Encode('{42}:'))))).toEqual(sorted(keys));
  const shards = new Set(harness.cluster.reads.flatMap((seen) => seen.reads.map((read) => read.shard)));
  expect(shards.size).toBe(1);
});

test('a shard that moves in the middle of a scan is continued after its last key at the new group', () => {
  for (const reverse of [false, true]) {
    const harness = new Harness({ shards: 4 }).warm();
    const keys = keysOf(6000, 4);
    harness.fill(keys);
    let seen = 0;
    const got = harness.drain(harness.cursor(boundedRange(), { reverse }), () => {
      seen++;
      if (seen !== 500) return;
      harness.cluster.shards.forEach((shard) => {
        shard.owner = shard.owner === 1 ? 2 : 1;
        shard.epoch++;
      });
    });
    expect(got).toEqual(reverse ? sorted(keys).reverse() : sorted(keys));
    const last = harness.cluster.reads.at(-1);
    expect(last?.reads.every((read) => read.epoch === 2)).toBe(true);
  }
});

test('pages of large values stay within their bytes', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const keys = keysOf(60, 5);
  harness.fill(keys, 'x'.repeat(300_000));
  expect(harness.drain(harness.cursor())).toEqual(sorted(keys));
  for (const seen of harness.cluster.reads) {
    expect(seen.reads.reduce((sum, read) => sum + read.bytesMax, 0)).toBeLessThanOrEqual(2_097_152);
  }
});

test('a shard that cannot be read fails the whole scan, after what was given before', () => {
  const harness = new Harness({ shards: 2, stores: ['s1'], groups: [1, 2] }).warm();
  harness.fill(keysOf(100, 6));
  harness.cluster.store('s1').script = (seen) => (seen.gid === 2 ? 'ignore' : 'serve');
  const cursor = harness.cursor(boundedRange(), { timeoutMs: 500 });
  expect(harness.drain(cursor)).toEqual([]);
  expect(cursor.failure?.code).toBe('deadline');
  expect(cursor.take()).toBeUndefined();
});

test('a scan that is left gives up its pages', () => {
  const harness = new Harness().warm();
  harness.fill(keysOf(500, 7));
  const cursor = harness.cursor();
  let isWoken = false;
  cursor.fill(() => {
    isWoken = true;
  });
  expect(harness.core.openOperations).toBeGreaterThan(0);
  cursor.close();
  expect(isWoken).toBe(true);
  expect(harness.core.openOperations).toBe(0);
  expect(cursor.isDone).toBe(true);
});

test('random scans over moving shards agree with a model', () => {
  const random = new Prng(11);
  for (let round = 0; round < 40; round++) {
    const harness = new Harness({ shards: 1 + random.below(12) }).warm();
    const keys = keysOf(random.below(1500), 100 + round);
    harness.fill(keys);
    const reverse = random.below(2) === 1;
    const limit = random.below(2) === 1 ? 1 + random.below(400) : Number.POSITIVE_INFINITY;
    const [one, two] = [`a${random.below(100_000)}`, `user:${random.below(100_000)}`];
    let model = sorted(keys).filter((key) => key >= one && key < two);
    if (reverse) model = model.reverse();
    const got = harness.drain(
      harness.cursor(boundedRange(utf8Encode(one), utf8Encode(two)), { reverse, limit }),
      () => {
        if (random.below(50) > 0) return;
        const shard = harness.cluster.shards[random.below(harness.cluster.shards.length)];
        if (shard !== undefined) Object.assign(shard, { owner: 3 - shard.owner, epoch: shard.epoch + 1 });
      },
    );
    expect(got).toEqual(model.slice(0, limit));
  }
});

function deleteRange(harness: Harness, range = prefixRange(utf8Encode('user:'))): DeleteRange {
  const all = new DeleteRange(harness.core, range, undefined, () => {});
  all.start();
  return all;
}

test('a range is deleted in every shard, at most a thousand keys a command, and nothing else', () => {
  const harness = new Harness({ shards: 2 }).warm();
  const keys = Array.from({ length: 5000 }, (_, at) => `user:${at}`);
  harness.fill([...keys, 'a', 'users', 'z']);
  const all = deleteRange(harness);
  harness.time.advance(1000);
  expect(all.failure).toBeUndefined();
  expect(all.deleted).toBe(5000);
  const left = harness.cluster.shards.flatMap((shard) =>
    shard.sorted().map((record) => utf8Decode(record.key)),
  );
  expect(left.sort()).toEqual(['a', 'users', 'z']);
  const commands = harness.cluster.writes.flatMap((seen) => seen.commands);
  expect(commands.every((command) => command.ttl === 1000 && command.flags === Flag.ttl)).toBe(true);
  expect(commands.filter((command) => command.name !== 'user:').length).toBeGreaterThanOrEqual(3);
  const numbers = harness.cluster.writes.flatMap((seen) =>
    seen.commands.map((each) => `${seen.session}/${each.seq}`),
  );
  expect(new Set(numbers).size).toBe(numbers.length);
});

test('a range delete whose connection breaks counts and deletes every record once', () => {
  const harness = new Harness({ shards: 8 }).warm();
  harness.fill(Array.from({ length: 900 }, (_, at) => `user:${at}`));
  let frames = 0;
  for (const store of harness.cluster.stores.values()) {
    store.script = () => (++frames % 3 === 0 ? 'serve-then-break' : 'serve');
  }
  const all = deleteRange(harness);
  harness.time.advance(9000);
  expect(all.failure).toBeUndefined();
  expect(all.deleted).toBe(900);
});

test('a range delete that fails half way says how much is gone', () => {
  const harness = new Harness({ shards: 2, stores: ['s1'], groups: [1, 2] }).warm();
  harness.fill(Array.from({ length: 100 }, (_, at) => `user:${at}`));
  harness.cluster.store('s1').script = (seen) => (seen.gid === 2 ? 'ignore' : 'serve');
  const all = deleteRange(harness);
  harness.time.advance(11_000);
  expect(all.failure).toMatchObject({
    code: 'deadline',
    outcome: 'unknown',
    details: { deleted: all.deleted },
  });
  expect(all.deleted).toBeGreaterThan(0);
});
