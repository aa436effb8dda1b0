import { compareBytes, Prng } from '@flotilla/base';
import type { StateStore, StateView } from '@flotilla/ports';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

export interface StateStoreHarness {
  /** The store as it is now; another object after `reopen`. */
  readonly store: StateStore;
  /** Lets a little time pass, so that commits and background work get on. */
  advance(): Promise<void>;
  /** Closes the store in order and opens what it left. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

const text = new TextEncoder();
const bytes = (value: string): Uint8Array => text.encode(value);
const show = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

/** What every state store does, however it stores. */
export function stateStoreContract(name: string, open: () => Promise<StateStoreHarness>): void {
  describe(`state store contract: ${name}`, () => {
    let harness: StateStoreHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(async () => {
      await harness.close();
    });

    const put = (key: string, value: string): void => harness.store.put(bytes(key), bytes(value));
    const get = (key: string, view: StateView = harness.store): string | undefined =>
      show(view.get(bytes(key)));
    const list = (
      from: string,
      to: string | undefined,
      options: { reverse?: boolean; limit?: number; view?: StateView } = {},
    ): string[] => {
      const found: string[] = [];
      (options.view ?? harness.store).scan(
        bytes(from),
        to === undefined ? undefined : bytes(to),
        (key, value) => {
          found.push(`${show(key)}=${show(value)}`);
          return found.length !== options.limit;
        },
        { reverse: options.reverse === true },
      );
      return found;
    };
    const commit = async (): Promise<void> => {
      let settled = false;
      let failure: Error | undefined;
      harness.store.commit((problem) => {
        settled = true;
        failure = problem;
      });
      while (!settled) await harness.advance();
      if (failure !== undefined) throw failure;
    };
    const until = async (condition: () => boolean): Promise<void> => {
      for (let round = 0; !condition(); round++) {
        expect(round).toBeLessThan(2_000);
        await harness.advance();
      }
    };

    test('writes are visible at once, and stay when they are durable and when the store was opened again', async () => {
      put('a', '1');
      put('b', '2');
      harness.store.delete(bytes('b'));
      put('a', '3');
      for (const level of ['open', 'durable', 'reopened']) {
        if (level === 'durable') await commit();
        if (level === 'reopened') await harness.reopen();
        expect(get('a')).toBe('3');
        expect(get('b')).toBeUndefined();
        expect(get('absent')).toBeUndefined();
        expect(list('', undefined)).toEqual(['a=3']);
      }
    });

    test('what was never committed is gone when the store was opened again', async () => {
      put('a', '1');
      await commit();
      put('a', '2');
      put('b', '2');
      await harness.reopen();
      expect(list('', undefined)).toEqual(['a=1']);
    });

    test('commits are answered once each, in the order of the calls, never inside the call', async () => {
      const answers: number[] = [];
      for (let number = 0; number < 40; number++) {
        if (number % 3 > 0) put(`k${number % 7}`, `${number}`);
        harness.store.commit((failure) => {
          expect(failure).toBeUndefined();
          answers.push(number);
        });
      }
      expect(answers).toEqual([]);
      await until(() => answers.length >= 40);
      await harness.advance();
      expect(answers).toEqual(Array.from({ length: 40 }, (_, at) => at));
    });

    test('keys of any bytes, long keys, empty values and values of a mebibyte come back', async () => {
      const keys = [
        new Uint8Array([0]),
        new Uint8Array([0, 0]),
        new Uint8Array([0, 1]),
        new Uint8Array([127, 128]),
        new Uint8Array([255]),
        new Uint8Array([255, 0]),
        new Uint8Array(1_064).fill(255),
      ];
      const large = new Uint8Array(1024 * 1024).map((_, at) => at * 7);
      keys.forEach((key, at) => {
        harness.store.put(key, at === 2 ? large : new Uint8Array(at));
      });
      for (const level of ['open', 'durable', 'reopened']) {
        if (level === 'durable') await commit();
        if (level === 'reopened') await harness.reopen();
        const found: Uint8Array[] = [];
        harness.store.scan(new Uint8Array(), undefined, (key) => {
          found.push(key.slice());
          return true;
        });
        expect(found.map((key) => [...key])).toEqual(keys.map((key) => [...key]));
        expect(harness.store.get(keys[2] as Uint8Array)?.length).toBe(large.length);
        expect(
          compareBytes(harness.store.get(keys[2] as Uint8Array) ?? new Uint8Array(), large),
          'the large value',
        ).toBe(0);
        expect(harness.store.get(keys[0] as Uint8Array)?.length).toBe(0);
      }
    });

    test('a value that get returned stays as it is while others are read and written', async () => {
      put('a', 'first');
      put('b', 'other');
      await commit();
      const value = harness.store.get(bytes('a'));
      harness.store.get(bytes('b'));
      put('a', 'second');
      await commit();
      harness.store.get(bytes('a'));
      expect(show(value)).toBe('first');
    });

    describe('scans', () => {
      /** b, d, f are durable; c is pending, d changed, f deleted. */
      const fill = async (): Promise<void> => {
        put('b', '1');
        put('d', '1');
        put('f', '1');
        await commit();
        put('c', '2');
        put('d', '2');
        put('g', '2');
        harness.store.delete(bytes('f'));
      };

      test('merge pending writes and durable ones in byte order, both ways', async () => {
        await fill();
        const all = ['b=1', 'c=2', 'd=2', 'g=2'];
        expect(list('', undefined)).toEqual(all);
        expect(list('', undefined, { reverse: true })).toEqual(all.toReversed());
        await commit();
        expect(list('', undefined)).toEqual(all);
        expect(list('', undefined, { reverse: true })).toEqual(all.toReversed());
      });

      test('hold the lower bound and not the upper one, both ways', async () => {
        await fill();
        for (const reverse of [false, true]) {
          const sorted = (...pairs: string[]): string[] => (reverse ? pairs.toReversed() : pairs);
          expect(list('b', 'd', { reverse })).toEqual(sorted('b=1', 'c=2'));
          expect(list('c', 'g', { reverse })).toEqual(sorted('c=2', 'd=2'));
          expect(list('bb', 'dd', { reverse })).toEqual(sorted('c=2', 'd=2'));
          expect(list('a', 'b', { reverse })).toEqual([]);
          expect(list('c', 'c', { reverse })).toEqual([]);
          expect(list('g', undefined, { reverse })).toEqual(['g=2']);
          expect(list('h', undefined, { reverse })).toEqual([]);
        }
      });

      test('stop where the visitor says', async () => {
        await fill();
        expect(list('', undefined, { limit: 1 })).toEqual(['b=1']);
        expect(list('', undefined, { limit: 2 })).toEqual(['b=1', 'c=2']);
        expect(list('', undefined, { limit: 3, reverse: true })).toEqual(['g=2', 'd=2', 'c=2']);
      });

      test('refuse that their visitor uses the store', async () => {
        await fill();
        const uses: readonly (() => void)[] = [
          () => get('b'),
          () => list('c', undefined),
          () => put('b', '2'),
          () => harness.store.delete(bytes('b')),
          () => harness.store.deleteRange(bytes('b'), bytes('c')),
        ];
        for (const use of uses) {
          const visit = (): boolean => {
            use();
            return true;
          };
          expect(() => harness.store.scan(bytes('b'), undefined, visit)).toThrow('visitor');
        }
        expect(list('', undefined)).toEqual(['b=1', 'c=2', 'd=2', 'g=2']);
      });

      test('that a visitor breaks off with an error leave the store as it was', async () => {
        await fill();
        const fail = (): boolean => {
          throw new Error('enough');
        };
        expect(() => harness.store.scan(bytes('a'), undefined, fail)).toThrow('enough');
        put('x', '1');
        await commit();
        expect(list('', undefined)).toEqual(['b=1', 'c=2', 'd=2', 'g=2', 'x=1']);
      });

      test('see writes that came after an earlier scan', async () => {
        await fill();
        list('', undefined);
        put('a', '3');
        put('c', '3');
        harness.store.delete(bytes('g'));
        expect(list('', undefined)).toEqual(['a=3', 'b=1', 'c=3', 'd=2']);
      });
    });

    test('a range is deleted as one write: durable and pending keys in it, none beside it', async () => {
      for (const key of ['a', 'b', 'c', 'd', 'e']) put(key, '1');
      await commit();
      put('bb', '2');
      put('dd', '2');
      harness.store.deleteRange(bytes('b'), bytes('d'));
      put('c', '3');
      for (const level of ['open', 'durable', 'reopened']) {
        if (level === 'durable') await commit();
        if (level === 'reopened') await harness.reopen();
        expect(list('', undefined)).toEqual(['a=1', 'c=3', 'd=1', 'dd=2', 'e=1']);
      }
    });

    describe('snapshots', () => {
      test('show what was durable when they were opened, and nothing newer', async () => {
        put('a', '1');
        put('b', '1');
        await commit();
        put('a', '2');
        const snapshot = harness.store.snapshot();
        expect(snapshot).toBeDefined();
        if (snapshot === undefined) return;
        put('c', '2');
        harness.store.delete(bytes('b'));
        await commit();
        expect(list('', undefined)).toEqual(['a=2', 'c=2']);
        expect(list('', undefined, { view: snapshot })).toEqual(['a=1', 'b=1']);
        expect(list('a', 'b', { view: snapshot, reverse: true })).toEqual(['a=1']);
        expect(get('a', snapshot)).toBe('1');
        expect(get('b', snapshot)).toBe('1');
        expect(get('c', snapshot)).toBeUndefined();
        await harness.advance();
        expect(get('a', snapshot)).toBe('1');
        snapshot.close();
        snapshot.close();
        expect(get('a')).toBe('2');
      });

      test('are refused beyond two at a time, and throw once they are closed', async () => {
        const first = harness.store.snapshot();
        const second = harness.store.snapshot();
        expect(first).toBeDefined();
        expect(second).toBeDefined();
        expect(harness.store.snapshot()).toBeUndefined();
        first?.close();
        expect(() => first?.get(bytes('a'))).toThrow(/closed/);
        const third = harness.store.snapshot();
        expect(third).toBeDefined();
        second?.close();
        third?.close();
      });

      test('of different times do not disturb each other', async () => {
        put('a', '1');
        await commit();
        const first = harness.store.snapshot();
        put('a', '2');
        await commit();
        const second = harness.store.snapshot();
        put('a', '3');
        await commit();
        expect([first, second].map((view) => get('a', view))).toEqual(['1', '2']);
        first?.close();
        expect(get('a', second)).toBe('2');
        second?.close();
      });
    });

    test('a released range disappears in the background, pending writes in it too, its neighbours stay', async () => {
      for (let number = 0; number < 1_700; number++) put(`m${number}`, 'x');
      put('l', '1');
      put('n', '1');
      await commit();
      put('m-late', 'x');
      put('z', '1');
      harness.store.release(bytes('m'), bytes('n'));
      await commit();
      await until(() => list('m', 'n').length === 0);
      expect(list('', undefined)).toEqual(['l=1', 'n=1', 'z=1']);
      await harness.reopen();
      expect(list('', undefined)).toEqual(['l=1', 'n=1', 'z=1']);
    });

    test('a released range waits for the open transaction, which may have written into it', async () => {
      put('m1', '1');
      await commit();
      put('m2', '2');
      harness.store.release(bytes('m'), bytes('n'));
      for (let round = 0; round < 40; round++) await harness.advance();
      await commit();
      await until(() => list('', undefined).length === 0);
    });

    test('commits go on while ranges are released', async () => {
      for (let number = 0; number < 1_200; number++) put(`m${number}`, 'x');
      await commit();
      harness.store.release(bytes('m'), bytes('n'));
      for (let round = 0; round < 20; round++) {
        put('a', `${round}`);
        await commit();
        expect(get('a')).toBe(`${round}`);
      }
      await until(() => list('m', 'n').length === 0);
      expect(list('', undefined)).toEqual(['a=19']);
    });

    for (let seed = 1; seed <= 6; seed++) {
      test(`random writes and a plain model agree (seed ${seed})`, async () => {
        const random = new Prng(seed);
        let model = new Map<string, string>();
        let committed = new Map<string, string>();
        let pending = 0;
        const key = (): string => `${random.below(4)}${'x'.repeat(random.below(3))}${random.below(40)}`;
        for (let round = 0; round < 400; round++) {
          for (let count = random.below(8); count > 0; count--) {
            const dice = random.below(10);
            if (dice < 6) {
              const at = key();
              const value = `${random.u32()}`.repeat(random.below(20));
              put(at, value);
              model.set(at, value);
            } else if (dice < 9) {
              const at = key();
              harness.store.delete(bytes(at));
              model.delete(at);
            } else {
              const [low, high] = [key(), key()].sort() as [string, string];
              harness.store.deleteRange(bytes(low), bytes(high));
              for (const at of [...model.keys()]) if (at >= low && at < high) model.delete(at);
            }
          }
          if (random.chance(0.4)) {
            pending++;
            committed = new Map(model);
            harness.store.commit((failure) => {
              expect(failure).toBeUndefined();
              pending--;
            });
          }
          if (random.chance(0.1)) await harness.advance();
          if (random.chance(0.02)) {
            while (pending > 0) await harness.advance();
            await harness.reopen();
            model = new Map(committed);
          }
          const at = key();
          expect(get(at)).toBe(model.get(at));
          if (random.chance(0.3)) {
            const [low, high] = [key(), key()].sort() as [string, string];
            const expected = [...model].filter(([found]) => found >= low && found < high).sort();
            const pairs = expected.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${v}`);
            const reverse = random.chance(0.5);
            expect(list(low, high, { reverse })).toEqual(reverse ? pairs.toReversed() : pairs);
          }
        }
      });
    }
  });
}
