import { join } from 'node:path';
import { CorruptionError } from '@flotilla/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LmdbEnvironment } from './lmdb-environment.ts';
import { openLog, openState, type TemporaryDirectory, temporaryDirectory } from './lmdb-harness.ts';
import type { LmdbLogStore } from './lmdb-log-store.ts';

const group = { gid: 3, incarnation: 9 };
const other = { gid: 4, incarnation: 9 };
const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const start = { index: 0, term: 0, confState };
const replicaOf = (name: typeof group) => ({ group: name, raftId: 1, generation: 1, start, removed: false });

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

function entriesOf(from: number, to: number, term = 1) {
  return Array.from({ length: to - from + 1 }, (_, at) => ({
    index: from + at,
    term,
    kind: 0 as const,
    data: new Uint8Array(20).fill(from + at),
  }));
}

async function commit(store: LmdbLogStore, ...writes: Parameters<LmdbLogStore['commit']>[0]): Promise<void> {
  const failure = await new Promise<Error | undefined>((resolve) => store.commit(writes, resolve));
  if (failure !== undefined) throw failure;
}

/** Two groups, each with the runs 1..4, 5..8 and 9..9 and a hard state. */
async function fill(): Promise<void> {
  const store = openLog(directory.path);
  for (const name of [group, other]) {
    await commit(store, {
      group: name,
      replica: replicaOf(name),
      hardState: { term: 1, vote: 1, commit: 1 },
    });
    await commit(store, { group: name, entries: entriesOf(1, 4) });
    await commit(store, { group: name, entries: entriesOf(5, 8) });
    await commit(store, { group: name, entries: entriesOf(9, 9) });
  }
  await store.close();
}

/** Changes stored values behind the back of the store. `change` returns undefined to delete. */
async function tamper(
  environmentName: string,
  tableName: string,
  change: (value: Uint8Array, at: number, key: Uint8Array) => Uint8Array | undefined,
): Promise<number> {
  const environment = new LmdbEnvironment(join(directory.path, environmentName));
  const table = environment.table(tableName);
  const pairs = [...table.getRange()].map(({ key, value }) => ({
    key: Uint8Array.from(key),
    value: Uint8Array.from(value),
  }));
  await environment.batch(() => {
    pairs.forEach(({ key, value }, at) => {
      const changed = change(value, at, key);
      if (changed === undefined) table.remove(key);
      else if (changed !== value) table.put(key, changed);
    });
  });
  await environment.close();
  return pairs.length;
}

function flip(value: Uint8Array, bit: number): Uint8Array {
  const changed = Uint8Array.from(value);
  changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
  return changed;
}

async function expectDamaged(): Promise<void> {
  const store = openLog(directory.path);
  expect(store.damaged()).toEqual([group]);
  for (const read of [
    () => store.hardState(group),
    () => store.span(group),
    () => store.term(group, 1),
    () => store.entries(group, 1, 2, 100),
  ]) {
    expect(read).toThrow(CorruptionError);
  }
  expect(() => store.commit([{ group, entries: entriesOf(10, 10) }], () => undefined)).toThrow(
    CorruptionError,
  );
  expect(store.entries(other, 1, 10, 10_000)).toEqual(entriesOf(1, 9));
  // Replacing the replica heals the place, also for the next start.
  await commit(store, { group, replica: { ...replicaOf(group), raftId: 2 } });
  expect(store.damaged()).toEqual([]);
  expect(store.span(group)).toEqual({ first: 1, last: 0 });
  await commit(store, { group, entries: entriesOf(1, 2, 5), hardState: { term: 5, vote: 2, commit: 0 } });
  await store.close();
  const again = openLog(directory.path);
  expect(again.damaged()).toEqual([]);
  expect(again.entries(group, 1, 3, 10_000)).toEqual(entriesOf(1, 2, 5));
  expect(again.hardState(group)).toEqual({ term: 5, vote: 2, commit: 0 });
  await again.close();
}

describe('damage found at open silences the group, and only that group', () => {
  test.each([
    ['the first', 0],
    ['a middle', 1],
    ['the last', 2],
  ])('a flipped bit in %s run (S4, S5)', async (_title, run) => {
    await fill();
    await tamper('log', 'runs', (value, at) => (at === run ? flip(value, 8 * 70) : value));
    await expectDamaged();
  });

  test('a flipped bit in the hard state (S6)', async () => {
    await fill();
    await tamper('log', 'hard', (value, at) => (at === 0 ? flip(value, 8 * 30 + 2) : value));
    await expectDamaged();
  });

  test('a flipped bit in the replica record', async () => {
    await fill();
    await tamper('log', 'replicas', (value, at) => (at === 0 ? flip(value, 8 * 24) : value));
    const store = openLog(directory.path);
    expect(store.replicas().map((record) => record.group)).toEqual([other]);
    await store.close();
    await expectDamaged();
  });

  test('a lost replica record', async () => {
    await fill();
    await tamper('log', 'replicas', (value, at) => (at === 0 ? undefined : value));
    await expectDamaged();
  });

  test('a run that was lost from the middle (S8)', async () => {
    await fill();
    await tamper('log', 'runs', (value, at) => (at === 1 ? undefined : value));
    await expectDamaged();
  });

  test('a first run that was lost (S8)', async () => {
    await fill();
    await tamper('log', 'runs', (value, at) => (at === 0 ? undefined : value));
    await expectDamaged();
  });

  test('a value that was stored under the key of another one (S7)', async () => {
    await fill();
    const values: Uint8Array[] = [];
    await tamper('log', 'runs', (value) => {
      values.push(value);
      return value;
    });
    await tamper('log', 'runs', (value, at) => (at === 1 ? values[4] : value));
    await expectDamaged();
  });

  test('a run that was written after another predecessor than the one that is there (S8)', async () => {
    const store = openLog(directory.path);
    for (const name of [group, other]) {
      await commit(store, {
        group: name,
        replica: replicaOf(name),
        hardState: { term: 1, vote: 1, commit: 1 },
      });
      await commit(store, { group: name, entries: entriesOf(1, 4) });
    }
    await store.close();
    let old: Uint8Array | undefined;
    await tamper('log', 'runs', (value, at) => {
      if (at === 0) old = value;
      return value;
    });
    const changed = openLog(directory.path);
    const replaced = entriesOf(1, 4).map((entry) => ({ ...entry, data: new Uint8Array(3) }));
    await commit(changed, { group, entries: replaced }, { group: other, entries: entriesOf(5, 9) });
    await commit(changed, { group, entries: entriesOf(5, 5) });
    await changed.close();
    // The disk forgets the second write of the first run: old bytes with a checksum that fits them.
    await tamper('log', 'runs', (value, at) => (at === 0 ? old : value));
    await expectDamaged();
  });

  test('any flipped bit of any run is noticed', async () => {
    await fill();
    for (let round = 0; round < 60; round++) {
      const environmentPath = directory.path;
      await tamper('log', 'runs', (value, at) =>
        at === 1 ? flip(value, (round * 97) % (value.length * 8)) : value,
      );
      const store = openLog(environmentPath);
      expect(store.damaged()).toEqual([group]);
      await store.close();
      await tamper('log', 'runs', (value, at) =>
        at === 1 ? flip(value, (round * 97) % (value.length * 8)) : value,
      );
    }
    const store = openLog(directory.path);
    expect(store.damaged()).toEqual([]);
    await store.close();
  });
});

describe('state', () => {
  const key = (at: number): Uint8Array => new Uint8Array([1, at]);

  async function fillState(): Promise<void> {
    const store = openState(directory.path);
    for (let at = 0; at < 5; at++) store.put(key(at), new Uint8Array(30).fill(at));
    await new Promise<unknown>((resolve) => store.commit(resolve));
    await store.close();
  }

  test('a flipped bit makes reads of that key throw and spares the others', async () => {
    await fillState();
    for (let bit = 0; bit < 34 * 8; bit += 13) {
      await tamper('state', 'records', (value, at) => (at === 2 ? flip(value, bit) : value));
      const store = openState(directory.path);
      expect(() => store.get(key(2))).toThrow(CorruptionError);
      expect(store.get(key(1))).toEqual(new Uint8Array(30).fill(1));
      const seen: number[] = [];
      const visit = (found: Uint8Array): boolean => seen.push(found[1] as number) > 0;
      expect(() => store.scan(key(0), undefined, visit)).toThrow(CorruptionError);
      expect(seen).toEqual([0, 1]);
      const snapshot = store.snapshot();
      expect(() => snapshot?.get(key(2))).toThrow(CorruptionError);
      snapshot?.close();
      // A write heals the key, before and after it is durable.
      store.put(key(2), new Uint8Array([7]));
      expect(store.get(key(2))).toEqual(new Uint8Array([7]));
      await store.close();
      await tamper('state', 'records', (value, at) => (at === 2 ? flip(value, bit) : value));
    }
  });

  test('a value under the key of another one is noticed (S7), and so is a value that was cut', async () => {
    await fillState();
    const values: Uint8Array[] = [];
    await tamper('state', 'records', (value) => {
      values.push(value);
      return value;
    });
    await tamper('state', 'records', (value, at) =>
      at === 1 ? values[3] : at === 2 ? value.slice(0, 3) : at === 3 ? value.slice(0, 20) : value,
    );
    const store = openState(directory.path);
    for (const at of [1, 2, 3]) expect(() => store.get(key(at))).toThrow(/0101|0102|0103/);
    expect(store.get(key(4))).toEqual(new Uint8Array(30).fill(4));
    await store.close();
  });
});
