import { Prng, utf8Decode, utf8Encode } from '@flotilla/base';
import { BatchStatus, ReadLevel, Status, writeWait } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { answers } from '../testing/fake-store.ts';
import { Harness } from '../testing/harness.ts';

// Single operations while the shard that they are for moves between groups.

/** `gid epoch E` of every frame with writes. */
const sent = (harness: Harness): string[] =>
  harness.cluster.writes.map((seen) => `${seen.gid} epoch ${seen.commands[0]?.epoch}`);

function untilOver(harness: Harness, operation: { readonly end: string }): number {
  const begin = harness.time.monoMs();
  while (operation.end === 'open') harness.time.runNext();
  return harness.time.monoMs() - begin;
}

/** Counts the questions for a config; nobody answers them. */
function countConfigs(harness: Harness): () => number {
  let asked = 0;
  for (const store of harness.cluster.stores.values()) {
    store.onAdmin = () => {
      asked++;
    };
  }
  return () => asked;
}

test('a frozen source sends a write to the target at once, which is asked every 10 ms and nobody else', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const configs = countConfigs(harness);
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  shard.freeze();
  harness.time.set(120, () => shard.activate());
  const write = harness.append(harness.cluster.keyIn(0), 'x');
  expect(untilOver(harness, write)).toBeLessThan(135);
  expect(write.end).toBe('ok');
  expect(sent(harness)[0]).toBe('1 epoch 1');
  const rest = sent(harness).slice(1);
  expect(new Set(rest)).toEqual(new Set(['2 epoch 2']));
  expect(rest.length).toBeGreaterThanOrEqual(9);
  expect(rest.length).toBeLessThanOrEqual(11);
  expect(configs()).toBe(0);
  expect(shard.executed.length).toBe(1);
});

test('a target that takes its time is asked ever more rarely after the first quarter of a second', () => {
  const harness = new Harness({ shards: 4, timeoutMs: 20_000 }).warm();
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  shard.freeze();
  const write = harness.write(harness.cluster.keyIn(0));
  harness.time.advance(10_000);
  const times = harness.cluster.writes.map((seen) => seen.atMs - (harness.cluster.writes[0]?.atMs ?? 0));
  expect(times.filter((time) => time < 250).length).toBeGreaterThan(18);
  expect(times.filter((time) => time >= 1000 && time < 2000).length).toBeLessThan(8);
  expect(times.filter((time) => time >= 9000).length).toBeLessThanOrEqual(3);
  expect(
    sent(harness)
      .slice(1)
      .every((frame) => frame === '2 epoch 2'),
  ).toBe(true);
  shard.activate();
  expect(untilOver(harness, write)).toBeLessThan(1010);
});

test('waiting for one move does not slow down the next one', () => {
  const harness = new Harness({ shards: 3, groups: [1, 2, 3] }).warm();
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  shard.freeze();
  const write = harness.write(harness.cluster.keyIn(0));
  harness.time.advance(2000);
  shard.activate();
  shard.beginMove(8, 3);
  shard.freeze();
  while (!harness.cluster.writes.some((seen) => seen.gid === 3)) harness.time.runNext();
  harness.time.set(100, () => shard.activate());
  expect(untilOver(harness, write)).toBeLessThan(115);
});

test('a config that is pushed makes the next question for one as quick as the first', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const configs = countConfigs(harness);
  harness.cluster.shard(0).owner = 9;
  harness.cluster.pushConfig();
  const lost = harness.write(harness.cluster.keyIn(0), {}, 30_000);
  harness.time.advance(40_000);
  expect(lost.end).toBe('unavailable/not-applied');
  harness.cluster.pushConfig();
  harness.time.advance(5000);
  const before = configs();
  harness.write(harness.cluster.keyIn(0));
  harness.time.advance(30);
  expect(configs()).toBe(before + 1);
});

test('a write that ran out of time while its shard arrived was not applied, and says what it waited for', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  shard.freeze();
  const write = harness.write(harness.cluster.keyIn(0), {}, 500);
  harness.time.advance(600);
  expect(write.end).toBe('deadline/not-applied');
  expect(write.failure).toMatchObject({ retry: 'backoff' });
  expect(write.failure?.message).toContain('arriving at its new group');
});

test('a wrong group with a higher epoch is followed, one without any makes the client ask for the config', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const configs = countConfigs(harness);
  const shard = harness.cluster.shard(0);
  shard.moveTo(2);
  shard.frozenIn = 0;
  const key = harness.cluster.keyIn(0);
  expect(untilOver(harness, harness.write(key))).toBeLessThan(10);
  expect(sent(harness)).toEqual(['1 epoch 1', '2 epoch 2']);
  expect(configs()).toBe(0);

  shard.moveTo(1);
  shard.frozenIn = 0;
  shard.givesHints = false;
  const write = harness.write(key);
  harness.time.advance(40);
  expect([write.end, configs()]).toEqual(['open', 1]);
  harness.cluster.pushConfig();
  expect(untilOver(harness, write)).toBeLessThan(10);
  expect(write.end).toBe('ok');
});

test('an operation follows a shard through several moves in a row', () => {
  const harness = new Harness({ shards: 3, groups: [1, 2, 3] }).warm();
  const shard = harness.cluster.shard(0);
  const key = harness.cluster.keyIn(0);
  for (const gid of [2, 3, 1, 2]) shard.moveTo(gid);
  shard.frozenIn = 1;
  const write = harness.append(key, 'x');
  expect(untilOver(harness, write)).toBeLessThan(15);
  expect(shard.executed.length).toBe(1);
  expect(sent(harness)).toEqual(['1 epoch 1', '2 epoch 5']);
});

test('a group that no config named yet is found by asking for the config', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const configs = countConfigs(harness);
  harness.cluster.leaders.set(9, 's2');
  harness.cluster.shard(0).moveTo(9);
  const write = harness.write(harness.cluster.keyIn(0));
  harness.time.advance(40);
  expect([write.end, configs()]).toEqual(['open', 1]);
  harness.cluster.pushConfig();
  expect(untilOver(harness, write)).toBeLessThan(10);
  expect(write.end).toBe('ok');
});

test('stores of a dismantled group lead to the new owner', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const configs = countConfigs(harness);
  for (const shard of [0, 2]) harness.cluster.shard(shard).moveTo(2);
  harness.cluster.dismantled.add(1);
  const write = harness.write(harness.cluster.keyIn(0));
  const read = harness.get(harness.cluster.keyIn(2), { level: ReadLevel.stale, maxAgeMs: 1000 });
  harness.time.advance(30);
  expect([write.end, read.end, configs()]).toEqual(['open', 'open', 1]);
  harness.cluster.pushConfig();
  harness.time.advance(10);
  expect([write.end, read.end]).toEqual(['ok', 'absent']);
});

test('a throttled write waits by itself, keeps its number, and spends nothing of the retry budget', () => {
  const harness = new Harness({ shards: 2, stores: ['s1'], groups: [1] }).warm();
  const [slow, fast] = [harness.cluster.keyIn(0), harness.cluster.keyIn(1)];
  let refusals = 0;
  harness.cluster.store('s1').script = (seen) => {
    if (seen.kind !== 'write' || seen.commands[0]?.name !== slow || refusals >= 150) return 'serve';
    refusals++;
    return { result: (out) => writeWait(out, Status.throttled, 20) };
  };
  const writes = Array.from({ length: 5 }, () => harness.append(slow, 'x', 60_000));
  harness.time.advance(5);
  const other = harness.write(fast);
  expect(untilOver(harness, other)).toBeLessThan(10);
  harness.time.advance(55_000);
  expect(writes.map((write) => write.end)).toEqual(Array(5).fill('ok'));
  const frames = harness.cluster.writes.filter((seen) => seen.commands[0]?.name === slow);
  const numbers = frames.flatMap((seen) => seen.commands.map(({ seq }) => seq));
  expect(new Set(numbers).size).toBe(5);
  const pauses = frames.slice(1, 20).map((seen, at) => seen.atMs - (frames[at]?.atMs ?? 0));
  expect(new Set(pauses.map(Math.round)).size).toBeGreaterThan(5);
  // The budget is whole: it still pays for ninety retries of a store that is overloaded.
  let overloads = 0;
  harness.cluster.store('s1').script = () =>
    overloads++ < 90 ? { wait: BatchStatus.overloaded, ms: 1 } : 'serve';
  const last = harness.write(fast, {}, 60_000 * 5);
  untilOver(harness, last);
  expect([last.end, overloads]).toEqual(['ok', 91]);
});

test('a write that stays throttled until its deadline says that its shard is slowed down for a move', () => {
  const harness = new Harness({ groups: [1] }).warm();
  for (const store of harness.cluster.stores.values())
    store.script = () => ({ result: (out) => writeWait(out, Status.throttled, 50) });
  const write = harness.write('a', {}, 2000);
  harness.time.advance(2100);
  expect(write.end).toBe('deadline/not-applied');
  expect(write.failure).toMatchObject({ retry: 'backoff' });
  expect(write.failure?.message).toContain('slowed down, so that its move to another group can catch up');
  expect(harness.cluster.writes.length).toBeLessThan(30);
});

test('a replica that does not know of the move yet is passed over by reads that any replica answers', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const key = harness.cluster.keyIn(0);
  harness.fill([key], 'there');
  harness.cluster.shard(0).moveTo(2);
  for (const lag of [answers.notReady(10), answers.wrongGroup(0, 0)]) {
    for (const store of harness.cluster.stores.values())
      store.script = (seen) => (seen.gid === 2 && store.id !== 's1' ? { result: lag } : 'serve');
    const read = harness.get(key, { level: ReadLevel.stale, maxAgeMs: 60_000 }, 3000);
    expect(untilOver(harness, read)).toBeLessThan(200);
    expect(read.end).toBe('there');
  }
});

test('under moves, freezes and lost connections every append is there once, in the order of its writer', () => {
  for (let round = 0; round < 3; round++) {
    const random = new Prng(1000 + round);
    const harness = new Harness({ shards: 6, groups: [1, 2, 3], timeoutMs: 60_000 }).warm();
    const { cluster } = harness;
    cluster.stores.forEach((store) => {
      store.script = () => (['break', 'serve-then-break'] as const)[random.below(60)] ?? 'serve';
    });
    const disturb = (): void => {
      const shard = cluster.shard(random.below(6));
      const { move } = shard;
      if (move === undefined) shard.beginMove(7, 1 + ((shard.owner + random.below(2)) % 3));
      else if (move.state === 'copying' && move.target !== shard.owner) shard.freeze();
      else shard.activate();
      shard.givesHints = random.below(2) === 0;
      if (random.below(3) === 0) cluster.pushConfig();
      harness.time.set(1 + random.below(20), disturb);
    };
    disturb();
    const keys = Array.from({ length: 12 }, (_, at) => `log${at}`);
    const failures: string[] = [];
    const next = (key: string, number: number): void => {
      if (number > 40) return;
      const write = harness.append(key, `${number};`);
      write.onSettled = () => {
        if (write.end !== 'ok') failures.push(write.end);
        next(key, number + 1);
      };
    };
    for (const key of keys) next(key, 1);
    harness.time.advance(20_000);
    expect(failures).toEqual([]);
    const whole = `${Array.from({ length: 40 }, (_, at) => at + 1).join(';')};`;
    for (const key of keys) {
      const shard = cluster.shard(cluster.shardOfKey(key));
      const record = shard.sorted().find((each) => utf8Decode(each.key) === key);
      expect(utf8Decode(record?.value ?? utf8Encode(''))).toBe(whole);
    }
    expect(harness.doubles()).toEqual([]);
    expect(harness.core.openOperations).toBe(0);
  }
});
