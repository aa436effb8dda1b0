import { MessageKind, Reader } from '@flotilla/base';
import { FrameKind, readRaftMessage } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';
import type { Look } from './journal.ts';
import type { Sent } from './wires.ts';

function kindsIn(frame: Sent): MessageKind[] {
  if (frame.kind !== FrameKind.raft) return [];
  const from = new Reader(frame.body);
  const kinds: MessageKind[] = [];
  while (from.remaining > 0) kinds.push(readRaftMessage(from).message.kind);
  return kinds;
}

function answered(bench: Bench, look: Look): Look {
  bench.until(() => look.isDone);
  return look;
}

/** Reads at the leader, and says how the read was confirmed. */
function readHow(bench: Bench, store: BenchStore): 'lease' | 'round' {
  const before = store.host.leaseReads;
  answered(bench, store.look());
  return store.host.leaseReads > before ? 'lease' : 'round';
}

describe('the lease', () => {
  test('serves reads without a frame; a follower asks the leader, and sees the same', () => {
    const bench = new Bench().withLeader();
    bench.write('a');
    bench.run(100);
    const leader = bench.leader();
    const frames = bench.wires.frames;
    const look = leader.look();
    bench.run(0);
    expect(look.value).toBe('a');
    expect(bench.wires.frames).toBe(frames);
    for (const follower of bench.followers()) expect(answered(bench, follower.look()).value).toBe('a');
  });

  test('or not: sure to lead is whom a quorum has just heard, no follower, and nobody after a stall', () => {
    for (const leaseEnabled of [true, false]) {
      const bench = new Bench(3, { leaseEnabled }).withLeader();
      bench.run(200);
      const leader = bench.leader();
      expect(bench.stores.filter((store) => store.host.isSureToLead(store.replica()))).toEqual([leader]);
      leader.pause();
      bench.run(160);
      expect(leader.host.isSureToLead(leader.replica())).toBe(false);
      leader.resume();
      bench.run(200);
      expect(bench.leaderOf()?.host.isSureToLead(bench.leader().replica())).toBe(true);
    }
  });

  test('rests on both majorities while two configurations are in force (thesis 4.3)', () => {
    const bench = new Bench().withLeader();
    bench.run(200);
    const { host } = bench.leader();
    const replica = bench.leader().replica();
    const { confState } = replica;
    replica.confState = { ...confState, votersOutgoing: confState.voters };
    expect(host.isSureToLead(replica)).toBe(true);
    replica.confState = { ...confState, votersOutgoing: [7, 8, 9] };
    expect(host.isSureToLead(replica)).toBe(false);
  });

  test('is out of reach over a slow link, and reads take a round that is longer than the pause between two questions', () => {
    const bench = new Bench().withLeader();
    bench.write('a');
    bench.run(100);
    bench.wires.delayMs = 200;
    bench.run(1_000);
    for (const store of [bench.leader(), ...bench.followers()]) {
      const look = store.look();
      bench.run(1_500);
      expect([look.isDone, look.value]).toEqual([true, 'a']);
    }
  });

  test('is off: every read at a leader of several voters takes a round', () => {
    const bench = new Bench(3, { leaseEnabled: false }).withLeader();
    bench.run(200);
    expect(readHow(bench, bench.leader())).toBe('round');
  });

  test.each([true, false])(
    'is not needed by a voter alone, which answers at once (lease: %s)',
    (leaseEnabled) => {
      const bench = new Bench(1, { leaseEnabled }).withLeader();
      bench.write('a');
      const look = bench.leader().look();
      bench.run(0);
      expect(look.value).toBe('a');
      // After a step of its clock it asks itself, and gets the answer in the same moment.
      bench.leader().wallOffsetMs += 1_000;
      const next = bench.leader().look();
      bench.run(0);
      expect(next.value).toBe('a');
    },
  );

  test('does not exist before the first entry of the term is committed and applied', () => {
    const bench = new Bench().withLeader();
    bench.write('a');
    const old = bench.leader();
    // The next leader wins its election, but hears no acknowledgement of its first entry.
    bench.wires.tap = (frame) => !kindsIn(frame).includes(MessageKind.appResp);
    old.crash();
    bench.until(() => bench.stores.some((store) => store.isRunning && store.replica().isLeader));
    const next = bench.stores.find((store) => store.isRunning && store.replica().isLeader) as BenchStore;
    const look = next.look();
    bench.run(200);
    expect(look.isDone).toBe(false);
    expect(next.host.leaseReads).toBe(0);
    bench.wires.tap = () => true;
    expect(answered(bench, look).value).toBe('a');
  });

  test('ends 135 ms after the last answered round was sent, and not before', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    bench.write('a');
    let stamp = 0;
    bench.wires.tap = (frame) => {
      if (frame.kind === FrameKind.beat && frame.from === leader.id) stamp = bench.time.monoMs();
      return true;
    };
    bench.run(200);
    bench.run(stamp + 60 - bench.time.monoMs());
    const last = stamp;
    expect(bench.time.monoMs()).toBe(last + 10);
    for (const follower of bench.followers()) bench.wires.silence(follower.id, leader.id);
    bench.run(124);
    const inside = leader.look();
    bench.run(0);
    expect(inside.value).toBe('a');
    bench.run(2);
    const outside = leader.look();
    bench.run(20);
    expect(outside.isDone).toBe(false);
  });

  test('counts from before the round was sent, not from when its answer came', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    bench.run(200);
    for (const follower of bench.followers()) bench.wires.hold(follower.id, leader.id);
    bench.run(200);
    // All answers come at once. The newest is of a round not long ago, the promise for it runs since then.
    const sent: number[] = [];
    bench.wires.tap = (frame) => {
      if (frame.kind === FrameKind.beat && frame.from === leader.id) sent.push(bench.time.monoMs());
      return true;
    };
    bench.run(60);
    bench.wires.tap = () => true;
    for (const follower of bench.followers()) {
      bench.wires.silence(leader.id, follower.id);
      bench.wires.release(follower.id, leader.id);
    }
    const age = bench.time.monoMs() - (sent.at(-1) as number);
    bench.run(1);
    bench.run(135 - age - 1 + 3);
    const look = leader.look();
    bench.run(10);
    expect(look.isDone).toBe(false);
  });

  test('is gone after a stall of the loop, until a round sent later is answered (R14, O10)', () => {
    const bench = new Bench().withLeader();
    bench.write('a');
    bench.run(200);
    const leader = bench.leader();
    leader.pause();
    bench.run(160);
    const before = leader.host.leaseReads;
    const look = leader.look();
    leader.resume();
    bench.until(() => look.isDone);
    expect(leader.host.leaseReads).toBe(before);
    bench.run(200);
    expect(readHow(bench, bench.leader())).toBe('lease');
  });

  test('is gone after a stall that is just long enough, wherever it begins between two ticks', () => {
    for (let at = 0; at < 50; at += 5) {
      const bench = new Bench().withLeader();
      bench.write('a');
      bench.run(200 + at);
      const leader = bench.leader();
      leader.pause();
      bench.run(101);
      const before = leader.host.leaseReads;
      const look = leader.look();
      leader.resume();
      bench.until(() => look.isDone);
      expect(leader.host.leaseReads).toBe(before);
    }
  });

  test('is gone after a step of the wall clock, forward or back, until a later round is answered (R15)', () => {
    for (const step of [60, -60, 10_000]) {
      const bench = new Bench().withLeader();
      bench.run(200);
      const leader = bench.leader();
      leader.wallOffsetMs += step;
      expect(readHow(bench, leader)).toBe('round');
      bench.run(120);
      expect(readHow(bench, leader)).toBe('lease');
      leader.wallOffsetMs += 40;
      expect(readHow(bench, leader)).toBe('lease');
    }
  });

  test('a machine that stood still between evaluation and answer tells nothing', () => {
    const bench = new Bench().withLeader();
    bench.write('a');
    bench.run(200);
    const leader = bench.leader();
    const before = leader.host.leaseReads;
    // The monotonic clock stood still with the machine; only the wall clock shows it.
    let steps = 1;
    const look = leader.look(1, () => {
      if (steps-- > 0) leader.wallOffsetMs += 30_000;
    });
    bench.until(() => look.isDone);
    expect(look.evaluations).toBe(2);
    expect(leader.host.leaseReads).toBe(before);
  });

  test('ends as TimeoutNow leaves, and does not come back in that term when the transfer fails', () => {
    const bench = new Bench().withLeader();
    bench.run(200);
    const leader = bench.leader();
    const { term } = leader.replica().raft;
    const target = bench.followers()[0] as BenchStore;
    bench.wires.tap = (frame) => !kindsIn(frame).includes(MessageKind.timeoutNow);
    expect(readHow(bench, leader)).toBe('lease');
    leader.host.transferLeader(leader.replica(), target.replica().raftId);
    expect(readHow(bench, leader)).toBe('round');
    bench.run(3_000);
    expect(leader.replica().raft.term).toBe(term);
    expect(leader.replica().isServing).toBe(true);
    expect(readHow(bench, leader)).toBe('round');
    // It leads all the same, for as long as nobody else wants to: what waits for a sure leader must not wait for ever.
    expect(leader.host.isSureToLead(leader.replica())).toBe(true);
  });

  test('a transfer takes over at once, while promises hold, and reads see what was written before', () => {
    const bench = new Bench().withLeader();
    bench.write('a');
    bench.run(200);
    const old = bench.leader();
    const target = bench.followers()[1] as BenchStore;
    old.host.transferLeader(old.replica(), target.replica().raftId);
    expect(bench.until(() => bench.leaderOf() === target)).toBeLessThan(20);
    expect(answered(bench, target.look()).value).toBe('a');
  });

  test('TimeoutNow of an older term starts nothing', () => {
    const bench = new Bench().withLeader();
    const old = bench.leader();
    const target = bench.followers()[0] as BenchStore;
    const held: Sent[] = [];
    bench.wires.tap = (frame) => {
      if (!kindsIn(frame).includes(MessageKind.timeoutNow)) return true;
      held.push(frame);
      return false;
    };
    old.host.transferLeader(old.replica(), target.replica().raftId);
    bench.run(10);
    expect(held).toHaveLength(1);
    old.crash();
    bench.until(() => bench.leaderOf() !== undefined);
    bench.wires.tap = () => true;
    old.start();
    bench.run(500);
    const leader = bench.leader();
    const { term } = leader.replica().raft;
    // The late frame comes over the new connection.
    bench.wires.replay(held[0] as Sent);
    bench.run(1_000);
    expect(bench.leader()).toBe(leader);
    expect(leader.replica().raft.term).toBe(term);
  });
});

describe('no stale read', () => {
  test('by a leader that was cut off while the others wrote', () => {
    for (const silent of [true, false]) {
      const bench = new Bench().withLeader();
      bench.write('old');
      bench.run(200);
      const old = bench.leader();
      if (silent) {
        for (const other of bench.followers()) {
          bench.wires.silence(old.id, other.id);
          bench.wires.silence(other.id, old.id);
        }
      } else {
        bench.wires.isolate(old.id);
      }
      bench.until(() => bench.stores.some((store) => store !== old && store.replica().isServing));
      const next = bench.stores.find((store) => store !== old && store.replica().isServing) as BenchStore;
      const line = next.propose('new');
      bench.until(() => line.fate === 'applied');
      const look = old.look();
      bench.run(50);
      expect(look.value).toBeUndefined();
      bench.wires.heal();
      bench.until(() => look.isDone);
      expect(look.value).not.toBe('old');
    }
  });

  test('by a leader whose follower forgot its promise in a restart (hold-back)', () => {
    // Leader L and follower F hold the lease; C is cut off from L. F restarts and forgets. C asks F at once.
    const bench = new Bench().withLeader();
    bench.write('old');
    bench.run(200);
    const leader = bench.leader();
    const [follower, candidate] = bench.followers() as [BenchStore, BenchStore];
    bench.wires.cut(leader.id, candidate.id);
    bench.run(155);
    // C has forgotten L and asks; the next thing that F hears after its restart is C, not L.
    bench.wires.cut(leader.id, follower.id);
    const promisedAt = bench.time.monoMs();
    follower.crash();
    follower.start();
    for (let at = 0; at < 40; at++) {
      bench.run(5);
      const other = [candidate, follower].find((store) => store.replica().isServing);
      if (other === undefined) continue;
      const line = other.propose('new');
      bench.until(() => line.fate !== 'open');
      const look = leader.look();
      bench.run(0);
      expect(look.value).toBeUndefined();
      return;
    }
    expect(bench.time.monoMs() - promisedAt).toBeGreaterThan(135);
    const look = leader.look();
    bench.run(0);
    expect(look.value).toBeUndefined();
  });

  test('by a leader that learns of its successor in the turn in which it evaluates', () => {
    const bench = new Bench().withLeader();
    bench.write('a');
    bench.run(200);
    const leader = bench.leader();
    const target = bench.followers()[0] as BenchStore;
    const look = leader.look(1, () => leader.host.transferLeader(leader.replica(), target.replica().raftId));
    bench.until(() => look.isDone);
    expect(['a', undefined]).toContain(look.value);
  });

  test('a stale read says how old it may be, and a follower of a leader that nobody answers says: very', () => {
    const bench = new Bench(5).withLeader();
    bench.run(500);
    const leader = bench.leader();
    const near = bench.followers()[0] as BenchStore;
    const age = (store: BenchStore): number => store.replica().stalenessMs(bench.time.monoMs());
    expect(age(leader)).toBeLessThan(120);
    expect(age(near)).toBeLessThan(120);
    for (const far of bench.followers().slice(1)) {
      bench.wires.silence(far.id, leader.id);
      bench.wires.silence(leader.id, far.id);
    }
    bench.run(800);
    expect(leader.replica().isLeader).toBe(true);
    expect(age(near)).toBeGreaterThan(500);
    expect(age(leader)).toBeGreaterThan(500);
  });
});
