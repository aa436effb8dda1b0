import { expect, test } from 'vitest';
import { Harness } from '../testing/harness.ts';

/** Counts of commands per frame, in the order of arrival. */
function sizes(harness: Harness, gid?: number): number[] {
  return harness.cluster.writes
    .filter((seen) => gid === undefined || seen.gid === gid)
    .map((seen) => seen.commands.length);
}

test('writes of one turn to one group leave in one frame, those to another group in another', () => {
  const harness = new Harness().warm();
  const writes = Array.from({ length: 40 }, (_, at) => harness.write(`key${at}`));
  expect(harness.cluster.writes).toEqual([]);
  harness.time.advance(10);
  expect(writes.map((write) => write.end)).toEqual(writes.map(() => 'ok'));
  expect(harness.cluster.writes.map((seen) => seen.gid).sort()).toEqual([1, 2]);
  expect(sizes(harness).reduce((sum, size) => sum + size)).toBe(40);
});

test('reads of one turn share one frame per group and level', () => {
  const harness = new Harness().warm();
  for (let at = 0; at < 30; at++) {
    harness.get(`key${at}`);
    harness.get(`key${at}`, { level: 1 });
    harness.get(`key${at}`, { level: 2, maxAgeMs: 500 });
  }
  harness.time.advance(10);
  const frames = harness.cluster.reads.map((seen) => `${seen.gid} ${seen.head.level} ${seen.head.maxAgeMs}`);
  expect(frames.sort()).toEqual(['1 0 0', '1 1 0', '1 2 500', '2 0 0', '2 1 0', '2 2 500']);
});

test('a batch is closed at its limit of commands and of bytes', () => {
  const harness = new Harness({ groups: [1], batchCommandsMax: 10 }).warm();
  for (let at = 0; at < 35; at++) harness.write(`key${at}`);
  harness.time.advance(50);
  expect(sizes(harness)).toEqual([10, 10, 10, 5]);

  const small = new Harness({ groups: [1], batchBytesMax: 10_000 }).warm();
  for (let at = 0; at < 8; at++) small.write(`key${at}`, { value: new Uint8Array(3000) });
  small.time.advance(50);
  expect(sizes(small)).toEqual([3, 3, 2]);
  for (const seen of small.cluster.writes) expect(seen.bytes).toBeLessThanOrEqual(10_000);
});

test('a command larger than the limit of a batch travels alone', () => {
  const harness = new Harness({ groups: [1], batchBytesMax: 10_000 }).warm();
  const writes = [100, 1_048_576, 100].map((size, at) =>
    harness.write(`key${at}`, { value: new Uint8Array(size) }),
  );
  harness.time.advance(50);
  expect(sizes(harness)).toEqual([1, 1, 1]);
  expect(writes.map((write) => write.end)).toEqual(['ok', 'ok', 'ok']);
});

test('the more batches are on their way, the larger the next one has to be', () => {
  const harness = new Harness({ groups: [1] }).warm();
  for (let turn = 0; turn < 100; turn++) {
    harness.write(`key${turn}`);
    harness.time.advance(0.01);
  }
  expect(harness.time.monoMs()).toBeGreaterThan(0);
  harness.time.advance(50);
  expect(sizes(harness).slice(0, 7)).toEqual([1, 1, 2, 4, 8, 16, 32]);
  expect(sizes(harness).reduce((sum, size) => sum + size)).toBe(100);
});

test('no more than the allowed batches of one group are on their way', () => {
  const harness = new Harness({ groups: [1], batchesInFlightMax: 3, batchCommandsMax: 5 }).warm();
  for (const store of harness.cluster.stores.values()) store.script = () => 'ignore';
  for (let at = 0; at < 100; at++) harness.write(`key${at}`);
  harness.time.advance(100);
  expect(sizes(harness)).toEqual([5, 5, 5]);
});

test('a connection carries no more than its limit; the rest waits and goes on with the answers', () => {
  const harness = new Harness({ groups: [1], inFlightMax: 20, batchCommandsMax: 8 }).warm();
  const writes = Array.from({ length: 100 }, (_, at) => harness.write(`key${at}`));
  harness.time.advance(1.5);
  expect(sizes(harness)).toEqual([8, 8, 4]);
  harness.time.advance(100);
  expect(writes.every((write) => write.end === 'ok')).toBe(true);
});

test('a client that holds too much refuses at once', () => {
  const harness = new Harness({ operationsMax: 10 }).connect();
  const writes = Array.from({ length: 12 }, (_, at) => harness.write(`key${at}`));
  expect(writes.slice(10).map((write) => write.end)).toEqual([
    'overloaded/not-applied',
    'overloaded/not-applied',
  ]);
  harness.time.advance(2000);
  expect(writes.slice(0, 10).every((write) => write.end === 'ok')).toBe(true);
  expect(harness.core.openOperations).toBe(0);
});

test('the time that is left is told with each frame', () => {
  const harness = new Harness({ groups: [1] }).warm();
  harness.write('a', {}, 1500);
  harness.write('b', {}, 700);
  harness.time.advance(10);
  expect(harness.cluster.writes[0]?.timeLeftMs).toBe(1500);
});

test('while no leader is known one small batch asks, and the rest follows its answer', () => {
  const harness = new Harness({ groups: [1] }).connect();
  for (let at = 0; at < 500; at++) harness.write(`key${at}`);
  harness.time.advance(1000);
  const served = harness.cluster.writes
    .filter((seen) => seen.store === 's1')
    .map((seen) => seen.commands.length);
  expect(served[0]).toBe(64);
  expect(served.reduce((sum, size) => sum + size)).toBe(500);
  expect(harness.doubles()).toEqual([]);
});

test('many keys are read with one frame per group, in the order of the keys', () => {
  const harness = new Harness().warm();
  harness.fill(['a', 'c', 'e']);
  const all = harness.getMany(['e', 'b', 'a', 'e']);
  harness.time.advance(10);
  expect(all.failure).toBeUndefined();
  expect(all.results.map((result) => result?.status)).toEqual([14, 15, 14, 14]);
  expect(harness.cluster.reads.length).toBeLessThanOrEqual(2);
});
