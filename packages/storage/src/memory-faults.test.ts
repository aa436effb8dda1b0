import { CorruptionError, VirtualTime } from '@flotilla/base';
import { expect, test } from 'vitest';
import { MemoryLogStore } from './memory-log-store.ts';
import { MemoryStateStore } from './memory-state-store.ts';

const group = { gid: 1, incarnation: 1 };
const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const replica = { group, raftId: 1, generation: 1, start: { index: 0, term: 0, confState }, removed: false };
const entry = (index: number) => ({ index, term: 1, kind: 0 as const, data: new Uint8Array([index]) });
const key = new Uint8Array([1]);

function filledLog(timers: VirtualTime, answers: unknown[]): MemoryLogStore {
  const store = new MemoryLogStore({ timers, delayMs: () => 5 });
  store.commit([{ group, replica }], () => undefined);
  timers.advance(100);
  for (let index = 1; index <= 4; index++) {
    store.commit([{ group, entries: [entry(index)] }], (failure) => answers.push(failure ?? index));
  }
  return store;
}

test('a power cut keeps a prefix of the pending commits, and no callback comes any more', () => {
  for (let kept = 0; kept <= 4; kept++) {
    const timers = new VirtualTime();
    const answers: unknown[] = [];
    const store = filledLog(timers, answers);
    let asked = 0;
    const next = store.powerCut((pending) => {
      asked = pending;
      return kept;
    });
    expect(asked).toBe(4);
    timers.advance(1_000);
    expect(answers).toEqual([]);
    expect(next.span(group)).toEqual({ first: 1, last: kept });
    expect(() => store.span(group)).toThrow(/ended with its process/);
  }
});

test('a crash of the process keeps all that was committed', () => {
  const timers = new VirtualTime();
  const next = filledLog(timers, []).crash();
  expect(next.span(group)).toEqual({ first: 1, last: 4 });
  const answers: unknown[] = [];
  next.commit([{ group, entries: [entry(5)] }], (failure) => answers.push(failure));
  timers.advance(10);
  expect(answers).toEqual([undefined]);
});

test('one sync covers all commits that wait when it begins', () => {
  const timers = new VirtualTime();
  const answers: unknown[] = [];
  filledLog(timers, answers);
  timers.advance(5);
  expect(answers).toEqual([1]);
  timers.advance(5);
  expect(answers).toEqual([1, 2, 3, 4]);
});

test('after a failed commit all later ones fail and nothing of them is durable', () => {
  const timers = new VirtualTime();
  const answers: unknown[] = [];
  const store = filledLog(timers, answers);
  const failure = new Error('gone');
  store.failNextCommit(failure);
  store.commit([{ group, entries: [entry(5)] }], (problem) => answers.push(problem));
  timers.advance(100);
  expect(answers).toEqual([failure, failure, failure, failure, failure]);
  expect(store.crash().span(group)).toEqual({ first: 1, last: 0 });
});

test('a stalled disk answers once it goes on', () => {
  const timers = new VirtualTime();
  const answers: unknown[] = [];
  const store = filledLog(timers, answers);
  store.stall();
  timers.advance(60_000);
  expect(answers).toEqual([]);
  store.resume();
  timers.advance(10);
  expect(answers).toEqual([1, 2, 3, 4]);
});

test('damage of one entry hits reads of it, damage of the log every read, until the replica is replaced', () => {
  const timers = new VirtualTime();
  const store = filledLog(timers, []);
  timers.advance(100);
  store.corrupt(group, 3);
  expect(store.entries(group, 1, 3, 100)).toHaveLength(2);
  expect(() => store.entries(group, 2, 4, 100)).toThrow(CorruptionError);
  store.corrupt(group);
  expect(store.damaged()).toEqual([group]);
  expect(() => store.hardState(group)).toThrow(CorruptionError);
  const next = store.crash();
  expect(() => next.span(group)).toThrow(CorruptionError);
  next.commit([{ group, replica: { ...replica, raftId: 2 } }], () => undefined);
  expect(next.damaged()).toEqual([]);
  expect(next.span(group)).toEqual({ first: 1, last: 0 });
});

test('a power cut of the state drops the open transaction and keeps transactions whole', () => {
  const timers = new VirtualTime();
  const store = new MemoryStateStore({ timers, delayMs: () => 5 });
  for (let round = 1; round <= 3; round++) {
    store.put(key, new Uint8Array([round]));
    store.put(new Uint8Array([2, round]), new Uint8Array([round]));
    store.commit(() => undefined);
  }
  store.put(key, new Uint8Array([9]));
  const next = store.powerCut((pending) => pending - 1);
  expect(next.get(key)).toEqual(new Uint8Array([2]));
  expect(next.get(new Uint8Array([2, 2]))).toBeDefined();
  expect(next.get(new Uint8Array([2, 3]))).toBeUndefined();
});

test('a damaged value throws until it is written again', () => {
  const timers = new VirtualTime();
  const store = new MemoryStateStore({ timers, delayMs: () => 0 });
  store.put(key, new Uint8Array([1]));
  store.commit(() => undefined);
  timers.advance(1);
  store.corrupt(key);
  expect(() => store.get(key)).toThrow(CorruptionError);
  store.put(key, new Uint8Array([2]));
  expect(store.get(key)).toEqual(new Uint8Array([2]));
});
