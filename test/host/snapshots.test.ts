import { Lane } from '@flotilla/ports';
import { FrameKind } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';

const SMALL_LOG = { logKeepBytes: 2_000, snapshotSilenceMs: 2_000 };

/** A cluster in which one store was away for so long that the log does not reach back to it. */
function laggard(lines = 60, lineBytes = 100): { readonly bench: Bench; readonly away: BenchStore } {
  const bench = new Bench(3, SMALL_LOG).withLeader();
  bench.write('first');
  bench.settle();
  const away = bench.followers()[0] as BenchStore;
  away.crash();
  for (let at = 0; at < lines; at++) bench.write(`line ${at} ${'x'.repeat(lineBytes)}`);
  bench.run(100);
  expect(bench.leader().replica().raft.firstIndex).toBeGreaterThan(
    away.log.span({ gid: 1, incarnation: 1 }).last + 1,
  );
  return { bench, away };
}

function caughtUp(bench: Bench, store: BenchStore): boolean {
  const leader = bench.leaderOf();
  if (leader === undefined || !store.isRunning) return false;
  return store.host.replica(1)?.applied.index === leader.replica().applied.index;
}

/** Without printing megabytes when they differ. */
function same(one: BenchStore, other: BenchStore, gid = 1): boolean {
  return one.lines(gid).join('\n') === other.lines(gid).join('\n');
}

describe('a snapshot', () => {
  test('brings a follower up that needs more than the log holds, and replication goes on behind it', () => {
    const { bench, away } = laggard();
    away.start();
    bench.until(() => caughtUp(bench, away));
    expect(away.events.some((event) => event.startsWith('snapshot-installed'))).toBe(true);
    expect(same(away, bench.leader())).toBe(true);
    bench.write('after');
    expect(bench.settle().at(-1)).toBe('after');
    expect(same(away, bench.leader())).toBe(true);
    // And what it has survives: the log points at the new generation.
    away.powerCut();
    away.start();
    bench.settle();
    expect(same(away, bench.leader())).toBe(true);
  });

  test('begins anew at once when the bulk lane breaks alone: what was on it is lost without a word', () => {
    const { bench, away } = laggard();
    const offers = (): number =>
      bench.leader().events.filter((event) => event.startsWith('snapshot-send')).length;
    bench.wires.tap = (frame) => frame.lane !== Lane.bulk;
    away.start();
    bench.until(() => offers() === 1);
    bench.run(20);
    bench.wires.tap = () => true;
    bench.wires.breakBulk(bench.leader().id, away.id);
    bench.run(500);
    expect(offers()).toBe(2);
    expect(caughtUp(bench, away)).toBe(true);
    expect(same(away, bench.leader())).toBe(true);
  });

  test('of several chunks arrives whole while the group goes on writing', () => {
    const { bench, away } = laggard(12, 200_000);
    away.start();
    for (let at = 0; at < 20; at++) {
      bench.run(2);
      bench.write(`meanwhile ${at}`);
    }
    bench.until(() => caughtUp(bench, away));
    expect(same(away, bench.leader())).toBe(true);
  });

  test('is old state or new, never a mix, wherever the receiver loses power (S17)', () => {
    // First learn how long it takes, then cut the power at every half millisecond of it.
    const rehearsal = laggard(4, 100_000);
    rehearsal.away.start();
    const took = rehearsal.bench.until(() => caughtUp(rehearsal.bench, rehearsal.away));
    expect(took).toBeLessThan(500);
    let installed = 0;
    for (let at = 19.75; at < took + 2; at += 0.5) {
      const { bench, away } = laggard(4, 100_000);
      away.start();
      bench.run(at);
      const keepAll = Math.floor(at * 2) % 2 === 0;
      away.powerCut((pending) => (keepAll ? pending : 0));
      away.start();
      const lines = away.lines();
      const all = bench.leader().lines();
      expect(lines).toEqual(all.slice(0, lines.length));
      expect([1, all.length]).toContain(lines.length);
      if (lines.length > 1) installed++;
      bench.until(() => caughtUp(bench, away), 5_000);
      expect(away.lines().length).toBe(all.length);
    }
    expect(installed).toBeGreaterThan(0);
  });

  test('staged while the left-overs of an earlier one are still being removed stays whole', () => {
    const { bench, away } = laggard(8, 150_000);
    // Left-overs of a stage that was cut off: so many keys that their removal takes a while.
    const { state } = away;
    for (let at = 0; at < 20_000; at++) {
      const key = new Uint8Array(22);
      const view = new DataView(key.buffer);
      view.setUint32(0, 1);
      view.setUint32(8, 1);
      view.setUint32(12, 2);
      view.setUint8(16, 1);
      view.setUint32(18, 1_000_000 + at);
      state.put(key, Uint8Array.of(1));
    }
    state.commit(() => {});
    bench.run(1);
    away.start();
    bench.until(() => caughtUp(bench, away));
    bench.run(2_000);
    away.crash();
    away.start();
    bench.settle();
    expect(same(away, bench.leader())).toBe(true);
  });

  test('whose offer or acknowledgement is lost is given up and begun again', () => {
    for (const kind of [FrameKind.snapshotOffer, FrameKind.snapshotAck, FrameKind.snapshotChunk]) {
      const { bench, away } = laggard(8, 150_000);
      let lost = 0;
      bench.wires.tap = (frame) => frame.kind !== kind || ++lost > 3;
      away.start();
      bench.until(() => caughtUp(bench, away), 20_000);
      expect(lost).toBeGreaterThan(3);
      expect(same(away, bench.leader())).toBe(true);
    }
  });

  test('with a flipped bit is refused and begun again (M19)', () => {
    const { bench, away } = laggard();
    let flips = 1;
    bench.wires.tap = (frame) => {
      if (frame.kind === FrameKind.snapshotChunk && flips-- > 0) {
        const at = frame.body.length - 1;
        frame.body[at] = (frame.body[at] as number) ^ 1;
      }
      return true;
    };
    away.start();
    bench.until(() => caughtUp(bench, away));
    expect(away.events.some((event) => event.includes('the digest does not fit'))).toBe(true);
    expect(same(away, bench.leader())).toBe(true);
  });

  test('goes on from another leader when the sender dies in the middle', () => {
    const { bench, away } = laggard(8, 150_000);
    const old = bench.leader();
    away.start();
    bench.until(() => away.events.some((event) => event.startsWith('snapshot-receive')));
    bench.run(1);
    old.crash();
    bench.until(() => bench.leaderOf() !== undefined);
    bench.until(() => caughtUp(bench, away));
    expect(same(away, bench.leader())).toBe(true);
    old.start();
    bench.settle();
    expect(same(old, bench.leader())).toBe(true);
  });

  test('is neither sent nor received where more than two are under way, and all get theirs in the end (O6)', () => {
    const bench = new Bench(3, SMALL_LOG).start();
    const gids = [1, 2, 3, 4, 5, 6];
    for (const gid of gids) bench.found(gid);
    bench.until(() => gids.every((gid) => bench.leaderOf(gid) !== undefined));
    for (const gid of gids) bench.write('first', gid);
    const away = bench.store('s3');
    away.crash();
    bench.until(() => gids.every((gid) => bench.leaderOf(gid) !== undefined));
    for (const gid of gids) for (let at = 0; at < 40; at++) bench.write(`${at} ${'y'.repeat(20_000)}`, gid);
    bench.run(100);
    const open = new Set<string>();
    let most = 0;
    bench.wires.tap = (frame) => {
      if (frame.kind === FrameKind.snapshotOffer) most = Math.max(most, open.add(`${frame.from}`).size);
      return true;
    };
    away.start();
    const done = (gid: number): boolean =>
      away.host.replica(gid)?.applied.index === bench.leaderOf(gid)?.replica(gid).applied.index;
    bench.until(() => gids.every(done), 30_000);
    for (const gid of gids) expect(same(away, bench.leader(gid), gid)).toBe(true);
  });

  test('is refused where the disk is nearly full, and comes when there is room again (S3)', () => {
    const { bench, away } = laggard();
    away.freeBytes = 1_000;
    away.start();
    bench.run(1_000);
    expect(caughtUp(bench, away)).toBe(false);
    away.freeBytes = 1e12;
    bench.until(() => caughtUp(bench, away));
    expect(same(away, bench.leader())).toBe(true);
  });

  test('compaction never passes what the state has durable: a state disk that hangs keeps the whole log', () => {
    const bench = new Bench(3, SMALL_LOG).withLeader();
    const leader = bench.leader();
    bench.settle();
    bench.run(50);
    const durable = leader.replica().durableIndex;
    leader.state.stall();
    for (let at = 0; at < 50; at++) bench.write(`line ${at} ${'x'.repeat(200)}`);
    expect(leader.log.span({ gid: 1, incarnation: 1 }).first).toBeLessThanOrEqual(durable + 1);
    leader.powerCut();
    leader.start();
    expect(bench.settle()).toHaveLength(50);
    expect(leader.lines()).toHaveLength(50);
  });
});
