import { BatchStatus, ReadLevel } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Harness } from '../testing/harness.ts';
import { tuning } from './options.ts';

// The source of a move is lost, and no config can tell what became of the shard.

/** Stores s1 and s2 hold group 1, s3 and s4 hold group 2, so that one group can be lost without the other. */
function apart(shards = 4): Harness {
  return new Harness({ shards, stores: ['s1', 's2', 's3', 's4'] }, (cluster) => {
    cluster.places.set(1, ['s1', 's2']);
    cluster.places.set(2, ['s3', 's4']);
    cluster.leaders.set(2, 's3');
  }).warm();
}

function lose(harness: Harness, ...storeIds: readonly string[]): void {
  for (const id of storeIds) harness.cluster.store(id).stop();
  harness.time.advance(5);
}

/** `gid epoch E` of every command, in the order in which they were sent. */
const commands = (harness: Harness): string[] =>
  harness.cluster.writes.flatMap((seen) => seen.commands.map(({ epoch }) => `${seen.gid} epoch ${epoch}`));

function untilOver(harness: Harness, operation: { readonly end: string }): number {
  const begin = harness.time.monoMs();
  while (operation.end === 'open') harness.time.runNext();
  return harness.time.monoMs() - begin;
}

test('a target that serves already is found while every store of the source is down', () => {
  const harness = apart();
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  harness.cluster.pushConfig();
  harness.cluster.freezeConfigOf(0);
  shard.activate();
  lose(harness, 's1', 's2');
  const key = harness.cluster.keyIn(0);
  const writes = Array.from({ length: 50 }, () => harness.append(key, 'x'));
  const read = harness.get(key);
  expect(untilOver(harness, read)).toBeLessThan(300);
  harness.time.advance(20);
  expect(new Set(writes.map((write) => write.end))).toEqual(new Set(['ok']));
  expect(shard.executed.length).toBe(50);
  // One went ahead; the others followed once it was known that the target serves.
  const targeted = harness.cluster.seen
    .filter((seen) => seen.gid === 2)
    .map((seen) => (seen.kind === 'write' ? seen.commands : seen.reads));
  expect(targeted[0]?.length).toBe(1);
  expect(new Set(targeted.flat().map(({ epoch }) => epoch))).toEqual(new Set([2]));
  // From now on the target is known, without any config.
  harness.cluster.seen.length = 0;
  expect(untilOver(harness, harness.write(key))).toBeLessThan(10);
  expect(commands(harness)).toEqual(['2 epoch 2']);
});

test('a target that serves already is found while the source has stores but no leader', () => {
  const harness = apart();
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  harness.cluster.pushConfig();
  harness.cluster.freezeConfigOf(0);
  shard.activate();
  harness.cluster.leaders.set(1, '');
  const key = harness.cluster.keyIn(0);
  harness.fill([key], 'there');
  for (const level of [ReadLevel.linearizable, ReadLevel.follower]) {
    expect(untilOver(harness, harness.append(key, 'x'))).toBeLessThan(150);
    const read = harness.get(key, { level });
    untilOver(harness, read);
    expect(read.end).toMatch(/^therex+$/);
  }
  expect(harness.doubles()).toEqual([]);
});

test('a target that does not serve yet is asked in turn with the source, rarely, and the source is not given up', () => {
  for (const state of ['copying', 'frozen'] as const) {
    const harness = apart();
    const shard = harness.cluster.shard(0);
    shard.beginMove(7, 2);
    if (state === 'frozen') shard.freeze();
    harness.cluster.pushConfig();
    harness.cluster.leaders.set(1, '');
    const key = harness.cluster.keyIn(0);
    const writes = Array.from({ length: 20 }, () => harness.append(key, 'x'));
    harness.time.advance(3000);
    expect(writes.every((write) => write.end === 'open')).toBe(true);
    const [source, target] = [1, 2].map((gid) => harness.cluster.writes.filter((seen) => seen.gid === gid));
    expect(source?.length).toBeGreaterThan(5);
    expect(target?.length).toBeGreaterThan(5);
    expect(target?.length).toBeLessThan(40);
    expect(target?.every((seen) => seen.commands.length === 1)).toBe(true);
    harness.cluster.leaders.set(1, 's2');
    if (state === 'frozen') harness.time.set(300, () => shard.activate());
    harness.time.advance(2500);
    expect(writes.map((write) => write.end)).toEqual(Array(20).fill('ok'));
    expect(harness.doubles()).toEqual([]);
  }
});

test('a move that was cancelled while the source was lost leaves its operations with the source', () => {
  const harness = apart();
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  harness.cluster.pushConfig();
  shard.move = undefined;
  shard.givesHints = false;
  lose(harness, 's1', 's2');
  const write = harness.append(harness.cluster.keyIn(0), 'x', 20_000);
  harness.time.advance(2000);
  expect(write.end).toBe('open');
  harness.cluster.store('s1').start();
  expect(untilOver(harness, write)).toBeLessThan(2500);
  expect(write.end).toBe('ok');
});

test('a target without a leader sends its guests home again', () => {
  const harness = apart();
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  harness.cluster.pushConfig();
  lose(harness, 's1', 's2', 's4');
  for (const isDown of [false, true]) {
    if (isDown) lose(harness, 's3');
    else harness.cluster.leaders.set(2, '');
    const write = harness.append(harness.cluster.keyIn(0), 'x', 30_000);
    harness.time.advance(1500);
    expect(write.end).toBe('open');
    harness.cluster.store('s1').start();
    expect(untilOver(harness, write)).toBeLessThan(3000);
    expect(write.end).toBe('ok');
    lose(harness, 's1');
  }
  expect(harness.doubles()).toEqual([]);
});

test('a target that takes nothing now does not keep its guests from a source that is there again', () => {
  const harness = apart();
  const shard = harness.cluster.shard(0);
  shard.beginMove(7, 2);
  harness.cluster.pushConfig();
  harness.cluster.store('s3').script = () => ({ wait: BatchStatus.overloaded, ms: 20 });
  lose(harness, 's1', 's2');
  const write = harness.append(harness.cluster.keyIn(0), 'x', 30_000);
  harness.time.advance(1000);
  harness.cluster.store('s1').start();
  harness.time.advance(3000);
  expect(write.end).toBe('ok');
  // Asked in turn with the source, not again and again.
  const sent = harness.cluster.writes.filter((seen) => seen.gid === 2);
  expect(sent.length).toBeGreaterThan(1);
  expect(sent.length).toBeLessThan(30);
});

test('a detour is over as soon as a config tells more of the shard', () => {
  const stores = ['s1', 's2', 's3', 's4'];
  const harness = new Harness({ shards: 3, stores, groups: [1, 2, 3] }, (made) => {
    made.places.set(1, ['s1', 's2']);
    made.places.set(2, ['s3', 's4']);
    made.leaders.set(2, 's4');
  }).warm();
  const { cluster } = harness;
  const shard = cluster.shard(0);
  shard.beginMove(7, 2);
  cluster.pushConfig();
  lose(harness, 's1', 's2');
  cluster.store('s4').script = (seen) => {
    if (seen.gid !== 2) return 'serve';
    // The move was cancelled, and the shard went elsewhere since.
    shard.moveTo(3);
    cluster.pushConfig();
    return { notLeader: 's3' };
  };
  const write = harness.append(cluster.keyIn(0), 'x');
  untilOver(harness, write);
  expect(write.end).toBe('ok');
  expect(commands(harness).filter((each) => !each.startsWith('1'))).toEqual(['2 epoch 2', '3 epoch 2']);
});

test('of many moving shards one operation each makes the detour, and not more than a bounded number at once', () => {
  const shards = 3 * tuning.detoursMax;
  const harness = apart(2 * shards);
  for (let shard = 0; shard < 2 * shards; shard += 2) harness.cluster.shard(shard).beginMove(7, 2);
  harness.cluster.pushConfig();
  for (let shard = 0; shard < 2 * shards; shard += 2) {
    harness.cluster.freezeConfigOf(shard);
    harness.cluster.shard(shard).activate();
  }
  lose(harness, 's1', 's2');
  const writes = Array.from({ length: shards }, (_, at) => {
    const key = harness.cluster.keyIn(2 * at);
    return [harness.append(key, 'x'), harness.append(key, 'y')];
  }).flat();
  harness.time.advance(4000);
  expect(writes.every((write) => write.end === 'ok')).toBe(true);
  const first = harness.cluster.writes.find((seen) => seen.gid === 2);
  expect(new Set(first?.commands.map(({ shard }) => shard)).size).toBe(first?.commands.length);
  expect(first?.commands.length).toBeLessThanOrEqual(tuning.detoursMax);
  expect(harness.doubles()).toEqual([]);
});

test('what waits for a lost group leaves as soon as a config names another owner', () => {
  const harness = apart();
  lose(harness, 's1', 's2');
  const key = harness.cluster.keyIn(0);
  const writes = Array.from({ length: 10 }, () => harness.append(key, 'x'));
  harness.time.advance(1000);
  expect(writes.every((write) => write.end === 'open')).toBe(true);
  harness.cluster.shard(0).moveTo(2);
  harness.cluster.pushConfig();
  harness.time.advance(10);
  expect(writes.every((write) => write.end === 'ok')).toBe(true);
});

test('what waits behind a store that answers nothing leaves as soon as a config names another owner', () => {
  const harness = apart();
  harness.cluster.store('s1').script = () => 'ignore';
  const [moved, stays] = [harness.cluster.keyIn(0), harness.cluster.keyIn(2)];
  const probes = Array.from({ length: 20 }, (_, at) => {
    const write = harness.write(at % 2 === 0 ? stays : moved);
    harness.time.advance(1);
    return write;
  });
  const waiting = probes.filter((write, at) => at % 2 === 1 && write.phase === 1);
  expect(waiting.length).toBeGreaterThan(0);
  harness.cluster.shard(0).moveTo(2);
  harness.cluster.pushConfig();
  harness.time.advance(10);
  expect(waiting.every((write) => write.end === 'ok')).toBe(true);
});
