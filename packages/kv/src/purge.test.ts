import { compareBytes } from '@flotilla/base';
import { MoveAnswer, MoveStep } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { KeySpace } from './keys.ts';
import { ShardState } from './shard.ts';
import { contentOf, storedUnder } from './testing/contents.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { Move } from './testing/move.ts';
import { PREFIX, Rig } from './testing/rig.ts';

// What no shard record names any more is deleted by each replica for itself: all of it, nothing else, and not
// before the entry that gave it up survives a crash.

class WatchedStore extends MemoryStore {
  readonly released: (readonly [Uint8Array, Uint8Array])[] = [];

  override release(from: Uint8Array, to: Uint8Array): void {
    this.released.push([from, to]);
    super.release(from, to);
  }
}

function rigs(): Move {
  const source = Rig.serving([0, 1], { gid: 7, store: new WatchedStore() });
  const target = new Rig({ gid: 8, store: new WatchedStore() });
  for (let at = 0; at < 5; at++) {
    source.put(`k${at}`, 'x', { flags: 16, ttl: 50_000 });
    source.put(`k${at}`, 'x', { shard: 1 });
  }
  return new Move(source, target);
}

function releasedBy(rig: Rig): number {
  return (rig.store as WatchedStore).released.length;
}

/** Generations that hold keys of a shard. */
function generationsOf(rig: Rig, shard: number): number[] {
  const found: number[] = [];
  for (let generation = 0; generation <= rig.index; generation++) {
    if (storedUnder(rig, shard, generation).length > 0) found.push(generation);
  }
  return found;
}

/** Expects that what the last entry gave up stays until that entry is durable, and then goes. */
function expectPurge(rig: Rig, before: readonly number[], after: readonly number[]): void {
  rig.group.flush();
  rig.group.durable(rig.index - 1);
  expect(generationsOf(rig, 0)).toEqual(before);
  rig.group.durable(rig.index);
  expect(generationsOf(rig, 0)).toEqual(after);
  const count = releasedBy(rig);
  rig.group.durable(rig.index + 5);
  expect(releasedBy(rig)).toBe(count);
}

describe('what a move leaves behind', () => {
  test('is the copy and its index, once it is forgotten', () => {
    const move = rigs();
    move.begin();
    const exportedAt = move.source.index;
    const { generation } = move.given;
    move.source.put('k1', 'y');
    move.copy();
    move.finish();
    const other = contentOf(move.source, 1);
    move.source.group.durable(move.source.index);
    expect(generationsOf(move.source, 0)).toEqual([generation, exportedAt]);
    move.forget();
    expectPurge(move.source, [generation, exportedAt], []);
    expect(contentOf(move.source, 1)).toEqual(other);
    // All that is left of the shard is its record.
    expect(move.source.dump().filter((line) => line.startsWith('0000'))).toEqual([]);
    expect(move.given).toMatchObject({ state: ShardState.absent, fence: 10 });
  });

  test('is the index alone, once it is cancelled', () => {
    const move = rigs();
    move.beginExport();
    const exportedAt = move.source.index;
    const { generation } = move.given;
    move.source.put('k1', 'y');
    move.cancel();
    expectPurge(move.source, [generation, exportedAt], [generation]);
    expect(move.source.put('k1', 'z')).toMatchObject({ version: 7 });
    expect(generationsOf(move.source, 0)).toEqual([generation]);
  });

  test('is what was staged, once it is aborted', () => {
    const move = rigs();
    move.begin();
    move.copy();
    const { generation } = move.taken;
    move.abort();
    expectPurge(move.target, [generation], []);
  });

  test('is what was staged, once it begins anew', () => {
    const move = rigs();
    move.begin();
    move.copy();
    const first = move.taken.generation;
    move.beginImport(move.staging.pos + 1);
    const second = move.taken.generation;
    expect(second).toBeGreaterThan(first);
    expectPurge(move.target, [first], []);
    move.source.put('k1', 'y');
    move.copy();
    expect(generationsOf(move.target, 0)).toEqual([second]);
  });

  test('is what was staged, once its digests differ', () => {
    const move = rigs();
    move.begin();
    move.copy();
    const { generation } = move.taken;
    const zero = { hi: 0, lo: 0 };
    const facts = { revision: move.staging.pos, time: 1, digests: { records: zero, rows: zero } };
    expect(move.activate(facts)).toEqual({ answer: MoveAnswer.digest });
    expectPurge(move.target, [generation], []);
  });

  test('is the frozen copy, once a newer move brings the shard back', () => {
    const move = rigs();
    move.begin();
    const { generation } = move.given;
    const exportedAt = move.source.index;
    move.source.put('k1', 'y');
    move.copy();
    move.finish();
    const back = new Move(move.target, move.source, { moveId: 11, epoch: 2 });
    back.begin();
    expectPurge(move.source, [generation, exportedAt], []);
    back.copy();
    expect(back.finish()).toEqual({ answer: MoveAnswer.active });
    expect(generationsOf(move.source, 0)).toEqual([back.taken.generation]);
  });
});

describe('a crash', () => {
  test('before a drop is durable brings everything back', () => {
    const move = rigs();
    move.begin();
    move.copy();
    move.finish();
    move.source.group.flush();
    const before = move.source.dump();
    const durable = copyOf(move.source.store);
    move.forget();
    move.source.group.flush();
    move.source.group.durable(move.source.index - 1);
    const back = new Rig({ gid: 7, store: durable });
    back.index = move.source.index - 1;
    expect(back.dump()).toEqual(before);
    expect(new Move(back, move.target).given).toMatchObject({ state: ShardState.frozen });
  });

  test('of what was applied takes the drop with it, also in a group that is only loaded again', () => {
    const move = rigs();
    move.begin();
    move.copy();
    move.finish();
    move.source.group.flush();
    const before = contentOf(move.source, 0);
    move.forget();
    move.source.group.load();
    move.source.group.durable(move.source.index);
    expect(releasedBy(move.source)).toBe(0);
    expect(contentOf(move.source, 0)).toEqual(before);
  });

  test('after it leaves it to the next start, which finds every generation that nobody names', () => {
    const move = rigs();
    move.source.activate(2, 1);
    move.source.put('a', 'x', { shard: 2 });
    move.begin();
    move.source.put('k1', 'y');
    move.copy();
    move.finish();
    const kept = new Move(move.source, move.target, { moveId: 12, shard: 1 });
    kept.beginExport();
    move.source.put('k1', 'y', { shard: 1 });
    move.forget();
    move.source.group.flush();
    const store = copyOf(move.source.store);
    const named = [1, 2].map((shard) => contentOf(move.source, shard));
    const back = new Rig({ gid: 7, store });
    back.index = move.source.index;
    expect(store.released.length).toBe(2);
    for (let shard = 0; shard < 3; shard++) {
      expect(generationsOf(back, shard).length).toBe(shard === 0 ? 0 : shard === 1 ? 2 : 1);
    }
    expect([1, 2].map((shard) => contentOf(back, shard))).toEqual(named);
    expect(new Move(back, move.target, { moveId: 12, shard: 1 }).changes(5).delta.length).toBeGreaterThan(0);
    // Nothing is left to find.
    back.restart();
    expect(store.released.length).toBe(2);
  });

  test('does not touch the keys of another replica in the same store', () => {
    const store = new WatchedStore();
    const one = Rig.serving([0], { gid: 7, store, prefix: PREFIX });
    const after = Rig.serving([0], { gid: 7, store, prefix: PREFIX.with(-1, 0xff) });
    const before = Rig.serving([0], { gid: 7, store, prefix: PREFIX.with(-1, 0) });
    for (const rig of [one, after, before]) rig.put('a', 'x');
    for (const rig of [one, after, before]) rig.restart();
    expect(store.released).toEqual([]);
  });
});

test('only whole generations are given up, and none that is named', () => {
  const move = rigs();
  move.begin();
  move.copy();
  move.abort();
  move.cancel();
  for (const rig of [move.source, move.target]) {
    rig.group.flush();
    rig.group.durable(rig.index);
  }
  const next = new Move(move.source, move.target, { moveId: 11 });
  next.run();
  next.forget();
  for (const rig of [move.source, move.target]) {
    rig.group.flush();
    rig.group.durable(rig.index);
    const keys = new KeySpace(PREFIX);
    for (const [from, to] of (rig.store as WatchedStore).released) {
      expect(from.length).toBe(PREFIX.length + 10);
      expect(compareBytes(from, to)).toBeLessThan(0);
      const { generation } = rig.group.shard(0) ?? { generation: 0 };
      const live = keys.copyHead(0, generation);
      expect(compareBytes(from, live) <= 0 && compareBytes(live, to) < 0).toBe(false);
    }
  }
  expect(releasedBy(move.source)).toBe(3);
  expect(releasedBy(move.target)).toBe(1);
});

test('a repeat gives nothing up again', () => {
  const move = rigs();
  move.begin();
  move.copy();
  move.beginExport();
  move.beginImport(0);
  move.trim(0);
  move.abort();
  move.target.step({ step: MoveStep.abort, moveId: 10, shard: 0 });
  move.target.group.flush();
  move.target.group.durable(move.target.index);
  move.source.group.durable(move.source.index);
  expect(releasedBy(move.source)).toBe(0);
  expect(releasedBy(move.target)).toBe(1);
});

function copyOf(store: MemoryStore): WatchedStore {
  const copy = new WatchedStore();
  for (const [key, value] of store.dump(new Uint8Array(0))) copy.put(key, value);
  return copy;
}
