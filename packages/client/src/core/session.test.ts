import { sessionLimits } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Session } from './session.ts';

function session(): Session {
  return new Session(new Uint8Array(16), 0);
}

test('the floor is the lowest number that is neither answered nor given up', () => {
  const made = session();
  const numbers = [made.take(), made.take(), made.take(), made.take()];
  expect(numbers).toEqual([1, 2, 3, 4]);
  expect(made.floor).toBe(1);
  expect(made.release(3)).toBe(false);
  expect(made.release(2)).toBe(false);
  expect(made.floor).toBe(1);
  expect(made.release(1)).toBe(true);
  expect(made.floor).toBe(4);
  expect(made.release(4)).toBe(true);
  expect(made.floor).toBe(5);
});

test('the floor never passes the next number', () => {
  const made = session();
  for (let round = 1; round < 20_000; round++) {
    expect(made.take()).toBe(round);
    made.release(round);
    expect(made.floor).toBe(round + 1);
  }
});

test('one number that stays open fills the window, and its end empties it', () => {
  const made = session();
  const stuck = made.take();
  for (let seq = 2; seq <= sessionLimits.window; seq++) made.release(made.take());
  expect(made.isFull).toBe(true);
  expect(() => made.take()).toThrow('window');
  made.release(stuck);
  expect(made.isFull).toBe(false);
  expect(made.floor).toBe(sessionLimits.window + 1);
});

test('a number is released once', () => {
  const made = session();
  made.take();
  const second = made.take();
  made.release(second);
  expect(() => made.release(second)).toThrow('twice');
  expect(() => made.release(9)).toThrow('not open');
});

test('new numbers end with the time of use, repeats with the time of retry', () => {
  const made = session();
  const { use, retry } = sessionLimits;
  expect(made.isFresh(use - 1)).toBe(true);
  expect(made.isFresh(use)).toBe(false);
  expect(made.canRetry(use + retry - 1)).toBe(true);
  expect(made.canRetry(use + retry)).toBe(false);
  made.expired = true;
  expect(made.isFresh(0)).toBe(false);
  expect(made.canRetry(0)).toBe(false);
});
