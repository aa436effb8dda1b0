import { MessageKind, Prng, Reader } from '@flotilla/base';
import type { LogStore } from '@flotilla/ports';
import { FrameKind, readRaftMessage } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';
import type { Sent } from './wires.ts';

const GROUP = { gid: 1, incarnation: 1 };

/** What of group 1 is durable on one store, as the log store said by calling back. */
class DurableView {
  term = 0;
  vote = 0;
  last = 0;

  /** The log store as the host gets it. */
  watch(inner: LogStore): LogStore {
    // A process that was killed may have written more than it was told.
    this.last = inner.span(GROUP).last;
    ({ term: this.term, vote: this.vote } = inner.hardState(GROUP) ?? { term: 0, vote: 0 });
    const commit: LogStore['commit'] = (writes, done) =>
      inner.commit(writes, (failure) => {
        for (const { hardState, entries, replica } of failure === undefined ? writes : []) {
          if (replica !== undefined) this.last = replica.start.index;
          if (hardState !== undefined) ({ term: this.term, vote: this.vote } = hardState);
          if (entries !== undefined) this.last = entries.at(-1)?.index ?? this.last;
        }
        done(failure);
      });
    return new Proxy(inner, {
      get: (target, name) => {
        if (name === 'commit') return commit;
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** What is wrong with sending this now; undefined if nothing is. */
  problemOf(frame: Sent): string | undefined {
    if (frame.kind !== FrameKind.raft) return undefined;
    const from = new Reader(frame.body);
    while (from.remaining > 0) {
      const { message } = readRaftMessage(from);
      if (message.reject) continue;
      if (message.kind === MessageKind.voteResp && (this.term < message.term || this.vote !== message.to)) {
        return `a vote for ${message.to} in term ${message.term} before it is durable`;
      }
      if (message.kind === MessageKind.appResp && (this.last < message.index || this.term < message.term)) {
        return `an acknowledgement of ${message.index} while ${this.last} is durable`;
      }
      if (message.kind === MessageKind.vote && (this.term < message.term || this.vote !== message.from)) {
      }
    }
    return undefined;
  }
}

function watched(bench: Bench): { problems: string[]; answers: () => number } {
  const problems: string[] = [];
  let answers = 0;
  const views = new Map(bench.stores.map((store) => [store.id, new DurableView()]));
  for (const store of bench.stores) {
    store.hooks = { logStore: (inner) => (views.get(store.id) as DurableView).watch(inner) };
  }
  bench.wires.tap = (frame) => {
    const problem = views.get(frame.from)?.problemOf(frame);
    if (problem !== undefined) problems.push(`${frame.from}: ${problem}`);
    if (frame.kind === FrameKind.raft) answers++;
    return true;
  };
  return { problems, answers: () => answers };
}

describe('persist before send', () => {
  test.each([1, 2, 3, 4])(
    'no vote and no acknowledgement leaves before its commit is durable (seed %i)',
    (seed) => {
      const bench = new Bench(3, {}, seed);
      const { problems, answers } = watched(bench);
      const random = new Prng(seed).fork('disk');
      for (const store of bench.stores) store.diskMs = 1 + random.below(20);
      bench.withLeader();
      for (let round = 0; round < 12; round++) {
        for (let at = 0; at < 5; at++) {
          bench.leaderOf()?.propose(`${round} ${at}`);
          bench.run(random.below(10));
        }
        const victim = bench.stores[random.below(3)] as BenchStore;
        victim.crash();
        bench.run(random.below(600));
        victim.start();
        bench.until(() => bench.leaderOf() !== undefined);
      }
      bench.settle();
      expect(answers()).toBeGreaterThan(100);
      expect(problems).toEqual([]);
    },
  );

  test('a vote survives a power cut that comes right after it was sent (R9)', () => {
    const bench = new Bench();
    const { problems } = watched(bench);
    bench.withLeader();
    const old = bench.leader();
    const [one, two] = bench.followers() as [BenchStore, BenchStore];
    const before = bench.wires.tap;
    const votes = new Map<string, Set<number>>();
    bench.wires.tap = (frame) => {
      if (frame.kind === FrameKind.raft) {
        const { message } = readRaftMessage(new Reader(frame.body));
        if (message.kind === MessageKind.voteResp && !message.reject) {
          const key = `${frame.from} ${message.term}`;
          votes.set(key, (votes.get(key) ?? new Set()).add(message.to));
          bench.time.set(0, () => {
            const voter = bench.store(frame.from);
            if (!voter.isRunning) return;
            voter.powerCut();
            expect(voter.log.hardState(GROUP)).toMatchObject({ term: message.term, vote: message.to });
            voter.start();
          });
        }
      }
      return before(frame);
    };
    old.crash();
    bench.run(3_000);
    expect(votes.size).toBeGreaterThan(0);
    for (const given of votes.values()) expect(given.size).toBe(1);
    bench.wires.tap = before;
    bench.until(() => bench.leaderOf() !== undefined);
    expect([one, two]).toContain(bench.leader());
    expect(problems).toEqual([]);
  });
});

describe('what was acknowledged', () => {
  test.each([11, 12, 13, 14, 15, 16])(
    'is there after power cuts at random moments, each once (seed %i)',
    (seed) => {
      const bench = new Bench(3, { logKeepBytes: 400 }, seed).withLeader();
      const random = new Prng(seed);
      const applied: string[] = [];
      const lines: { readonly text: string; readonly fate: string }[] = [];
      for (let round = 0; round < 15; round++) {
        for (let at = 0; at < 8; at++) {
          const leader = bench.leaderOf();
          if (leader !== undefined) lines.push(leader.propose(`${round}-${at}`));
          bench.run(random.below(3));
        }
        for (const line of lines.splice(0)) if (line.fate === 'applied') applied.push(line.text);
        const all = random.below(3) === 0;
        const victims = all ? bench.stores : [bench.stores[random.below(3)] as BenchStore];
        for (const victim of victims) victim.powerCut((pending) => random.below(pending + 1));
        bench.run(random.below(400));
        for (const victim of victims) victim.start();
        bench.until(() => bench.leaderOf() !== undefined);
      }
      const found = bench.settle();
      expect(applied.length).toBeGreaterThan(20);
      expect(found.filter((line) => applied.includes(line))).toEqual(applied);
      expect(new Set(found).size).toBe(found.length);
      for (const store of bench.stores) expect(store.lines()).toEqual(found);
    },
  );

  test('a leader commits with two followers while its own disk is slow, and applies what is durable only (R11)', () => {
    const bench = new Bench().withLeader();
    const leader = bench.leader();
    leader.diskMs = 200;
    const line = leader.propose('a');
    bench.run(100);
    expect(leader.replica().raft.commitIndex).toBe(leader.replica().raft.lastIndex);
    expect(line.fate).toBe('open');
    bench.until(() => line.fate === 'applied');
  });

  test('proposals of a leader that is cut off are lost, never applied wrongly (R19)', () => {
    const bench = new Bench().withLeader();
    const old = bench.leader();
    bench.wires.isolate(old.id);
    const lost = old.propose('lost');
    bench.run(1);
    bench.until(() => bench.stores.some((store) => store !== old && store.replica().isServing));
    const next = bench.stores.find((store) => store !== old && store.replica().isServing) as BenchStore;
    const kept = next.propose('kept');
    bench.until(() => kept.fate === 'applied');
    bench.until(() => lost.fate !== 'open');
    expect(lost.fate).toBe('lost');
    bench.wires.heal();
    expect(bench.settle()).toEqual(['kept']);
    expect(old.lines()).toEqual(['kept']);
    expect(old.propose('no').fate).toBe('not-leader');
  });
});

describe('a log that fails', () => {
  test('ends the process with code 70, and nothing leaves it afterwards (S1, L5)', () => {
    for (const who of ['leader', 'follower']) {
      const bench = new Bench().withLeader();
      const sick = who === 'leader' ? bench.leader() : (bench.followers()[0] as BenchStore);
      sick.log.failNextCommit();
      let after = 0;
      bench.wires.tap = (frame) => {
        if (frame.from === sick.id && sick.fatal.length > 0) after++;
        return true;
      };
      const line = bench.leader().propose('a');
      bench.until(() => sick.fatal.length > 0);
      const transactions = sick.state.pendingCommits;
      bench.run(5_000);
      expect(sick.fatal).toHaveLength(1);
      expect(sick.fatal[0]).toMatch(/^70 a log commit failed: /);
      expect(after).toBe(0);
      expect(sick.state.pendingCommits).toBeLessThanOrEqual(transactions);
      if (who === 'leader') expect(line.fate).not.toBe('applied');
    }
  });

  test('a chunk that becomes durable after the log failed is not acknowledged any more', () => {
    const bench = new Bench(3, { logKeepBytes: 2_000 }).withLeader();
    bench.settle();
    const away = bench.followers()[0] as BenchStore;
    away.crash();
    for (let at = 0; at < 20; at++) bench.write(`line ${at} ${'x'.repeat(1_000)}`);
    bench.run(50);
    away.diskMs = 5;
    away.start();
    bench.until(() => away.events.some((event) => event.startsWith('snapshot-receive')));
    let after = 0;
    bench.wires.tap = (frame) => {
      if (frame.from === away.id && away.fatal.length > 0) after++;
      return true;
    };
    bench.until(() => away.state.pendingCommits > 0);
    away.log.failNextCommit();
    away.host.create(
      { gid: 9, incarnation: 1 },
      1,
      [{ raftId: 1, storeId: away.id, storeIncarnation: 'x' }],
      () => {},
    );
    bench.run(1_000);
    expect(away.fatal).toHaveLength(1);
    expect(after).toBe(0);
  });

  test('of the state that never ends costs the process after 20 s, although nobody waits for it', () => {
    const bench = new Bench().withLeader();
    const sick = bench.leader();
    sick.state.stall();
    sick.propose('a');
    bench.run(19_000);
    expect(sick.fatal).toEqual([]);
    bench.run(2_000);
    expect(sick.fatal).toHaveLength(1);
    expect(sick.fatal[0]).toMatch(/^70 a commit of the state has been pending for \d+ ms$/);
  });

  test('that hangs for 3 s costs the leadership, and 20 s the process (S13)', () => {
    const bench = new Bench().withLeader();
    const sick = bench.leader();
    sick.log.stall();
    sick.propose('a');
    expect(bench.until(() => bench.leaderOf() !== sick && bench.leaderOf() !== undefined)).toBeLessThan(
      3_300,
    );
    expect(sick.fatal).toEqual([]);
    bench.write('b');
    bench.run(17_500);
    expect(sick.fatal).toHaveLength(1);
    expect(sick.fatal[0]).toMatch(/^70 a log commit has been pending for \d+ ms$/);
    sick.crash();
    sick.log.resume();
    sick.start();
    expect(bench.settle()).toContain('b');
  });
});
