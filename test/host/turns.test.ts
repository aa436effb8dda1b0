import { CorruptionError } from '@flotilla/base';
import type { LogStore } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';
import { POISON } from './journal.ts';

const GROUP = { gid: 1, incarnation: 1 };

function patched(inner: LogStore, patch: Partial<LogStore>): LogStore {
  return new Proxy(inner, {
    get: (target, name) => {
      const value = Reflect.get(patch, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test('apply stops while too much is not durable, and goes on by itself when there is room', () => {
  const bench = new Bench(1, { stateBytesPendingMax: 3_000, applyBytesPerTurn: 1_000 }).withLeader();
  const store = bench.leader();
  store.state.stall();
  const lines = Array.from({ length: 20 }, (_, at) => store.propose(`${at} ${'x'.repeat(500)}`));
  bench.run(40);
  const applied = lines.filter(({ fate }) => fate === 'applied').length;
  expect(applied).toBeGreaterThan(0);
  expect(applied).toBeLessThan(20);
  store.state.resume();
  bench.run(20);
  expect(lines.every(({ fate }) => fate === 'applied')).toBe(true);
});

test('a slice over many groups is bounded, and every group gets its turn', () => {
  const bench = new Bench(1, { applyBytesPerTurn: 1_000 }).start();
  const gids = Array.from({ length: 20 }, (_, at) => at + 1);
  for (const gid of gids) bench.found(gid);
  bench.until(() => gids.every((gid) => bench.leaderOf(gid) !== undefined));
  const lines = gids.map((gid) => bench.leader(gid).propose('y'.repeat(900), gid));
  bench.run(20);
  expect(lines.every(({ fate }) => fate === 'applied')).toBe(true);
});

test('the limit of the store counts what waits in all its groups, also within one turn', () => {
  const bench = new Bench(1, { storeUncommittedBytesMax: 1_000 }).start();
  bench.found(1);
  bench.found(2);
  bench.until(() => bench.leaderOf(1) !== undefined && bench.leaderOf(2) !== undefined);
  const store = bench.leader(1);
  const first = store.propose('x'.repeat(600), 1);
  const second = store.propose('x'.repeat(600), 2);
  expect(second.fate).toBe('overloaded');
  expect(second.why).toContain('uncommitted');
  bench.until(() => first.fate === 'applied');
  // All of it was given back, with refusals too.
  for (let at = 0; at < 10; at++) {
    const line = store.propose('x'.repeat(900), 2);
    store.propose('x'.repeat(900), 1);
    bench.until(() => line.fate === 'applied');
  }
});

test('the entry in which a machine breaks is lost for who waits for it, not open for ever', () => {
  const bench = new Bench().withLeader();
  const leader = bench.leader();
  const lines = ['before', POISON, 'after'].map((text) => leader.propose(text));
  bench.until(() => lines.every(({ fate }) => fate !== 'open'));
  expect(lines.map(({ fate }) => fate)).toEqual(['applied', 'lost', 'lost']);
  expect(leader.replica().broken).toMatch(/damaged state/);
  expect(leader.fatal).toEqual([]);
});

describe('a fatal fault in the middle of a turn', () => {
  test('lets nothing leave any more: no frame, no answer', () => {
    const bench = new Bench();
    let isSick = false;
    const sick = bench.store('s1');
    sick.hooks = {
      logStore: (inner) =>
        patched(inner, {
          commit: (writes, done) => {
            if (isSick) throw new CorruptionError('a run that is to be cut is gone');
            inner.commit(writes, done);
          },
        }),
    };
    bench.withLeader();
    bench.leader().host.transferLeader(bench.leader().replica(), 1);
    bench.until(() => bench.leaderOf() === sick);
    bench.run(200);
    isSick = true;
    let after = 0;
    bench.wires.tap = (frame) => {
      if (frame.from === sick.id && sick.fatal.length > 0) after++;
      return true;
    };
    sick.propose('a');
    const look = sick.look();
    // Beats of other groups would be in the same turn.
    sick.host.transferLeader(sick.replica(), 2);
    bench.run(500);
    expect(sick.fatal).toHaveLength(1);
    expect(sick.fatal[0]).toMatch(/^70 /);
    expect(after).toBe(0);
    expect(look.value).toBeUndefined();
  });
});

test('a group without a readable record is named, and is not made again (L8)', () => {
  const bench = new Bench().withLeader();
  const sick = bench.followers()[0] as BenchStore;
  sick.crash();
  sick.hooks = {
    logStore: (inner) => patched(inner, { replicas: () => [], damaged: () => [GROUP] }),
  };
  sick.start();
  expect([...sick.host.unopened()]).toMatchObject([{ group: GROUP, raftId: 0 }]);
  let refused: string | undefined;
  sick.host.create(GROUP, 2, bench.places(), (why) => {
    refused = why;
  });
  bench.run(10);
  expect(refused).toMatch(/never used again/);
  expect(sick.host.replica(1)).toBeUndefined();
});
