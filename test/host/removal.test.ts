import { Reader } from '@flotilla/base';
import { FrameKind, readBeatAcks, readBeats, readRaftMessage, readVoteRefusal } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';
import type { Journal } from './journal.ts';
import type { Sent } from './wires.ts';

const DEAD = { gid: 1, incarnation: 1 };

/** Groups 1 and 2 on all stores, with something in both. */
function twoGroups(bench = new Bench()): Bench {
  bench.start();
  bench.found(1);
  bench.found(2);
  bench.until(() => bench.leaderOf(1) !== undefined && bench.leaderOf(2) !== undefined);
  for (const gid of [1, 2]) {
    for (const text of ['a', 'b', 'c']) bench.write(text, gid);
    bench.settle(gid);
  }
  return bench;
}

function destroy(store: BenchStore): { refused: string | undefined; isDone: boolean } {
  const end = { refused: undefined as string | undefined, isDone: false };
  store.host.destroy(DEAD, (refused) => {
    end.refused = refused;
    end.isDone = true;
  });
  return end;
}

/** Groups that a frame speaks of. */
function groupsIn({ kind, body }: Sent): number[] {
  if (kind === FrameKind.beat) return readBeats(body).beats.map(({ group }) => group.gid);
  if (kind === FrameKind.beatAck) return readBeatAcks(body).map(({ group }) => group.gid);
  if (kind === FrameKind.voteRefusal) return [readVoteRefusal(body).group.gid];
  if (kind !== FrameKind.raft) return [];
  const from = new Reader(body);
  const gids: number[] = [];
  while (from.remaining > 0) gids.push(readRaftMessage(from).group.gid);
  return gids;
}

/** Keys that the store still holds of a group, as reads see them. */
function keysOf(store: BenchStore, gid: number, incarnation = 1): number {
  const [from, to] = [incarnation, incarnation + 1].map((last) => {
    const prefix = new Uint8Array(12);
    new DataView(prefix.buffer).setUint32(0, gid);
    new DataView(prefix.buffer).setUint32(8, last);
    return prefix;
  });
  let count = 0;
  try {
    store.state.scan(from as Uint8Array, to, () => {
      count++;
      return true;
    });
  } catch {
    // A key that cannot be read is there, too.
    count++;
  }
  return count;
}

/** Nothing of group 1 is left or comes back, and group 2 goes on. */
function isGone(bench: Bench, store: BenchStore): void {
  bench.until(() => keysOf(store, 1) === 0);
  expect(store.host.replica(1)).toBeUndefined();
  expect([...store.host.unopened()]).toEqual([]);
  expect(store.log.bytes(DEAD)).toBe(0);
  expect(store.log.replicas().find(({ group }) => group.gid === 1)?.removed).toBe(true);
  let refused: string | undefined;
  store.host.create(DEAD, 1, bench.places(), (why) => {
    refused = why;
  });
  expect(refused).toMatch(/never used again/);
  expect(store.fatal).toEqual([]);
  bench.until(() => bench.leaderOf(2) !== undefined);
  bench.write('goes on', 2);
  expect(bench.settle(2).at(-1)).toBe('goes on');
  expect(keysOf(store, 2)).toBeGreaterThan(0);
}

describe('a replica that is removed', () => {
  test('takes part in nothing from that moment on, and whoever waits for it is told', () => {
    const bench = twoGroups();
    const leader = bench.leader(1);
    const replica = leader.replica(1);
    const proposed = leader.propose('in the log', 1);
    bench.run(0);
    const waiting = leader.propose('not taken yet', 1);
    const look = leader.look(1);
    const end = destroy(leader);
    expect(waiting.fate).toBe('not-leader');
    expect(proposed.fate).toBe('lost');
    expect(look.refusal).toEqual({ kind: 'not-leader' });
    expect(leader.leaderships.at(-1)).toBe('1.1 false');
    expect(leader.host.replica(1)).toBeUndefined();
    const late = leader.host;
    const fate = { refused: false };
    late.read(replica, {
      evaluate() {},
      deliver() {},
      refused: () => {
        fate.refused = true;
      },
      expired: () => false,
    });
    expect(fate.refused).toBe(true);
    expect(late.isSureToLead(replica)).toBe(false);
    const said = new Set<number>();
    bench.wires.tap = (frame) => {
      if (frame.from === leader.id) for (const gid of groupsIn(frame)) said.add(gid);
      return true;
    };
    bench.until(() => end.isDone);
    expect(end.refused).toBeUndefined();
    bench.run(2_000);
    expect([...said]).toEqual([2]);
    bench.wires.tap = () => true;
    isGone(bench, leader);
    leader.crash();
    leader.start();
    isGone(bench, leader);
  });

  test('is forgotten by all stores of the group, and the group comes back as another incarnation', () => {
    const bench = twoGroups();
    const ends = bench.stores.map(destroy);
    bench.until(() => ends.every((end) => end.isDone));
    bench.found(1, bench.places(), 7);
    bench.until(() => bench.leaderOf(1) !== undefined);
    bench.write('new', 1);
    expect(bench.settle(1)).toEqual(['new']);
    for (const store of bench.stores) {
      bench.until(() => keysOf(store, 1) === 0);
      expect(keysOf(store, 1, 7)).toBeGreaterThan(0);
      expect(store.fatal).toEqual([]);
    }
    expect(bench.settle(2)).toEqual(['a', 'b', 'c']);
    for (const store of bench.stores) store.powerCut();
    for (const store of bench.stores) store.start();
    bench.until(() => bench.leaderOf(1) !== undefined);
    expect(bench.settle(1)).toEqual(['new']);
  });

  test('makes room for the next incarnation only once it is gone for good', () => {
    const bench = twoGroups();
    const store = bench.leader(1);
    const next = { gid: 1, incarnation: 7 };
    const refusals: (string | undefined)[] = [];
    const create = (): void => {
      store.host.create(next, 1, bench.places(), (refused) => refusals.push(refused));
    };
    create();
    const end = destroy(store);
    create();
    bench.until(() => end.isDone);
    create();
    bench.until(() => refusals.length === 3);
    expect(refusals[0]).toMatch(/is still here: it must be removed/);
    expect(refusals[1]).toMatch(/is being removed/);
    expect(refusals[2]).toBeUndefined();
    expect(store.host.replica(1)?.group).toEqual(next);
    // The end of the former one is no news any more, and touches nothing of this one.
    expect(destroy(store).isDone).toBe(true);
    expect(store.host.replica(1)?.group).toEqual(next);
  });

  test('hears nothing that still travels to it', () => {
    const bench = twoGroups();
    const follower = bench.followers(1)[0] as BenchStore;
    const frames: Sent[] = [];
    bench.wires.tap = (frame) => {
      if (frame.to === follower.id) frames.push(frame);
      return true;
    };
    bench.write('late', 1);
    bench.run(120);
    destroy(follower);
    for (const frame of frames) bench.wires.replay(frame);
    bench.run(2_000);
    isGone(bench, follower);
  });

  test.each(['crash', 'power cut', 'power cut that keeps a part'])(
    'is there whole or gone for good, wherever a %s comes (crash points of a removal)',
    (how) => {
      let kept = 0;
      let gone = 0;
      for (let at = 0; at < 60; at += at < 0.5 ? 0.1 : 6) {
        const bench = twoGroups();
        const store = bench.leader(1);
        // So much that its removal takes several slices.
        for (let line = 0; line < 3; line++) bench.write('x'.repeat(100), 1);
        for (let key = 0; key < 2_000; key++) {
          const bytes = new Uint8Array(24);
          const view = new DataView(bytes.buffer);
          view.setUint32(0, 1);
          view.setUint32(8, 1);
          view.setUint32(12, 9);
          view.setUint32(20, key);
          store.state.put(bytes, Uint8Array.of(1));
        }
        store.state.commit(() => {});
        bench.run(1);
        const lines = store.lines(1).length;
        destroy(store);
        bench.run(at);
        if (how === 'crash') store.crash();
        else store.powerCut((pending) => (how === 'power cut' ? 0 : Math.ceil(pending / 2)));
        store.start();
        if (store.host.replica(1) !== undefined) {
          kept++;
          expect(store.lines(1).length).toBeLessThanOrEqual(lines);
          bench.settle(1);
          destroy(store);
        } else {
          gone++;
        }
        isGone(bench, store);
      }
      expect(gone).toBeGreaterThan(8);
      expect(kept > 0).toBe(how === 'power cut');
    },
  );

  test('ends a snapshot on its way to it or from it, and what was staged goes too', () => {
    for (const end of ['receiver', 'sender']) {
      let caught = 0;
      for (let at = 0; at < 2; at += 0.2) {
        const bench = new Bench(3, { logKeepBytes: 2_000, snapshotSilenceMs: 2_000 });
        twoGroups(bench);
        const away = bench.followers(1)[0] as BenchStore;
        away.crash();
        bench.until(() => bench.leaderOf(1) !== undefined);
        for (let line = 0; line < 6; line++) bench.write('x'.repeat(100_000), 1);
        bench.run(50);
        away.start();
        const has = (event: string): boolean => away.events.some((each) => each.startsWith(event));
        bench.until(() => has('snapshot-receive'));
        bench.run(at);
        const ending = end === 'receiver' ? away : bench.leader(1);
        if (!has('snapshot-installed')) caught++;
        destroy(ending);
        bench.run(3_000);
        isGone(bench, ending);
        expect([...away.host.replicas()].length).toBe(end === 'receiver' ? 1 : 2);
      }
      expect(caught).toBeGreaterThan(2);
    }
  });

  test('may be one that broke, or one that could not be opened', () => {
    for (const isOpened of [true, false]) {
      const bench = twoGroups();
      const sick = bench.followers(1)[0] as BenchStore;
      if (isOpened) {
        sick.state.corrupt((sick.replica(1).machine as Journal).keyOf(2));
        sick.host.attempt(sick.replica(1), () => sick.journal(1).load());
        expect(sick.replica(1).broken).toBeDefined();
      } else {
        sick.log.corrupt(DEAD);
        sick.crash();
        sick.start();
        expect([...sick.host.unopened()].map(({ group }) => group)).toEqual([DEAD]);
        let refused: string | undefined;
        sick.host.create({ gid: 1, incarnation: 7 }, 1, bench.places(), (why) => {
          refused = why;
        });
        expect(refused).toMatch(/is still here/);
      }
      const end = destroy(sick);
      bench.until(() => end.isDone);
      isGone(bench, sick);
      sick.crash();
      sick.start();
      isGone(bench, sick);
    }
  });

  test('may be one of which not even the record can be read', () => {
    const bench = twoGroups();
    const sick = bench.followers(1)[0] as BenchStore;
    let isUnreadable = true;
    sick.hooks = {
      logStore: (store) => ({
        replicas: () => store.replicas().filter(({ group }) => group.gid !== 1 || !isUnreadable),
        damaged: () => (isUnreadable ? [DEAD] : []),
        hardState: (group) => store.hardState(group),
        span: (group) => store.span(group),
        term: (group, index) => store.term(group, index),
        entries: (group, lo, hi, bytesMax) => store.entries(group, lo, hi, bytesMax),
        bytes: (group) => store.bytes(group),
        commit: (writes, done) => store.commit(writes, done),
      }),
    };
    sick.log.corrupt(DEAD);
    sick.crash();
    sick.start();
    expect([...sick.host.unopened()].map(({ raftId }) => raftId)).toEqual([0]);
    const end = destroy(sick);
    isUnreadable = false;
    bench.until(() => end.isDone);
    isGone(bench, sick);
  });

  test('is refused while it is being made, and no news where it never was', () => {
    const bench = new Bench().start();
    const store = bench.store('s1');
    expect(destroy(store)).toEqual({ refused: undefined, isDone: true });
    bench.found(1);
    expect(destroy(store).refused).toMatch(/being made: ask again/);
    bench.until(() => bench.leaderOf(1) !== undefined);
    const [one, two] = [destroy(store), destroy(store)];
    expect([one.isDone, two.isDone]).toEqual([false, false]);
    bench.until(() => one.isDone && two.isDone);
  });

  test('whose tombstone cannot be written ends the process', () => {
    const bench = twoGroups();
    const store = bench.leader(1);
    store.log.failNextCommit();
    const end = destroy(store);
    bench.run(50);
    expect(store.fatal.join()).toMatch(/input\/output error/);
    expect(end.isDone).toBe(false);
  });
});

describe('a machine is told what is durable', () => {
  test('as the state becomes so, never before, and never back', () => {
    const bench = twoGroups();
    const store = bench.followers(1)[0] as BenchStore;
    store.state.stall();
    bench.write('d', 1);
    bench.run(200);
    const journal = store.journal(1);
    const { index } = store.replica(1).applied;
    expect(journal.durableTo.at(-1)).toBeLessThan(index);
    store.state.resume();
    bench.until(() => journal.durableTo.at(-1) === index);
    const steps = journal.durableTo;
    expect(steps).toEqual([...steps].sort((left, right) => left - right));
    store.powerCut();
    store.start();
    expect(store.journal(1).durableTo).toEqual([index]);
    expect(store.lines(1)).toContain('d');
  });

  test('after a snapshot came in', () => {
    const bench = new Bench(3, { logKeepBytes: 2_000 }).withLeader();
    bench.settle();
    const away = bench.followers()[0] as BenchStore;
    away.crash();
    for (let at = 0; at < 60; at++) bench.write(`line ${at} ${'x'.repeat(100)}`);
    bench.run(100);
    away.start();
    bench.until(() => away.events.some((event) => event.startsWith('snapshot-installed')));
    expect(away.journal().durableTo[0]).toBe(away.replica().applied.index);
  });
});

test('time spent on applying is counted for each replica by itself', () => {
  const bench = new Bench();
  const slow = bench.store('s1');
  slow.hooks = {
    stateStore: (store) => ({
      get: (key) => store.get(key),
      scan: (from, to, visit, options) => store.scan(from, to, visit, options),
      put: (key, value) => {
        // A machine's key of group 1.
        if (key[3] === 1 && key[16] === 1) slow.monoOffsetMs += 2;
        store.put(key, value);
      },
      delete: (key) => store.delete(key),
      deleteRange: (from, to) => store.deleteRange(from, to),
      commit: (done, urgency) => store.commit(done, urgency),
      snapshot: () => store.snapshot(),
      release: (from, to) => store.release(from, to),
    }),
  };
  twoGroups(bench);
  expect(slow.replica(1).applyMs).toBe(6);
  expect(slow.replica(2).applyMs).toBe(0);
});

test('a replica whose creation ended with its process leaves nothing behind, also if nobody makes it again', () => {
  const bench = twoGroups();
  const [sick] = bench.stores as [BenchStore];
  const unborn = { gid: 9, incarnation: 1 };
  sick.log.failNextCommit();
  sick.host.create(unborn, 1, [{ raftId: 1, storeId: sick.id, storeIncarnation: 'x' }], () => {});
  bench.until(() => sick.fatal.length > 0);
  expect(keysOf(sick, 9)).toBe(1);
  sick.crash();
  expect(keysOf(sick, 9)).toBe(1);
  sick.start();
  expect(keysOf(sick, 9)).toBe(0);
  expect(keysOf(sick, 1)).toBeGreaterThan(0);
  // Made again at once, it keeps what it is given.
  sick.host.create(unborn, 1, [{ raftId: 1, storeId: sick.id, storeIncarnation: 'x' }], () => {});
  bench.run(2_000);
  expect(keysOf(sick, 9)).toBeGreaterThan(0);
  expect(sick.host.replica(9)?.isLeader).toBe(true);
});
