import { Writer } from '@flotilla/base';
import { FrameKind, readSnapshotAck } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';

/** A follower that needs several windows of chunks, right as its stream has begun. */
function streaming(tuning: object = {}): {
  readonly bench: Bench;
  readonly away: BenchStore;
  sender: BenchStore;
} {
  const bench = new Bench(3, { logKeepBytes: 2_000, snapshotSilenceMs: 2_000, ...tuning }).withLeader();
  bench.settle();
  const away = bench.followers()[0] as BenchStore;
  away.crash();
  for (let at = 0; at < 16; at++) bench.write(`line ${at} ${'x'.repeat(150_000)}`);
  bench.run(100);
  return { bench, away, sender: bench.leader() };
}

function caughtUp(bench: Bench, store: BenchStore): boolean {
  return store.replica().applied.index === bench.leaderOf()?.replica().applied.index;
}

const received = (store: BenchStore): number =>
  store.events.filter((event) => event.startsWith('snapshot-receive')).length;

test('a chunk of a stream that nobody offered is refused at once: the sender does not wait for silence', () => {
  const { bench, away } = streaming({ snapshotSilenceMs: 60_000 });
  let lost = 1;
  bench.wires.tap = (frame) => frame.kind !== FrameKind.snapshotOffer || lost-- <= 0;
  away.start();
  expect(bench.until(() => caughtUp(bench, away))).toBeLessThan(1_000);
});

test('an offer that the links do not take ends its stream at once', () => {
  const { bench, away } = streaming({ snapshotSilenceMs: 60_000 });
  const refused = bench.wires.refuse((frame) => frame.kind === FrameKind.snapshotOffer, 1);
  let unasked = 0;
  bench.wires.tap = (frame) => {
    if (frame.kind === FrameKind.snapshotChunk && received(away) === 0) unasked++;
    return true;
  };
  away.start();
  bench.until(() => refused.count === 1);
  expect(unasked).toBe(0);
  expect(bench.until(() => caughtUp(bench, away))).toBeLessThan(1_000);
});

test('acknowledgements that get lost end the stream after a silence, at both ends, and it begins anew', () => {
  const { bench, away } = streaming();
  bench.wires.tap = (frame) => frame.kind !== FrameKind.snapshotAck;
  away.start();
  bench.until(() => received(away) > 0);
  bench.run(1_900);
  expect(received(away)).toBe(1);
  // The receiver's refusal is lost as well: the sender has to notice by itself.
  bench.run(3_000);
  bench.wires.tap = () => true;
  expect(bench.until(() => caughtUp(bench, away))).toBeLessThan(2_500);
});

test('a sender that gives up without a word blocks no slot of the receiver for long', () => {
  const { bench, away, sender } = streaming();
  bench.wires.tap = (frame) => frame.kind !== FrameKind.snapshotChunk;
  away.start();
  bench.until(() => received(away) > 0);
  const verdicts: number[] = [];
  bench.wires.tap = (frame) => {
    if (frame.kind === FrameKind.snapshotAck && frame.from === away.id) {
      verdicts.push(readSnapshotAck(frame.body).verdict);
    }
    return frame.kind !== FrameKind.snapshotChunk && frame.kind !== FrameKind.snapshotOffer;
  };
  bench.run(2_200);
  expect(verdicts).toContain(2);
  expect(sender.fatal).toEqual([]);
});

test('damage behind the first window stops the sending replica and nothing else', () => {
  const { bench, away, sender } = streaming();
  sender.state.corrupt(sender.journal().keyOf(sender.replica().applied.index - 1));
  away.start();
  bench.until(() => sender.replica().broken !== undefined);
  expect(sender.fatal).toEqual([]);
  bench.until(() => bench.leaderOf() !== undefined && bench.leaderOf() !== sender);
  bench.until(() => caughtUp(bench, away));
});

test('a view that outlives its time ends its stream, and the next one begins with a newer state', () => {
  const { bench, away, sender } = streaming({ snapshotSilenceMs: 3_600_000 });
  bench.wires.tap = (frame) => frame.kind !== FrameKind.snapshotAck;
  away.start();
  bench.until(() => received(away) > 0);
  bench.run(11 * 60_000);
  bench.wires.tap = () => true;
  // One late acknowledgement makes the sender read on.
  const out = new Writer(16);
  out.u53(1);
  out.u32(3);
  out.u8(0);
  bench.wires.replay({
    from: away.id,
    to: sender.id,
    lane: 1,
    kind: FrameKind.snapshotAck,
    body: out.finish(),
  });
  bench.until(() => caughtUp(bench, away));
  expect(sender.events.some((event) => event.startsWith('snapshot-view-ended'))).toBe(true);
  expect(sender.replica().broken).toBeUndefined();
});

test('what becomes durable after the process has failed is not acknowledged', () => {
  const { bench, away } = streaming();
  away.diskMs = 30;
  away.start();
  bench.until(() => received(away) > 0);
  let after = 0;
  bench.wires.tap = (frame) => {
    if (frame.from === away.id && away.fatal.length > 0) after++;
    return true;
  };
  // Chunks come, and take 30 ms to become durable. Meanwhile the log fails.
  bench.run(5);
  expect(away.state.pendingCommits).toBeGreaterThan(0);
  away.log.failNextCommit();
  away.log.commit([], () => {});
  away.host.stop();
  away.fatal.push('as after a failed commit');
  bench.run(200);
  expect(after).toBe(0);
});
