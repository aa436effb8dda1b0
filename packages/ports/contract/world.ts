import type { Clock, Random, Timers } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';

/** Clock and timers that belong together, and a way to let their time pass. */
export interface WorldLab {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Lets the world go on until the condition holds; fails if it never does. */
  until(condition: () => boolean): Promise<void>;
}

export function clockContract(name: string, makeLab: () => WorldLab): void {
  describe(`${name} keeps the contract of a clock`, () => {
    test('the monotonic clock never goes back', async () => {
      const { clock, timers, until } = makeLab();
      let last = clock.monoMs();
      for (let round = 0; round < 20; round++) {
        let passed = false;
        timers.set(1, () => {
          passed = true;
        });
        await until(() => passed);
        const now = clock.monoMs();
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
      }
    });

    test('the wall clock gives milliseconds since 1970', () => {
      const { clock } = makeLab();
      // Between 2020 and 2100: seconds or microseconds would lie far outside.
      expect(clock.wallMs()).toBeGreaterThan(1_577_000_000_000);
      expect(clock.wallMs()).toBeLessThan(4_102_000_000_000);
    });
  });
}

export function timersContract(name: string, makeLab: () => WorldLab): void {
  describe(`${name} keeps the contract of timers`, () => {
    test('a timer calls back once, not before its time, and never inside the call that sets it', async () => {
      const { clock, timers, until } = makeLab();
      for (const delayMs of [0, 0.4, 1, 3.7, 20]) {
        let calls = 0;
        let inside = true;
        const begin = clock.monoMs();
        timers.set(delayMs, () => {
          expect(inside).toBe(false);
          // Differences of fractions are not exact.
          expect(clock.monoMs() - begin).toBeGreaterThan(delayMs - 1e-6);
          calls++;
        });
        inside = false;
        await until(() => calls > 0);
        let later = false;
        timers.set(5, () => {
          later = true;
        });
        await until(() => later);
        expect(calls).toBe(1);
      }
    });

    test('a delay in the past means as soon as possible', async () => {
      const { timers, until } = makeLab();
      let called = false;
      timers.set(-100, () => {
        called = true;
      });
      expect(called).toBe(false);
      await until(() => called);
    });

    test('a cleared timer never calls back; clearing it again, or a done one, does nothing', async () => {
      const { timers, until } = makeLab();
      let wrong = 0;
      let done = false;
      const cleared = timers.set(1, () => wrong++);
      timers.clear(cleared);
      timers.clear(cleared);
      const first = timers.set(2, () => {});
      const last = timers.set(10, () => {
        done = true;
      });
      await until(() => done);
      timers.clear(first);
      timers.clear(last);
      timers.clear(987_654_321);
      expect(wrong).toBe(0);
    });

    test('a timer may clear another one that is due at the same time', async () => {
      const { timers, until } = makeLab();
      const called: string[] = [];
      let second = 0;
      timers.set(3, () => {
        called.push('first');
        timers.clear(second);
      });
      second = timers.set(3, () => called.push('second'));
      timers.set(20, () => called.push('end'));
      await until(() => called.includes('end'));
      expect(called).toEqual(['first', 'end']);
    });

    test('every timer has an id of its own', () => {
      const { timers } = makeLab();
      const ids = Array.from({ length: 100 }, () => timers.set(1_000_000, () => {}));
      expect(new Set(ids).size).toBe(100);
      for (const id of ids) timers.clear(id);
    });

    test('a timer of years neither fires at once nor is refused', async () => {
      const { timers, until } = makeLab();
      let early = false;
      let waited = false;
      const years = timers.set(1e11, () => {
        early = true;
      });
      const forever = timers.set(Number.POSITIVE_INFINITY, () => {
        early = true;
      });
      timers.set(10, () => {
        waited = true;
      });
      await until(() => waited);
      timers.clear(years);
      timers.clear(forever);
      expect(early).toBe(false);
    });

    test('soon calls back once, later than the caller and before time passes, in order of asking', async () => {
      const { timers, until } = makeLab();
      const called: string[] = [];
      timers.set(50, () => called.push('timer'));
      timers.soon(() => {
        called.push('first');
        timers.soon(() => called.push('third'));
      });
      timers.soon(() => called.push('second'));
      expect(called).toEqual([]);
      await until(() => called.includes('timer'));
      expect(called).toEqual(['first', 'second', 'third', 'timer']);
    });
  });
}

export function randomContract(name: string, makeRandom: () => Random): void {
  describe(`${name} keeps the contract of chance`, () => {
    test('u32 gives whole numbers over the whole range', () => {
      const random = makeRandom();
      let low = 0;
      let ones = 0;
      for (let round = 0; round < 4000; round++) {
        const value = random.u32();
        expect(Number.isInteger(value) && value >= 0 && value < 2 ** 32).toBe(true);
        if (value < 2 ** 31) low++;
        ones |= value;
      }
      // A fair coin misses these bounds less than once in 10^9 runs.
      expect(low).toBeGreaterThan(1800);
      expect(low).toBeLessThan(2200);
      expect(ones >>> 0).toBe(0xffff_ffff);
    });

    test('below stays below its limit and reaches every number', () => {
      const random = makeRandom();
      for (const limit of [1, 2, 7]) {
        const seen = new Set(Array.from({ length: 1000 }, () => random.below(limit)));
        expect([...seen].sort()).toEqual(Array.from({ length: limit }, (_, at) => at));
      }
      for (let round = 0; round < 100; round++) expect(random.below(2 ** 32)).toBeLessThan(2 ** 32);
    });

    test('forked streams differ from each other and from their source', () => {
      const random = makeRandom();
      const take = (source: Random): string => Array.from({ length: 4 }, () => source.u32()).join();
      const streams = [take(random.fork('a')), take(random.fork('b')), take(random)];
      expect(new Set(streams).size).toBe(3);
    });
  });
}
