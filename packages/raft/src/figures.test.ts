import { assert, MessageKind, Prng } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import type { RaftConfig } from './config.ts';
import { bytesOf, entryOf, TestCluster, type TestMember } from './test-cluster.ts';

/** The situations that the Raft paper draws (figures 7 and 8), and others in which logs went apart. */

/** A group whose members start with logs of these terms, in a term that none of them has led. */
function groupOf(
  logs: readonly (readonly number[])[],
  term: number,
  commit = 0,
  config: Partial<RaftConfig> = {},
): TestCluster {
  const cluster = new TestCluster(logs.length, { config });
  for (const [at, terms] of logs.entries()) {
    const { storage } = cluster.member(at + 1);
    storage.append(terms.map((entryTerm, index) => entryOf(index + 1, entryTerm, `${entryTerm}`)));
    storage.setHardState({ term, vote: 0, commit: Math.min(commit, terms.length) });
    cluster.member(at + 1).restart();
  }
  return cluster;
}

const termsOf = ({ storage }: TestMember): number[] => storage.all().map(({ term }) => term);

describe('a new leader brings every log to its own (paper 5.3, figure 7)', () => {
  const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const figure: Readonly<Record<string, readonly number[]>> = {
    'one entry is missing': [1, 1, 1, 4, 4, 5, 5, 6, 6],
    'many entries are missing': [1, 1, 1, 4],
    'one entry too many': [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    'two of a later term': [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    'missing and too many': [1, 1, 1, 4, 4, 4, 4],
    'long forks of earlier terms': [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };
  for (const [name, terms] of Object.entries(figure)) {
    test(name, () => {
      // The third one is far behind and votes.
      const cluster = groupOf([leader, terms, [1]], 7);
      cluster.drop = ({ from, to }) => from === 2 && to === 1; // Its refusal of a vote or its log do not matter.
      cluster.node(1).campaign();
      cluster.settle();
      expect(cluster.node(1).role).toBe('leader');
      cluster.heal();
      cluster.tick(1);
      cluster.settle();
      for (const id of [2, 3]) {
        expect(termsOf(cluster.member(id))).toEqual([...leader, 8]);
        expect(cluster.node(id).commitIndex).toBe(11);
        expect(cluster.member(id).state.digest).toBe(cluster.member(1).state.digest);
      }
    });
  }

  test('a fork goes, whether it is as long as what replaces it, shorter or longer', () => {
    for (const [own, other] of [
      [
        [1, 3, 3],
        [1, 2, 2],
      ],
      [
        [1, 1, 3],
        [1, 2, 2, 2, 2, 2],
      ],
      [
        [1, 3],
        [1, 1, 1, 1, 2],
      ],
    ] as const) {
      const cluster = groupOf([own, other, [1]], 3);
      cluster.elect(1);
      expect(termsOf(cluster.member(2))).toEqual([...own, 4]);
    }
  });

  test('a leader that lacks newer entries of a minority overwrites them', () => {
    // 4 and 5 took entries of terms 2 and 3 from leaders that are gone; 1 leads with the votes of 2 and 3.
    const cluster = groupOf([[1], [1], [1], [1, 2], [1, 3]], 3);
    cluster.elect(1);
    for (const id of [4, 5]) expect(termsOf(cluster.member(id))).toEqual([1, 4]);
  });
});

describe('fast backtracking (paper 5.3, at the end)', () => {
  /** How often the follower refused until both logs were equal, and the index of each probe. */
  function probes(own: readonly number[], other: readonly number[], compacted = 0): number[] {
    const cluster = groupOf([own, other, [own[0] ?? 1]], 9, compacted);
    if (compacted > 0) {
      const { storage } = cluster.member(2);
      storage.compact(compacted);
      const { state } = cluster.member(2);
      cluster.member(2).restart({ ...state, index: compacted });
    }
    const indexes: number[] = [];
    cluster.drop = ({ kind, to, reject, from }) => {
      if (kind === MessageKind.appResp && from === 2 && reject) indexes.push(0);
      return kind === MessageKind.voteResp && to === 1 && from === 2;
    };
    cluster.node(1).campaign();
    cluster.settle();
    assert(cluster.node(1).role === 'leader', 'the third one voted');
    expect(cluster.node(2).commitIndex).toBe(own.length + 1);
    return indexes;
  }

  const many = (count: number, term: number): number[] => new Array<number>(count).fill(term);

  test('each refusal skips a whole term of disagreement, on whichever side it lies', () => {
    // The follower's fork is of terms below the leader's: it answers with the end of what may agree.
    expect(probes([1, ...many(60, 5)], [1, ...many(60, 2)]).length).toBeLessThanOrEqual(2);
    expect(probes([1, ...many(30, 2), ...many(30, 6)], [1, ...many(60, 1)]).length).toBeLessThanOrEqual(2);
    expect(probes([1, ...many(30, 2), ...many(30, 4)], [1, ...many(20, 2), ...many(60, 3)]).length).toBe(2);
    // Terms alternate: every probe skips one of them.
    expect(probes([1, 2, 2, 4, 4, 6, 6], [1, 1, 3, 3, 5, 5, 5]).length).toBeLessThanOrEqual(4);
  });

  test('a follower that is only behind refuses once, however far', () => {
    expect(probes(many(300, 1), many(10, 1)).length).toBe(1);
    expect(probes([...many(100, 1), ...many(200, 2)], many(10, 1)).length).toBe(1);
  });

  test('a follower whose log is compacted below the fork is found, too', () => {
    expect(probes([...many(10, 1), ...many(20, 4)], [...many(10, 1), ...many(20, 2)], 8).length).toBe(1);
  });

  test('two rounds of fifty entries that nobody committed are gone after a few messages', () => {
    const cluster = new TestCluster(5);
    cluster.elect(1);
    cluster.propose(1, 'base');
    cluster.settle();
    // 1 and 2 go on alone with what nobody else hears, then 3 and 4 with 5, then 4 alone.
    for (const id of [3, 4, 5]) for (const other of [1, 2]) cluster.cut(id, other);
    for (let count = 0; count < 50; count++) cluster.propose(1, `lost ${count}`);
    cluster.settle();
    cluster.elect(3);
    for (let count = 0; count < 50; count++) cluster.propose(3, `kept ${count}`);
    cluster.settle();
    cluster.isolate(5);
    cluster.isolate(4);
    for (let count = 0; count < 50; count++) cluster.propose(3, `lost too ${count}`);
    cluster.settle();
    cluster.heal();
    cluster.isolate(3);
    let refusals = 0;
    cluster.drop = ({ kind, reject }) => {
      if (kind === MessageKind.appResp && reject) refusals++;
      return false;
    };
    cluster.elect(4);
    cluster.propose(4, 'end');
    cluster.settle();
    cluster.heal();
    cluster.tick(4);
    cluster.settle();
    const kept = ['base', ...Array.from({ length: 50 }, (_, at) => `kept ${at}`), 'end'];
    for (const member of cluster.members.values()) expect(member.appliedTexts()).toEqual(kept);
    expect(refusals).toBeLessThan(10);
  });
});

describe('an entry of an earlier term on a majority may still be lost (paper 5.4.2, figure 8)', () => {
  /** Until step (c) of the figure: S1 leads term 4 and has brought its entry (2, term 2) to S2 and S3. */
  function stepC(): TestCluster {
    // S2 gets the entry once more, so that S1 knows of it. Each message has one entry; what S1 adds in term 4 gets nowhere.
    const cluster = groupOf([[1, 2], [1], [1], [1], [1, 3]], 3, 1, { messageBytesMax: 1 });
    cluster.isolate(4);
    cluster.isolate(5);
    cluster.drop = ({ index, entries, to }) =>
      entries.some(({ term }) => term === 4) && cluster.node(to).lastIndex >= index;
    cluster.elect(1);
    return cluster;
  }

  test('(c) the old entry is on a majority, and not committed', () => {
    const cluster = stepC();
    expect(cluster.node(1)).toMatchObject({ role: 'leader', term: 4 });
    expect([1, 2, 3].map((id) => termsOf(cluster.member(id)).slice(0, 2))).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    const { progress } = cluster.node(1).status();
    expect([2, 3].map((id) => progress.get(id)?.match)).toEqual([2, 2]);
    expect(cluster.node(1).commitIndex).toBe(1);
  });

  test('(d) so the fifth one may win with the votes of all others, and overwrite it', () => {
    const cluster = stepC();
    cluster.heal();
    cluster.isolate(1);
    cluster.member(5).storage.setHardState({ term: 4, vote: 0, commit: 1 });
    cluster.member(5).restart();
    cluster.elect(5);
    for (const id of [2, 3, 4, 5]) expect(termsOf(cluster.member(id))).toEqual([1, 3, 5]);
    cluster.heal();
    cluster.tick(5);
    cluster.settle();
    expect(termsOf(cluster.member(1))).toEqual([1, 3, 5]);
  });

  test('(e) an entry of the own term on a majority commits it, and then the fifth one cannot win', () => {
    const cluster = stepC();
    cluster.drop = () => false;
    cluster.node(1).reportUnreachable(2);
    cluster.node(1).reportUnreachable(3);
    cluster.tick(1);
    cluster.settle();
    expect(termsOf(cluster.member(3))).toEqual([1, 2, 4]);
    expect(cluster.node(1).commitIndex).toBe(3);
    cluster.heal();
    cluster.isolate(1);
    cluster.node(5).campaign();
    cluster.settle();
    expect(cluster.node(5).role).not.toBe('leader');
  });

  test('a thousand leaders that crash around their commit lose nothing that anybody applied', () => {
    for (const seed of [1, 2, 3, 4]) {
      const prng = new Prng(seed);
      const cluster = new TestCluster(5, { config: { messageBytesMax: 1, asyncStorageWrites: true } });
      const applied = new Map<number, string>();
      const note = (): void => {
        for (const { applied: entries } of cluster.members.values()) {
          for (const { index, term, data } of entries.slice(-8)) {
            const entry = `${term} ${String.fromCharCode(...data)}`;
            if ((applied.get(index) ?? entry) !== entry)
              throw new Error(`${index} was applied as ${applied.get(index)}`);
            applied.set(index, entry);
          }
        }
      };
      let elected = 0;
      for (let round = 0; round < 250; round++) {
        const id = 1 + prng.below(5);
        const { node } = cluster.member(id);
        node.campaign();
        const down = 1 + prng.below(5);
        if (down !== id) cluster.isolate(down);
        // Some messages get through before the crash, mostly in order; the rest is lost.
        for (let steps = prng.below(60); steps > 0; steps--) {
          if (node.role === 'leader' && prng.chance(0.1)) node.propose([bytesOf(`${round}`)]);
          for (const each of [1, 2, 3, 4, 5]) {
            if (cluster.work(each)) continue;
            if (!cluster.appendOne(each)) cluster.applyOne(each);
          }
          cluster.deliver(prng.chance(0.9) ? 0 : prng.below(Math.max(1, cluster.network.length)));
        }
        if (node.role === 'leader') elected++;
        note();
        if (prng.chance(0.5)) cluster.network = [];
        cluster.member(id).restart();
        cluster.heal();
      }
      expect(elected).toBeGreaterThan(30);
      cluster.network = [];
      for (let round = 0; round < 100; round++) {
        for (const id of [1, 2, 3, 4, 5]) cluster.tick(id);
        cluster.settle();
        note();
      }
      const logs = [...cluster.members.values()].map((member) => termsOf(member).join());
      expect(new Set(logs).size).toBe(1);
      expect(applied.size).toBeGreaterThan(20);
    }
  }, 30_000);
});
