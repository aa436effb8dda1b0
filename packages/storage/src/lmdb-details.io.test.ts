import { join } from 'node:path';
import { VirtualTime, Xxh64 } from '@flotilla/base';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { statePace, storageTuning } from './limits.ts';
import { LmdbEnvironment } from './lmdb-environment.ts';
import { openLog, pause, type TemporaryDirectory, temporaryDirectory } from './lmdb-harness.ts';
import { LmdbStateStore } from './lmdb-state-store.ts';

const group = { gid: 3, incarnation: 9 };
const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const start = { index: 0, term: 0, confState };
const replica = { group, raftId: 1, generation: 1, start, removed: false };

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const entry = (index: number, bytes: number) => ({
  index,
  term: 1,
  kind: 0 as const,
  data: new Uint8Array(bytes),
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause();
}

async function runCount(): Promise<number> {
  const environment = new LmdbEnvironment(join(directory.path, 'log'));
  const count = environment.table('runs').getKeysCount({ start: new Uint8Array(1) });
  await environment.close();
  return count;
}

test('runs that compaction and replacement leave behind are removed, also by the next start', async () => {
  const store = openLog(directory.path);
  const commit = (write: Parameters<typeof store.commit>[0][0]): Promise<unknown> =>
    new Promise((resolve) => store.commit([write], resolve));
  await commit({ group, replica });
  const appended: Promise<unknown>[] = [];
  for (let index = 1; index <= 900; index++) appended.push(commit({ group, entries: [entry(index, 10)] }));
  await Promise.all(appended);
  await commit({ group, compactTo: 850 });
  await store.close();
  expect(await runCount()).toBe(900 - storageTuning.garbageDeletesMax);

  const again = openLog(directory.path);
  expect(again.span(group)).toEqual({ first: 851, last: 900 });
  await new Promise((resolve) =>
    again.commit(
      [{ group, replica: { ...replica, generation: 2, start: { ...start, index: 2_000, term: 1 } } }],
      resolve,
    ),
  );
  await until(() => again.leftOverRuns === 0);
  await again.close();
  expect(await runCount()).toBe(0);
});

test('entries are evicted from memory once they are durable, and read back from the disk', async () => {
  const store = openLog(directory.path, 400_000);
  await new Promise((resolve) => store.commit([{ group, replica }], resolve));
  let pending = 0;
  for (let index = 1; index <= 100; index++) {
    pending++;
    store.commit([{ group, entries: [entry(index, 20_000)] }], () => pending--);
  }
  expect(store.cacheBytes).toBeGreaterThan(2_000_000);
  expect(store.entries(group, 1, 101, 1e9)).toHaveLength(100);
  while (pending > 0) await pause();
  expect(store.cacheBytes).toBeLessThanOrEqual(400_000);
  expect(store.entries(group, 1, 101, 1e9).map(({ index }) => index)).toEqual(
    Array.from({ length: 100 }, (_, at) => at + 1),
  );
  await store.close();
});

test('the cache counts what it holds through truncation, compaction and replacement', async () => {
  const store = openLog(directory.path);
  const commit = (write: Parameters<typeof store.commit>[0][0]): Promise<unknown> =>
    new Promise((resolve) => store.commit([write], resolve));
  await commit({ group, replica });
  await commit({ group, entries: [entry(1, 1000), entry(2, 1000), entry(3, 1000), entry(4, 1000)] });
  const each = store.cacheBytes / 4;
  await commit({ group, entries: [entry(3, 1000)] });
  expect(store.cacheBytes).toBe(each * 3);
  await commit({ group, compactTo: 2 });
  expect(store.cacheBytes).toBe(each);
  await commit({ group, replica: { ...replica, generation: 2 } });
  expect(store.cacheBytes).toBe(0);
  await store.close();
});

test('commits of many groups that wait for a transaction share the next one', async () => {
  const store = openLog(directory.path);
  let pending = 0;
  for (let gid = 1; gid <= 50; gid++) {
    const name = { gid, incarnation: 1 };
    pending++;
    store.commit([{ group: name, replica: { ...replica, group: name } }], () => pending--);
  }
  while (pending > 0) await pause();
  expect(store.transactions).toBeLessThanOrEqual(3);
  await store.close();
});

function openVirtual(timers: VirtualTime): LmdbStateStore {
  const environment = new LmdbEnvironment(join(directory.path, 'state'));
  return new LmdbStateStore(environment, environment.table('meta'), { timers, hasher: new Xxh64() });
}

test('a snapshot ends by itself when its time is over', async () => {
  const timers = new VirtualTime();
  const store = openVirtual(timers);
  const snapshot = store.snapshot();
  timers.advance(storageTuning.snapshotLifeMsMax - 1);
  expect(snapshot?.get(new Uint8Array([1]))).toBeUndefined();
  timers.advance(1);
  expect(() => snapshot?.get(new Uint8Array([1]))).toThrow(/outlived its time/);
  const [first, second] = [store.snapshot(), store.snapshot()];
  expect(first !== undefined && second !== undefined).toBe(true);
  await store.close();
});

test('a snapshot shows nothing of a transaction that is open over turns', async () => {
  const timers = new VirtualTime();
  const store = openVirtual(timers);
  const key = (at: number): Uint8Array => new Uint8Array([at >> 16, (at >> 8) & 255, at & 255, 1]);
  const commit = (value: number): Promise<unknown> => {
    for (let at = 0; at < statePace.putsMax; at++) store.put(key(at), new Uint8Array([value]));
    return new Promise((resolve) => store.commit(resolve));
  };
  expect(await commit(1)).toBeUndefined();
  let isDone = false;
  const second = commit(2).then(() => {
    isDone = true;
  });
  const seen = new Set<string>();
  while (!isDone) {
    const snapshot = store.snapshot();
    const scanned: number[] = [];
    snapshot?.scan(key(0), key(1), (_, value) => scanned.push(value[0] as number) < 0);
    // Durable may come between the commit and its callback: both ways of reading must say the same.
    seen.add(`${snapshot?.get(key(0))?.[0]} ${scanned[0]}`);
    snapshot?.close();
    await new Promise(setImmediate);
  }
  await second;
  seen.delete('2 2');
  expect([...seen]).toEqual(['1 1']);
  await store.close();
}, 60_000);

test('state transactions keep their pace, unless there is much to write', async () => {
  const timers = new VirtualTime();
  const store = openVirtual(timers);
  const put = (at: number): void =>
    store.put(new Uint8Array([at >> 16, (at >> 8) & 255, at & 255, 1]), new Uint8Array(8));
  let answered = 0;
  const commit = (): void => store.commit(() => answered++);
  put(1);
  commit();
  await until(() => answered === 1);
  put(2);
  commit();
  await pause(30);
  expect(answered).toBe(1);
  timers.advance(statePace.paceMs);
  await until(() => answered === 2);
  for (let at = 0; at < statePace.putsMax; at++) put(at);
  commit();
  await until(() => answered === 3);
  await store.close();
});

test('a released range goes in one wait for the pace, however many slices it takes', async () => {
  const timers = new VirtualTime();
  const store = openVirtual(timers);
  const keyOf = (at: number): Uint8Array => new Uint8Array([7, at >> 8, at & 255]);
  for (let at = 0; at < 3 * storageTuning.releaseKeysMax; at++) store.put(keyOf(at), new Uint8Array(8));
  await new Promise((resolve) => store.commit(resolve));
  store.release(new Uint8Array([7]), new Uint8Array([8]));
  // Somebody writes all the time, so that a commit always waits.
  store.put(new Uint8Array([9]), new Uint8Array(8));
  store.commit(() => {});
  let left = 1;
  const pastMs = timers.monoMs();
  for (; left > 0 && timers.monoMs() < pastMs + statePace.paceMs; await pause(50)) {
    timers.advance(storageTuning.releaseDelayMs);
    left = 0;
    store.scan(new Uint8Array([7]), new Uint8Array([8]), () => {
      left++;
      return true;
    });
  }
  expect(left).toBe(0);
  await store.close();
});

test('many small released ranges go in one transaction', async () => {
  const timers = new VirtualTime();
  const store = openVirtual(timers);
  for (let at = 0; at < 200; at++) store.put(new Uint8Array([7, at, 1]), new Uint8Array(8));
  await new Promise((resolve) => store.commit(resolve));
  for (let at = 0; at < 200; at++) store.release(new Uint8Array([7, at]), new Uint8Array([7, at + 1]));
  // Longer than the pause before the first transaction, and shorter than that before a second one.
  timers.advance(1.5 * storageTuning.releaseDelayMs);
  const isEmpty = (): boolean => {
    let found = false;
    store.scan(new Uint8Array([7]), new Uint8Array([8]), () => {
      found = true;
      return false;
    });
    return !found;
  };
  await until(isEmpty);
  await store.close();
});

test('a state commit that somebody waits for does not wait for the pace', async () => {
  const store = openVirtual(new VirtualTime());
  let answered = 0;
  const commit = (urgency?: 'soon'): void => {
    store.put(new Uint8Array([answered + 1]), new Uint8Array(8));
    store.commit(() => answered++, urgency);
  };
  commit();
  await until(() => answered === 1);
  commit('soon');
  await until(() => answered === 2);
  await store.close();
});

test('what is queued is written when the store closes', async () => {
  const timers = new VirtualTime();
  const store = openVirtual(timers);
  const answers: unknown[] = [];
  for (let at = 1; at <= 5; at++) {
    store.put(new Uint8Array([at]), new Uint8Array([at]));
    store.commit((failure) => answers.push(failure));
  }
  await store.close();
  expect(answers).toEqual([undefined, undefined, undefined, undefined, undefined]);
  const again = openVirtual(timers);
  expect(again.get(new Uint8Array([5]))).toEqual(new Uint8Array([5]));
  await again.close();
});

test('keys that LMDB cannot hold are a fault of the caller', async () => {
  const store = openVirtual(new VirtualTime());
  expect(() => store.put(new Uint8Array(), new Uint8Array())).toThrow(/1 to 1900 bytes/);
  expect(() => store.put(new Uint8Array(1_901), new Uint8Array())).toThrow(/1 to 1900 bytes/);
  store.put(new Uint8Array(1_900).fill(1), new Uint8Array([1]));
  expect([store.pendingKeys, store.pendingBytes]).toEqual([1, 1_901]);
  const failure = new Promise((resolve) => store.commit(resolve));
  expect(await failure).toBeUndefined();
  expect([store.pendingKeys, store.pendingBytes]).toEqual([0, 0]);
  await store.close();
});

test('a transaction over turns that throws leaves nothing', async () => {
  const environment = new LmdbEnvironment(join(directory.path, 'state'));
  const table = environment.table('records');
  const broken = environment.transaction(function* () {
    table.put(new Uint8Array([1]), new Uint8Array([1]));
    yield;
    throw new Error('a defect');
  });
  await expect(broken).rejects.toThrow('a defect');
  environment.refresh();
  expect(table.get(new Uint8Array([1]))).toBeUndefined();
  await environment.close();
});
