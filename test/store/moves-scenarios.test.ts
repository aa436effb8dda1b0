import { Reader } from '@flotilla/base';
import { ShardState } from '@flotilla/kv';
import { EntryBody, MoveStep, Op, readEntryHead, readMoveEntry } from '@flotilla/wire';
import { expect, test, vi } from 'vitest';
import type { BenchStore } from './bench.ts';
import { MoveBench } from './moves-bench.ts';

// Whole clusters, on machines that do other things as well.
vi.setConfig({ testTimeout: 60_000 });

const groups: readonly (readonly [number, ...string[]])[] = [
  [1, 's1', 's2', 's3'],
  [2, 's4', 's5', 's6'],
];

function twoGroups(options: { pieceBytes?: number; logKeepBytes?: number } = {}): MoveBench {
  const bench = MoveBench.with({ count: 6, shardCount: 2, pieceBytes: 2_000, ...options });
  bench.join(...groups);
  bench.settled();
  return bench;
}

function ownerOf(bench: MoveBench): number {
  return bench.config.shards[0]?.owner as number;
}

function storesOf(bench: MoveBench, gid: number): readonly BenchStore[] {
  return (groups.find(([each]) => each === gid) ?? [0]).slice(1).map((id) => bench.store(id as string));
}

function isClean(bench: MoveBench): boolean {
  const owner = ownerOf(bench);
  return bench.stores.every((store) =>
    [1, 2].every((gid) => {
      const shard = bench.shard(store, gid, 0);
      if (shard === undefined) return true;
      if (shard.openExport !== undefined || shard.staging !== undefined) return false;
      return shard.state === (gid === owner ? ShardState.serving : ShardState.absent);
    }),
  );
}

test('a shard that goes there and back again, over and over, loses nothing and leaves nothing', () => {
  const bench = twoGroups();
  const records = bench.keys(0, 100).map((key) => [key, `value of ${key}`] as const);
  bench.fill(records);
  const appenders = bench.keys(0, 2, 'word').map((key) => bench.appender(key));
  for (let turn = 0; turn < 10; turn++) {
    const to = 3 - ownerOf(bench);
    bench.move(0, to);
    // The next one is ordered while the old copy is still there.
    bench.until(() => ownerOf(bench) === to);
  }
  expect(bench.config.shards[0]?.epoch).toBe(11);
  bench.check(appenders);
  for (const [key, value] of records) expect(bench.get(key)).toBe(value);
  bench.until(() => isClean(bench));
  expect(bench.lines('move-digest-mismatch')).toEqual([]);
  expect(bench.lines('move-restarted')).toEqual([]);
});

test('a move goes on without a store of each group, and those catch up by snapshot when they are back', () => {
  const bench = twoGroups({ logKeepBytes: 4_096 });
  const from = ownerOf(bench);
  const to = 3 - from;
  const records = bench.keys(0, 200).map((key) => [key, `value of ${key}`.repeat(5)] as const);
  bench.fill(records);
  const appenders = bench.keys(0, 2, 'word').map((key) => bench.appender(key, 40, 25));
  bench.policy({ moveBytesPerSecond: 10_000 });
  bench.move(0, to);
  bench.until(() => (bench.progress(to)[0]?.bytes ?? 0) > 0);
  const down = [from, to].map((gid) => {
    const leader = bench.leader(gid);
    const isSpare = (store: BenchStore): boolean => store !== leader && store !== bench.leader(0);
    return storesOf(bench, gid).find(isSpare) as BenchStore;
  });
  for (const store of down) store.crash();
  bench.until(() => ownerOf(bench) === to);
  // Long enough for the logs to be cut.
  bench.run(6_000);
  for (const store of down) store.start();
  bench.settled();
  bench.check(appenders);
  bench.until(() => isClean(bench));
  for (const [key, value] of records) expect(bench.get(key)).toBe(value);
  expect(bench.lines('snapshot-installed').length).toBeGreaterThan(0);
  expect(bench.lines('move-restarted')).toEqual([]);
});

test('a follower that comes back by snapshot in the middle of a copy goes on with it as the leader', () => {
  const bench = twoGroups({ logKeepBytes: 4_096 });
  const from = ownerOf(bench);
  const to = 3 - from;
  const records = bench.keys(0, 300).map((key) => [key, `value of ${key}`] as const);
  bench.fill(records);
  bench.policy({ moveBytesPerSecond: 6_000 });
  bench.move(0, to);
  bench.until(() => (bench.progress(to)[0]?.bytes ?? 0) > 0);
  const away = storesOf(bench, to).find((store) => store !== bench.leader(to)) as BenchStore;
  away.crash();
  bench.run(1_200);
  away.start();
  const installed = (): boolean => away.events.some((line) => line.startsWith('snapshot-installed'));
  bench.until(() => installed() && bench.shard(away, to, 0)?.staging !== undefined);
  bench.lead(to, away.id);
  expect(bench.shardOf(to, 0)?.staging?.isComplete).toBe(false);
  bench.settled();
  expect(ownerOf(bench)).toBe(to);
  for (const [key, value] of records) expect(bench.get(key)).toBe(value);
  expect(bench.lines('move-restarted')).toEqual([]);
});

test('much that is written during a copy comes before its last page, and the source need not keep it', () => {
  const bench = twoGroups({ pieceBytes: 262_144 });
  const from = ownerOf(bench);
  const to = 3 - from;
  bench.fill(bench.keys(0, 3, 'first').map((key) => [key, 'a'.repeat(200_000)] as const));
  bench.policy({ moveBytesPerSecond: 100_000 });
  const steps: MoveStep[] = [];
  bench.onApplied = (_store, replica, { data }) => {
    if (replica.group.gid !== to || !replica.isLeader || data.length === 0) return;
    const { kind, bodyAt } = readEntryHead(data);
    if (kind === EntryBody.move) steps.push(readMoveEntry(new Reader(data, bodyAt)).step);
  };
  bench.move(0, to);
  bench.until(() => (bench.progress(to)[0]?.bytes ?? 0) > 0);
  const later = bench.keys(0, 10, 'later');
  let open = later.length;
  for (const key of later) {
    bench.write(Op.put, key, 'b'.repeat(900_000), {}, () => {
      open--;
    });
  }
  bench.until(() => open === 0);
  // Until the followers, who are asked, have heard of all.
  bench.run(100);
  bench.policy({ moveBytesPerSecond: 0 });
  bench.settled();
  const firstDelta = steps.indexOf(MoveStep.importDelta);
  expect(firstDelta).toBeGreaterThan(0);
  expect(firstDelta).toBeLessThan(steps.lastIndexOf(MoveStep.importChunk));
  for (const key of later) expect(bench.get(key)?.length).toBe(900_000);
});

test('a replica of the source that hears no more of its leader does not keep a move from its end', () => {
  const bench = twoGroups({ pieceBytes: 262_144 });
  const from = ownerOf(bench);
  const to = 3 - from;
  bench.fill(bench.keys(0, 3, 'first').map((key) => [key, 'a'.repeat(100_000)] as const));
  bench.policy({ moveBytesPerSecond: 50_000 });
  bench.move(0, to);
  bench.until(() => (bench.progress(to)[0]?.bytes ?? 0) > 0);
  // Until the followers have heard of the export. The first of them is asked from then on.
  bench.run(200);
  const home = storesOf(bench, from).map((store) => store.id);
  const away = home.find((id) => id !== bench.leader(from).id) as string;
  const isCut = (left: string, right: string): boolean => left === away && home.includes(right);
  bench.hub.policy = { route: (left, right) => (isCut(left, right) || isCut(right, left) ? undefined : 0.3) };
  for (const id of home) bench.hub.breakLinks(away, id);
  // More than a freeze allows, of which that replica never hears.
  bench.fill(bench.keys(0, 2, 'later').map((key) => [key, 'b'.repeat(900_000)] as const));
  const freezes: MoveStep[] = [];
  bench.onApplied = (_store, replica, { data }) => {
    if (replica.group.gid !== from || !replica.isLeader || data.length === 0) return;
    const { kind, bodyAt } = readEntryHead(data);
    if (kind === EntryBody.move) freezes.push(readMoveEntry(new Reader(data, bodyAt)).step);
  };
  bench.policy({ moveBytesPerSecond: 0 });
  bench.until(() => ownerOf(bench) === to, 5_000);
  // The one that came too early, and the one that was taken.
  expect(freezes.filter((step) => step === MoveStep.freeze).length).toBe(2);
});

test('a move whose source is gone waits and says why, also when it is cancelled', () => {
  const bench = twoGroups();
  // The controller lives with group 1, and must stay.
  const [source, target] = [2, 1];
  bench.move(0, source);
  bench.settled();
  for (const store of storesOf(bench, source)) store.crash();
  const moveId = bench.move(0, target);
  bench.run(10_000);
  expect(bench.progress(target).find((each) => each.moveId === moveId)?.problem).toMatch(/group 2/);
  bench.order('cancel', moveId);
  bench.run(5_000);
  expect(bench.config.shards[0]).toMatchObject({ owner: source, intent: { moveId } });
  for (const store of storesOf(bench, source)) store.start();
  bench.settled();
  expect(bench.config.shards[0]).toMatchObject({ owner: source, intent: undefined });
});
