import { EMPTY_BYTES, type Message, MessageKind, type RaftId, Writer } from '@flotilla/base';
import { FrameKind, writeRaftMessage } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';

const GROUP = { gid: 1, incarnation: 1 };

function plainMessage(kind: MessageKind, from: RaftId, to: RaftId, term: number): Message {
  const numbers = { logTerm: 0, index: 0, commit: 0, vote: 0, rejectHint: 0 };
  const rest = { reject: false, entries: [], snapshot: undefined, context: EMPTY_BYTES, responses: [] };
  return { kind, from, to, term, ...numbers, ...rest };
}

function twoGroups(): Bench {
  const bench = new Bench().start();
  bench.found(1);
  bench.found(2);
  bench.until(() => bench.leaderOf(1) !== undefined && bench.leaderOf(2) !== undefined);
  for (const gid of [1, 2]) for (const text of ['a', 'b', 'c']) bench.write(text, gid);
  bench.settle(1);
  bench.settle(2);
  bench.run(100);
  return bench;
}

/** The replica is silent, everything else goes on, and so it stays over a restart. */
function staysQuarantined(bench: Bench, sick: BenchStore): void {
  bench.until(() => bench.leaderOf(1) !== undefined && bench.leaderOf(1) !== sick);
  bench.write('after', 1);
  bench.write('after', 2);
  let said = 0;
  bench.wires.tap = (frame) => {
    if (frame.from === sick.id) said++;
    return true;
  };
  bench.run(300);
  expect(said).toBeGreaterThan(0);
  sick.crash();
  sick.start();
  bench.write('again', 1);
  bench.settle(2);
  expect(sick.host.replica(1)).toBeUndefined();
  expect([...sick.host.unopened()].map(({ group }) => group.gid)).toEqual([1]);
  expect(sick.fatal).toEqual([]);
  let refused: string | undefined = 'not asked';
  sick.host.create(GROUP, 1, bench.places(), (why) => {
    refused = why;
  });
  bench.run(10);
  expect(refused).toMatch(/never used again/);
}

describe('corruption ends one replica and nothing else', () => {
  test('when a message contradicts what its log has durable: a leader whose acknowledged entries are gone', () => {
    const bench = twoGroups();
    const sick = bench.leader(1);
    const witness = bench.followers(1)[0] as BenchStore;
    const { raft, raftId } = sick.replica(1);
    const out = new Writer();
    writeRaftMessage(out, GROUP, {
      ...plainMessage(MessageKind.appResp, witness.replica(1).raftId, raftId, raft.term),
      index: raft.lastIndex + 5,
    });
    bench.wires.replay({ from: witness.id, to: sick.id, lane: 0, kind: FrameKind.raft, body: out.finish() });
    bench.run(10);
    expect(sick.replica(1).broken).toMatch(/contradicts/);
    expect(sick.replica(2).broken).toBeUndefined();
    staysQuarantined(bench, sick);
  });

  test('when a read of the state meets it on the leader', () => {
    const bench = twoGroups();
    const sick = bench.leader(1);
    const { index } = sick.replica(1).applied;
    sick.state.corrupt(sick.journal(1).keyOf(index));
    const open = sick.propose('open', 1);
    const look = sick.look(1);
    bench.run(0);
    expect(look.refusal).toEqual({ kind: 'not-leader' });
    expect(open.fate).not.toBe('open');
    expect(sick.replica(1).isLeader).toBe(false);
    expect(sick.leaderships.at(-1)).toMatch(/^1.* false$/);
    expect(sick.replica(2).broken).toBeUndefined();
    staysQuarantined(bench, sick);
  });

  test('when a confirmed read of the state meets it on a follower: every read gets its answer', () => {
    const bench = twoGroups();
    const sick = bench.followers(1)[0] as BenchStore;
    sick.state.corrupt(sick.journal(1).keyOf(sick.replica(1).applied.index));
    const looks = [sick.look(1), sick.look(1)];
    bench.run(50);
    for (const look of looks) expect(look.refusal).toEqual({ kind: 'not-leader' });
    expect(sick.replica(1).broken).toMatch(/checksum/);
    staysQuarantined(bench, sick);
  });

  test('when a stale read, outside of any turn, meets it', () => {
    const bench = twoGroups();
    const sick = bench.followers(1)[0] as BenchStore;
    sick.state.corrupt(sick.journal(1).keyOf(sick.replica(1).applied.index));
    sick.host.attempt(sick.replica(1), () => void sick.journal(1).last);
    expect(sick.replica(1).broken).toMatch(/checksum/);
    staysQuarantined(bench, sick);
  });

  test('when an entry of the log is damaged: the replica neither votes nor leads (S4, S5)', () => {
    const bench = twoGroups();
    const sick = bench.followers(1)[0] as BenchStore;
    const { last } = sick.log.span(GROUP);
    sick.log.corrupt(GROUP, last);
    sick.crash();
    sick.start();
    bench.run(500);
    expect(sick.host.replica(1)).toBeUndefined();
    bench.leader(1).crash();
    bench.run(5_000);
    // Two of three are gone: nobody may win with the vote of a damaged log.
    expect(bench.leaderOf(1)).toBeUndefined();
  });

  test('when the whole log of a running replica becomes unreadable (S6)', () => {
    for (const who of ['leader', 'follower']) {
      const bench = twoGroups();
      const sick = who === 'leader' ? bench.leader(1) : (bench.followers(1)[0] as BenchStore);
      sick.log.corrupt(GROUP);
      bench.leader(1).propose('next', 1);
      bench.run(4_000);
      if (sick.fatal.length === 0) expect(sick.host.replica(1)?.broken).toMatch(/checksum/);
      else {
        // The write itself was refused: the process ends, and its next life knows.
        sick.crash();
        sick.start();
      }
      bench.run(3_000);
      bench.until(() => bench.leaderOf(1) !== undefined && bench.leaderOf(1) !== sick);
      bench.write('after', 1);
      expect(bench.leaderOf(2)).toBeDefined();
    }
  });

  test('when a campaign, or a transfer, looks into a damaged log', () => {
    const bench = twoGroups();
    const sick = bench.leader(1);
    const target = bench.followers(1)[0] as BenchStore;
    sick.log.corrupt(GROUP);
    sick.host.transferLeader(sick.replica(1), target.replica(1).raftId);
    bench.run(5_000);
    bench.until(() => bench.leaderOf(1) !== undefined && bench.leaderOf(1) !== sick, 5_000);
    expect(bench.leaderOf(2)).toBeDefined();
  });

  test('a snapshot that meets it while it is sent ends the sending replica, and the follower gets another', () => {
    const bench = new Bench(3, { logKeepBytes: 2_000, snapshotSilenceMs: 2_000 }).withLeader();
    bench.settle();
    const away = bench.followers()[0] as BenchStore;
    away.crash();
    for (let at = 0; at < 20; at++) bench.write(`line ${at} ${'x'.repeat(1_000)}`);
    bench.run(100);
    const sick = bench.leader();
    sick.state.corrupt(sick.journal().keyOf(8));
    away.start();
    bench.until(() => sick.replica().broken !== undefined);
    bench.until(() => bench.leaderOf() !== undefined && bench.leaderOf() !== sick);
    bench.until(() => away.replica().applied.index === bench.leader().replica().applied.index);
    expect(away.lines()).toEqual(bench.leader().lines());
    expect(sick.fatal).toEqual([]);
  });
});

describe('a replica', () => {
  test('is made once: neither a tombstone nor another incarnation of the gid takes its place (R7)', () => {
    const bench = new Bench().withLeader();
    const store = bench.store('s1');
    const create = (incarnation: number): string | undefined => {
      let refused: string | undefined;
      store.host.create({ gid: 1, incarnation }, 1, bench.places(), (why) => {
        refused = why;
      });
      bench.run(10);
      return refused;
    };
    expect(create(1)).toMatch(/never used again/);
    expect(create(2)).toMatch(/must be removed before/);
    expect(store.replica().group.incarnation).toBe(1);
  });

  test('of a store that came back with another incarnation is heard by nobody (R7, X12)', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    const impostor = bench.followers()[0] as BenchStore;
    impostor.crash();
    impostor.incarnation = `${impostor.id}-2`;
    impostor.start();
    bench.run(100);
    const commit = leader.replica().raft.commitIndex;
    bench
      .followers()
      .find((store) => store !== impostor)
      ?.crash();
    const line = leader.propose('a');
    bench.run(500);
    expect(leader.replica().raft.commitIndex).toBe(commit);
    expect(line.fate).not.toBe('applied');
  });

  test('garbage from another store is refused with a line in the log, whatever kind it claims', () => {
    const bench = new Bench().withLeader();
    const [from, to] = [bench.stores[0] as BenchStore, bench.stores[1] as BenchStore];
    for (let kind = 0; kind < 256; kind++) {
      for (const body of [new Uint8Array(0), new Uint8Array(7).fill(255), new Uint8Array(300).fill(kind)]) {
        bench.wires.replay({ from: from.id, to: to.id, lane: 0, kind, body });
      }
    }
    bench.run(100);
    bench.write('a');
    expect(bench.settle()).toEqual(['a']);
    expect(to.fatal).toEqual([]);
  });
});
