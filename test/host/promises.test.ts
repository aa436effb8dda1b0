import { EMPTY_BYTES, EntryKind, type Message, MessageKind, Writer } from '@flotilla/base';
import { FrameKind, writeRaftMessage, writeVoteRefusal } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';

const GROUP = { gid: 1, incarnation: 1 };

function frame(bench: Bench, from: BenchStore, to: BenchStore, change: Partial<Message>): void {
  const out = new Writer(64);
  writeRaftMessage(out, GROUP, {
    kind: MessageKind.app,
    from: from.replica().raftId,
    to: to.replica().raftId,
    term: to.replica().raft.term,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: [],
    snapshot: undefined,
    context: EMPTY_BYTES,
    responses: [],
    ...change,
  });
  bench.wires.replay({ from: from.id, to: to.id, lane: 0, kind: FrameKind.raft, body: out.finish() });
  bench.run(1);
}

/** Lets the others elect a leader and write; whenever that is done, the old leader must not tell the old value. */
function expectNoStaleRead(bench: Bench, old: BenchStore): void {
  for (let at = 0; at < 150; at++) {
    bench.run(1);
    const next = bench.stores.find((store) => store !== old && store.replica().isServing);
    if (next === undefined) continue;
    const line = next.propose('new');
    while (line.fate === 'open') bench.run(0.25);
    const look = old.look();
    bench.run(0);
    expect(look.value).toBeUndefined();
    return;
  }
}

describe('no moment of a cut lets the old leader tell what a new one has changed', () => {
  test('when its followers lose it one after the other: promises hold', () => {
    for (let delay = 0; delay < 400; delay += 4) {
      const bench = new Bench(3, {}, delay).withLeader();
      bench.write('old');
      bench.run(200);
      const leader = bench.leader();
      const [one, two] = bench.followers() as [BenchStore, BenchStore];
      bench.wires.cut(leader.id, two.id);
      bench.run(delay);
      bench.wires.cut(leader.id, one.id);
      expectNoStaleRead(bench, leader);
    }
  });

  test('when the other follower restarts, and has forgotten what it promised: the hold-back holds', () => {
    for (let delay = 0; delay < 400; delay += 4) {
      const bench = new Bench(3, {}, delay).withLeader();
      bench.write('old');
      bench.run(200);
      const leader = bench.leader();
      const [one, two] = bench.followers() as [BenchStore, BenchStore];
      bench.wires.cut(leader.id, two.id);
      bench.run(delay);
      bench.wires.cut(leader.id, one.id);
      one.crash();
      one.start();
      expectNoStaleRead(bench, leader);
    }
  });
});

describe('a request for a vote', () => {
  test('is refused while the promise holds, with the time that is left, and leaves the term as it is', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    const [asked, candidate] = bench.followers() as [BenchStore, BenchStore];
    bench.run(100);
    const refusals: number[] = [];
    bench.wires.tap = (sent) => {
      if (sent.kind === FrameKind.voteRefusal)
        refusals.push(new DataView(sent.body.buffer).getFloat64(20, true));
      return true;
    };
    const { term } = asked.replica().raft;
    for (const kind of [MessageKind.preVote, MessageKind.vote]) {
      frame(bench, candidate, asked, { kind, term: term + 1, index: 1_000, logTerm: term });
    }
    expect(refusals).toHaveLength(2);
    for (const ms of refusals) {
      expect(ms).toBeGreaterThan(90);
      expect(ms).toBeLessThanOrEqual(150);
    }
    expect(asked.replica().raft.term).toBe(term);
    bench.run(1_000);
    expect(bench.leader()).toBe(leader);
  });

  test('a refusal that says nonsense sets no timer', () => {
    const bench = new Bench().withLeader();
    bench.leader().crash();
    const [one, two] = bench.stores.filter((store) => store.isRunning) as [BenchStore, BenchStore];
    bench.wires.silence(one.id, two.id);
    bench.wires.silence(two.id, one.id);
    bench.run(400);
    for (const remainingMs of [Number.NaN, -1]) {
      const out = new Writer(32);
      writeVoteRefusal(out, { group: GROUP, to: one.replica().raftId, remainingMs });
      bench.wires.replay({
        from: two.id,
        to: one.id,
        lane: 0,
        kind: FrameKind.voteRefusal,
        body: out.finish(),
      });
      bench.run(5);
      expect(one.replica().campaignAt).toBeUndefined();
    }
  });
});

describe('messages that this host never takes from others', () => {
  test('TimeoutNow of a later term starts no campaign', () => {
    const bench = new Bench().withLeader();
    bench.run(100);
    const leader = bench.leader();
    const [from, to] = bench.followers() as [BenchStore, BenchStore];
    const { term } = to.replica().raft;
    frame(bench, from, to, { kind: MessageKind.timeoutNow, term: term + 1 });
    bench.run(500);
    expect(bench.leader()).toBe(leader);
    expect(to.replica().raft.term).toBe(term);
  });

  test('a forwarded proposal does not get into the log, for nobody has stamped or admitted it', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    const from = bench.followers()[0] as BenchStore;
    const { lastIndex } = leader.replica().raft;
    const entries = [{ index: 0, term: 0, kind: EntryKind.normal, data: new Uint8Array(3) }];
    frame(bench, from, leader, { kind: MessageKind.prop, term: 0, entries });
    bench.run(100);
    expect(leader.replica().raft.lastIndex).toBe(lastIndex);
  });
});

test('a promise binds its giver: until it ends, its own election timer stands still', () => {
  const bench = new Bench().withLeader();
  bench.run(200);
  const follower = bench.followers()[0] as BenchStore;
  bench.wires.silence(bench.leader().id, follower.id);
  let ticksAtTheEnd = 0;
  for (let ms = 0; ms < 400; ms++) {
    const { promise, raft } = follower.replica();
    if (promise.holds(bench.time.monoMs())) expect(raft.electionElapsed).toBe(0);
    ticksAtTheEnd = raft.electionElapsed;
    bench.run(1);
  }
  expect(ticksAtTheEnd).toBeGreaterThan(2);
});
