import { limits } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Rounds } from './rounds.ts';

const MIB = 1_048_576;

/** A copy that takes `rate` bytes a second while writers make `writes`; returns what is open in the end. */
function race(rounds: Rounds, opened: number, rate: number, writes: number, seconds: number): number {
  let open = opened;
  for (let now = 0; now < seconds * 1_000; now += 100) {
    const taken = Math.min(open, rate / 10);
    rounds.told(open, now);
    rounds.took(taken);
    open += writes / 10 - taken;
  }
  return open;
}

test('a copy that is faster than its writers never holds them back', () => {
  const rounds = new Rounds();
  race(rounds, 40 * MIB, 10 * MIB, 2 * MIB, 60);
  expect(rounds.writersMax).toBeUndefined();
});

test('three rounds that do not halve what is open hold the writers below half of what the last one took', () => {
  const rounds = new Rounds();
  race(rounds, 4 * MIB, 2 * MIB, 2 * MIB, 60);
  expect(rounds.writersMax).toBeGreaterThan(0.9 * MIB);
  expect(rounds.writersMax).toBeLessThan(1.1 * MIB);
});

test('what fits a freeze is never too much, however long it stays open', () => {
  const rounds = new Rounds();
  race(rounds, limits.freezeBytes, 1 * MIB, 1 * MIB, 60);
  expect(rounds.writersMax).toBeUndefined();
});

test('writers that were held back stay so while the copy goes on', () => {
  const rounds = new Rounds();
  race(rounds, 4 * MIB, 2 * MIB, 4 * MIB, 20);
  expect(rounds.writersMax).toBeGreaterThan(0);
  race(rounds, 4 * MIB, 2 * MIB, 0, 20);
  expect(rounds.writersMax).toBeGreaterThan(0);
  rounds.restart();
  expect(rounds.writersMax).toBeGreaterThan(0);
});

test('a third attempt holds them back from its first page on', () => {
  const rounds = new Rounds();
  rounds.holdWriters(1_000);
  expect(rounds.writersMax).toBe(500);
  rounds.holdWriters(0);
  expect(rounds.writersMax).toBe(1);
});
