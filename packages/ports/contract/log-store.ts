import { type Entry, EntryKind, type GroupName, Prng } from '@flotilla/base';
import type { LogStore, LogWrite, ReplicaRecord } from '@flotilla/ports';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

export interface LogStoreHarness {
  /** The store as it is now; another object after `reopen`. */
  readonly store: LogStore;
  /** Lets a little time pass, so that commits get on. */
  advance(): Promise<void>;
  /** Closes the store in order and opens what it left. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

const group: GroupName = { gid: 7, incarnation: 3 };
const nobody = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

export function replica(name: GroupName, changes: Partial<ReplicaRecord> = {}): ReplicaRecord {
  const confState = { ...nobody, voters: [1, 2, 3] };
  return {
    group: name,
    raftId: 1,
    generation: 1,
    start: { index: 0, term: 0, confState },
    removed: false,
    ...changes,
  };
}

/** Entries `from` … `to` of a term; the payload depends on index and term. */
export function entries(from: number, to: number, term: number, bytes = 10): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => ({
    index: from + at,
    term,
    kind: EntryKind.normal,
    data: new Uint8Array(bytes).fill((from + at) * 31 + term),
  }));
}

/** What every log store does, however it stores. */
export function logStoreContract(name: string, open: () => Promise<LogStoreHarness>): void {
  describe(`log store contract: ${name}`, () => {
    let harness: LogStoreHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(async () => {
      await harness.close();
    });

    const commit = async (...writes: LogWrite[]): Promise<void> => {
      let settled = false;
      let failure: Error | undefined;
      harness.store.commit(writes, (problem) => {
        settled = true;
        failure = problem;
      });
      while (!settled) await harness.advance();
      if (failure !== undefined) throw failure;
    };
    const all = (of: GroupName = group): readonly Entry[] => {
      const { first, last } = harness.store.span(of);
      return harness.store.entries(of, first, last + 1, Number.POSITIVE_INFINITY);
    };
    const begin = (of: GroupName = group): Promise<void> => commit({ group: of, replica: replica(of) });

    test('a blank store knows no replicas, and a group that it does not know has an empty log', () => {
      expect(harness.store.replicas()).toEqual([]);
      expect(harness.store.damaged()).toEqual([]);
      expect(harness.store.hardState(group)).toBeUndefined();
      expect(harness.store.span(group)).toEqual({ first: 1, last: 0 });
      expect(harness.store.term(group, 1)).toBeUndefined();
      expect(harness.store.bytes(group)).toBe(0);
    });

    test('reads see a commit at once, before it is durable', () => {
      harness.store.commit(
        [
          {
            group,
            replica: replica(group),
            hardState: { term: 2, vote: 3, commit: 0 },
            entries: entries(1, 4, 2),
          },
        ],
        () => undefined,
      );
      expect(harness.store.replicas()).toEqual([replica(group)]);
      expect(harness.store.hardState(group)).toEqual({ term: 2, vote: 3, commit: 0 });
      expect(harness.store.span(group)).toEqual({ first: 1, last: 4 });
      expect(all()).toEqual(entries(1, 4, 2));
    });

    test('commits are answered once each, in the order of the calls, never inside the call', async () => {
      await begin();
      const answers: number[] = [];
      for (let index = 1; index <= 40; index++) {
        harness.store.commit([{ group, entries: entries(index, index, 1) }], (failure) => {
          expect(failure).toBeUndefined();
          answers.push(index);
        });
      }
      expect(answers).toEqual([]);
      while (answers.length < 40) await harness.advance();
      await harness.advance();
      expect(answers).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
    });

    test('a commit may be made from the callback of another', async () => {
      await begin();
      let last = 0;
      const next = (): void => {
        if (++last < 5) harness.store.commit([{ group, entries: entries(last, last, 1) }], next);
      };
      next();
      while (last < 5) await harness.advance();
      expect(harness.store.span(group)).toEqual({ first: 1, last: 4 });
    });

    test('entries can be read at every moment between their commit and their durability', async () => {
      await begin();
      let answered = 0;
      const check = (): void => {
        answered++;
        expect(all()).toEqual(entries(1, 60, 1, 2_000));
      };
      for (let index = 1; index <= 60; index += 3) {
        harness.store.commit([{ group, entries: entries(index, index + 2, 1, 2_000) }], check);
      }
      while (answered < 20) await harness.advance();
    });

    test('everything is there after the store was opened again', async () => {
      const other = { gid: 7, incarnation: 2 ** 40 };
      const confChange = { index: 4, term: 2, kind: EntryKind.confChangeV2, data: new Uint8Array() };
      await commit(
        {
          group,
          replica: replica(group),
          entries: entries(1, 3, 1),
          hardState: { term: 1, vote: 1, commit: 0 },
        },
        {
          group: other,
          replica: replica(other, { raftId: 9, generation: 4 }),
          entries: entries(1, 1, 5, 300_000),
        },
      );
      await commit({ group, entries: [confChange], hardState: { term: 2, vote: 2, commit: 3 } });
      const replicas = harness.store.replicas();
      await harness.reopen();
      expect(harness.store.replicas()).toEqual(replicas);
      expect(harness.store.damaged()).toEqual([]);
      expect(harness.store.hardState(group)).toEqual({ term: 2, vote: 2, commit: 3 });
      expect(harness.store.hardState(other)).toBeUndefined();
      expect(all()).toEqual([...entries(1, 3, 1), confChange]);
      expect(all(other)).toEqual(entries(1, 1, 5, 300_000));
      expect(harness.store.bytes(other)).toBe(300_000);
    });

    test('an entry of a mebibyte and indexes and terms beyond 32 bits come back whole', async () => {
      const far = 2 ** 45;
      const start = { index: far, term: 2 ** 40, confState: nobody };
      const huge = entries(far + 1, far + 3, 2 ** 41, 1024 * 1024);
      await commit({ group, replica: replica(group, { start }), entries: huge });
      await harness.reopen();
      expect(harness.store.span(group)).toEqual({ first: far + 1, last: far + 3 });
      expect(harness.store.term(group, far)).toBe(2 ** 40);
      expect(harness.store.term(group, far + 3)).toBe(2 ** 41);
      expect(all()).toEqual(huge);
    });

    test('entries are cut after the byte limit, but the first one always comes', async () => {
      await begin();
      await commit({ group, entries: entries(1, 3, 1, 100) });
      await commit({ group, entries: entries(4, 9, 1, 100) });
      for (const reopened of [false, true]) {
        if (reopened) await harness.reopen();
        const indexes = (lo: number, hi: number, bytes: number): number[] =>
          harness.store.entries(group, lo, hi, bytes).map((entry) => entry.index);
        expect(indexes(1, 10, 0)).toEqual([1]);
        expect(indexes(2, 10, 99)).toEqual([2]);
        expect(indexes(2, 10, 300)).toEqual([2, 3, 4]);
        expect(indexes(2, 10, 399)).toEqual([2, 3, 4]);
        expect(indexes(2, 5, 10_000)).toEqual([2, 3, 4]);
        expect(indexes(9, 10, 10_000)).toEqual([9]);
        expect(indexes(5, 5, 10_000)).toEqual([]);
      }
    });

    test('entries outside of the log are a fault of the caller', async () => {
      await begin();
      await commit({ group, entries: entries(1, 9, 1) });
      await commit({ group, compactTo: 3 });
      expect(() => harness.store.entries(group, 3, 5, 100)).toThrow(/not all in 4\.\.9/);
      expect(() => harness.store.entries(group, 5, 11, 100)).toThrow(/not all in 4\.\.9/);
      expect(() => harness.store.commit([{ group, entries: entries(11, 11, 1) }], () => undefined)).toThrow();
      expect(() => harness.store.commit([{ group, entries: entries(3, 3, 1) }], () => undefined)).toThrow();
    });

    test('the first write of a group brings its replica record', () => {
      expect(() => harness.store.commit([{ group, entries: entries(1, 1, 1) }], () => undefined)).toThrow(
        /replica record/,
      );
    });

    describe('replacing a suffix', () => {
      const cases: readonly (readonly [title: string, from: number])[] = [
        ['at the border of two commits', 4],
        ['inside the entries of one commit', 6],
        ['over several commits', 2],
        ['of the last entry', 9],
        ['of the whole log', 1],
      ];
      for (const [title, from] of cases) {
        test(title, async () => {
          await begin();
          await commit({ group, entries: entries(1, 3, 1) });
          await commit({ group, entries: entries(4, 8, 2) });
          await commit({ group, entries: entries(9, 9, 3) });
          const kept = all().slice(0, from - 1);
          await commit({ group, entries: entries(from, from + 1, 4) });
          const expected = [...kept, ...entries(from, from + 1, 4)];
          for (const reopened of [false, true]) {
            if (reopened) await harness.reopen();
            expect(harness.store.span(group)).toEqual({ first: 1, last: from + 1 });
            expect(all()).toEqual(expected);
            expect(expected.map((entry) => harness.store.term(group, entry.index))).toEqual(
              expected.map((entry) => entry.term),
            );
            expect(harness.store.term(group, from + 2)).toBeUndefined();
          }
        });
      }

      test('again and again while nothing is durable yet', async () => {
        await begin();
        let answered = 0;
        for (let term = 1; term <= 20; term++) {
          const from = term === 1 ? 1 : 1 + (term % 5);
          harness.store.commit([{ group, entries: entries(from, 6, term) }], () => answered++);
        }
        const expected = all();
        expect(expected.map((entry) => entry.term)).toEqual([20, 20, 20, 20, 20, 20]);
        while (answered < 20) await harness.advance();
        expect(all()).toEqual(expected);
        await harness.reopen();
        expect(all()).toEqual(expected);
      });
    });

    describe('compaction', () => {
      test('moves the start, with its term, and survives', async () => {
        await begin();
        await commit({ group, entries: entries(1, 3, 1) });
        await commit({ group, entries: entries(4, 9, 2) });
        const before = harness.store.bytes(group);
        await commit({ group, compactTo: 5 });
        for (const reopened of [false, true]) {
          if (reopened) await harness.reopen();
          expect(harness.store.span(group)).toEqual({ first: 6, last: 9 });
          expect(harness.store.term(group, 4)).toBeUndefined();
          expect(harness.store.term(group, 5)).toBe(2);
          expect(harness.store.term(group, 6)).toBe(2);
          expect(harness.store.replicas()[0]?.start).toMatchObject({ index: 5, term: 2 });
          expect(all()).toEqual(entries(6, 9, 2));
          expect(harness.store.bytes(group)).toBeLessThan(before);
        }
      });

      test('of the whole log leaves an empty one that goes on', async () => {
        await begin();
        await commit({ group, entries: entries(1, 5, 3) });
        await commit({ group, compactTo: 5 });
        expect(harness.store.span(group)).toEqual({ first: 6, last: 5 });
        expect(harness.store.bytes(group)).toBe(0);
        await harness.reopen();
        expect(harness.store.span(group)).toEqual({ first: 6, last: 5 });
        expect(harness.store.term(group, 5)).toBe(3);
        await commit({ group, entries: entries(6, 7, 3) });
        await harness.reopen();
        expect(all()).toEqual(entries(6, 7, 3));
      });

      test('does nothing when it is late', async () => {
        await begin();
        await commit({ group, entries: entries(1, 5, 1) });
        await commit({ group, compactTo: 4 });
        await commit({ group, compactTo: 2 });
        expect(harness.store.span(group)).toEqual({ first: 5, last: 5 });
      });

      test('inside a commit, then a new suffix from the first entry on', async () => {
        await begin();
        await commit({ group, entries: entries(1, 9, 1) });
        await commit({ group, compactTo: 4 });
        await commit({ group, entries: entries(5, 6, 2) });
        await harness.reopen();
        expect(all()).toEqual(entries(5, 6, 2));
        expect(harness.store.term(group, 4)).toBe(1);
      });

      test('inside a commit that is not durable, then a new suffix inside it', async () => {
        await begin();
        let answered = 0;
        const answer = (): number => answered++;
        harness.store.commit([{ group, entries: entries(1, 9, 1) }], answer);
        harness.store.commit([{ group, compactTo: 4 }], answer);
        harness.store.commit([{ group, entries: entries(7, 7, 2) }], answer);
        const expected = [...entries(5, 6, 1), ...entries(7, 7, 2)];
        expect(all()).toEqual(expected);
        while (answered < 3) await harness.advance();
        await harness.reopen();
        expect(all()).toEqual(expected);
      });
    });

    describe('replica records', () => {
      test('an installed snapshot drops the log and keeps vote and term', async () => {
        await begin();
        await commit({ group, entries: entries(1, 9, 1), hardState: { term: 4, vote: 2, commit: 3 } });
        const start = { index: 5, term: 3, confState: { ...nobody, voters: [1, 4], learners: [6] } };
        const installed = replica(group, { generation: 2, start });
        await commit({
          group,
          replica: installed,
          entries: entries(6, 6, 4),
          hardState: { term: 4, vote: 2, commit: 5 },
        });
        for (const reopened of [false, true]) {
          if (reopened) await harness.reopen();
          expect(harness.store.replicas()).toEqual([installed]);
          expect(harness.store.span(group)).toEqual({ first: 6, last: 6 });
          expect(harness.store.term(group, 5)).toBe(3);
          expect(all()).toEqual(entries(6, 6, 4));
          expect(harness.store.hardState(group)).toEqual({ term: 4, vote: 2, commit: 5 });
        }
      });

      test('an installed snapshot without a new hard state keeps the old one', async () => {
        await begin();
        await commit({ group, hardState: { term: 4, vote: 2, commit: 0 } });
        const start = { index: 5, term: 3, confState: nobody };
        await commit({ group, replica: replica(group, { generation: 2, start }) });
        expect(harness.store.hardState(group)).toEqual({ term: 4, vote: 2, commit: 0 });
      });

      test('another raft id begins without the vote of the one before', async () => {
        await begin();
        await commit({ group, entries: entries(1, 9, 1), hardState: { term: 4, vote: 2, commit: 3 } });
        await commit({ group, replica: replica(group, { raftId: 5, generation: 2 }) });
        await harness.reopen();
        expect(harness.store.hardState(group)).toBeUndefined();
        expect(harness.store.span(group)).toEqual({ first: 1, last: 0 });
        expect(harness.store.bytes(group)).toBe(0);
      });

      test('another raft id uses the indexes of the log before anew', async () => {
        await begin();
        for (let index = 1; index <= 5; index++) await commit({ group, entries: entries(index, index, 1) });
        await commit({ group, replica: replica(group, { raftId: 5 }), entries: entries(1, 2, 7) });
        await commit({ group, entries: entries(3, 3, 7) });
        for (const reopened of [false, true]) {
          if (reopened) await harness.reopen();
          expect(harness.store.damaged()).toEqual([]);
          expect(all()).toEqual(entries(1, 3, 7));
        }
      });

      test('a tombstone stays, without a log, and its raft id never comes back', async () => {
        await begin();
        await commit({ group, entries: entries(1, 9, 1), hardState: { term: 4, vote: 2, commit: 3 } });
        const tombstone = replica(group, { removed: true });
        await commit({ group, replica: tombstone });
        await harness.reopen();
        expect(harness.store.replicas()).toEqual([tombstone]);
        expect(harness.store.hardState(group)).toBeUndefined();
        expect(() => harness.store.commit([{ group, replica: replica(group) }], () => undefined)).toThrow(
          /never used again/,
        );
        await commit({ group, replica: replica(group, { raftId: 2 }) });
        expect(harness.store.replicas()).toEqual([replica(group, { raftId: 2 })]);
      });

      test('a replica may begin as a tombstone', async () => {
        await commit({ group, replica: replica(group, { removed: true }) });
        await harness.reopen();
        expect(harness.store.replicas()).toEqual([replica(group, { removed: true })]);
      });
    });

    for (let seed = 1; seed <= 6; seed++) {
      test(`random writes and a plain model agree (seed ${seed})`, async () => {
        const random = new Prng(seed);
        const names = [1, 2, 3].map((gid) => ({ gid, incarnation: gid * 5 }));
        const models = new Map(names.map((name) => [name, new Model(name)]));
        await commit(...names.map((name) => ({ group: name, replica: replica(name) })));
        let pending = 0;
        for (let round = 0; round < 150; round++) {
          const writes = [...models.values()]
            .filter(() => random.chance(0.7))
            .map((model) => model.step(random));
          pending++;
          harness.store.commit(writes, (failure) => {
            expect(failure).toBeUndefined();
            pending--;
          });
          if (random.chance(0.3)) while (pending > 0) await harness.advance();
          if (random.chance(0.04)) {
            while (pending > 0) await harness.advance();
            await harness.reopen();
          }
          for (const model of models.values()) model.check(harness.store, random);
        }
        while (pending > 0) await harness.advance();
        await harness.reopen();
        expect(harness.store.damaged()).toEqual([]);
        for (const model of models.values()) model.check(harness.store, random);
      });
    }
  });
}

/** One log as an array. */
class Model {
  readonly #name: GroupName;
  #record: ReplicaRecord;
  #log: Entry[] = [];
  #term = 1;

  constructor(name: GroupName) {
    this.#name = name;
    this.#record = replica(name);
  }

  get #last(): number {
    return this.#record.start.index + this.#log.length;
  }

  step(random: Prng): LogWrite {
    const group = this.#name;
    const dice = random.below(100);
    const { start } = this.#record;
    if (dice < 3) {
      const index = this.#last + random.below(3);
      const term = (this.#log.at(-1)?.term ?? start.term) + random.below(2);
      this.#term = Math.max(this.#term, term);
      const generation = this.#record.generation + 1;
      this.#record = { ...this.#record, generation, start: { ...start, index, term } };
      this.#log = [];
      return { group, replica: this.#record };
    }
    if (dice < 15 && this.#log.length > 0) {
      const drop = 1 + random.below(this.#log.length);
      const term = (this.#log[drop - 1] as Entry).term;
      this.#log = this.#log.slice(drop);
      this.#record = { ...this.#record, start: { ...start, index: start.index + drop, term } };
      return { group, compactTo: this.#record.start.index };
    }
    if (dice < 35 && this.#log.length > 0) {
      this.#term++;
      this.#log = this.#log.slice(0, random.below(this.#log.length));
    }
    const bytes = random.chance(0.02) ? 200_000 : random.below(60);
    const from = this.#last + 1;
    const added = entries(from, from + random.below(6), this.#term, bytes);
    this.#log.push(...added);
    return { group, entries: added, hardState: { term: this.#term, vote: 1, commit: from } };
  }

  check(store: LogStore, random: Prng): void {
    const { start } = this.#record;
    expect(store.span(this.#name)).toEqual({ first: start.index + 1, last: this.#last });
    expect(store.term(this.#name, start.index)).toBe(start.term);
    if (this.#log.length === 0) return;
    const lo = random.below(this.#log.length);
    const hi = lo + 1 + random.below(this.#log.length - lo);
    const found = store.entries(this.#name, start.index + 1 + lo, start.index + 1 + hi, 1e9);
    expect(found).toEqual(this.#log.slice(lo, hi));
    for (const entry of found) expect(store.term(this.#name, entry.index)).toBe(entry.term);
  }
}
