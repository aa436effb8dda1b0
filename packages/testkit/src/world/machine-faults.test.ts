import { Prng, VirtualTime } from '@flotilla/base';
import { MemoryLogStore, MemoryStateStore } from '@flotilla/storage';
import { describe, expect, test } from 'vitest';
import { DiskLosses } from './disk-losses.ts';
import { makeSchedule } from './faults.ts';
import { lossKinds } from './machine-faults.ts';
import { NodeClock, NodeTimers } from './node-clock.ts';
import { ProcessGate, ReadFailure } from './process-gate.ts';
import { quietLinks, SimLinks } from './sim-links.ts';

describe('a clock that changes its pace', () => {
  test('goes on from where it is', () => {
    const time = new VirtualTime();
    const clock = new NodeClock(time, { rate: 1.002, originMs: 7 });
    time.advance(1_000);
    const before = clock.monoMs();
    clock.drift(0.96);
    expect(clock.monoMs()).toBeCloseTo(before, 6);
    time.advance(1_000);
    expect(clock.monoMs() - before).toBeCloseTo(1_002 * 0.96, 6);
    clock.drift(1);
    expect(clock.rate).toBe(1.002);
  });

  test('never rings a timer early on its own clock, however often it changes', () => {
    const time = new VirtualTime();
    const clock = new NodeClock(time);
    const timers = new NodeTimers(clock, new ProcessGate());
    let rangAt = 0;
    timers.set(100, () => {
      rangAt = clock.monoMs();
    });
    const silent = timers.set(100, () => expect.unreachable('it was cleared'));
    time.advance(50);
    clock.drift(0.5001);
    time.advance(60);
    clock.drift(0.9);
    timers.clear(silent);
    time.advance(500);
    expect(rangAt).toBeGreaterThanOrEqual(100 - 1e-6);
    expect(rangAt).toBeLessThan(120);
  });

  test('never rings one early that was slow for a while and is not any more', () => {
    const time = new VirtualTime();
    const clock = new NodeClock(time);
    const timers = new NodeTimers(clock, new ProcessGate());
    let rangAt = 0;
    timers.set(100, () => {
      rangAt = clock.monoMs();
    });
    clock.drift(0.6);
    time.advance(50);
    clock.drift(1);
    time.advance(500);
    expect(rangAt).toBeGreaterThanOrEqual(100 - 1e-6);
  });
});

describe('links', () => {
  const quality = { ...quietLinks, jitterMs: 0, tailProbability: 0 };

  test('of little bandwidth carry one message after the other, in each direction, until they are clogged', () => {
    const links = new SimLinks(new Prng(1), quality, () => 0);
    links.narrow('n', 'a', 'b', 2);
    expect(links.route('a:1', 'b', 1_000)).toBe(quality.delayMs + 500);
    expect(links.route('a', 'b:1', 1_000)).toBe(quality.delayMs + 1_000);
    expect(links.route('b', 'a', 10)).toBe(quality.delayMs + 5);
    expect(links.route('a', 'c', 1_000_000)).toBe(quality.delayMs);
    expect(links.route('a', 'b', 1_100)).toBe(Number.POSITIVE_INFINITY);
    expect(links.heal('n')).toBe(true);
    expect(links.route('a', 'b', 1_100)).toBe(quality.delayMs);
  });

  test('break off in the middle of one message, and not while a connection is made', () => {
    const links = new SimLinks(new Prng(1), quality);
    links.tear('a', 'b');
    expect(links.route('b', 'a', 0)).toBe(quality.delayMs);
    expect(links.route('b', 'a', 9)).toBeUndefined();
    expect(links.route('b', 'a', 9)).toBe(quality.delayMs);
  });
});

test('a process that cannot read its disk ends where it stands; any other error passes on', () => {
  const gate = new ProcessGate();
  const heard: string[] = [];
  const fail = (cause: Error) => (): void => {
    throw cause;
  };
  expect(() => gate.enter(fail(new ReadFailure('unheard')))).toThrow('unheard');
  gate.unreadable = (cause) => heard.push(cause.message);
  gate.enter(fail(new ReadFailure('no data')));
  expect(heard).toEqual(['no data']);
  expect(() => gate.enter(fail(new Error('a mistake')))).toThrow('a mistake');
});

describe('a disk', () => {
  test('without room fails every commit, and one with room again has all that was durable', () => {
    const timers = new VirtualTime();
    let isFull = false;
    const disk = { timers, delayMs: () => 1, isFull: () => isFull };
    let store = new MemoryStateStore(disk);
    const put = (at: number, done: (failure: Error | undefined) => void): void => {
      store.put(Uint8Array.of(at), Uint8Array.of(at));
      store.commit(done);
    };
    const answers: (string | undefined)[] = [];
    put(1, (failure) => answers.push(failure?.message));
    timers.advance(10);
    isFull = true;
    put(2, (failure) => answers.push(failure?.message));
    timers.advance(10);
    expect(answers).toEqual([undefined, 'injected: no space left on device']);
    store = store.crash();
    isFull = false;
    expect([1, 2].map((at) => store.get(Uint8Array.of(at))?.[0])).toEqual([1, undefined]);
    put(3, (failure) => answers.push(failure?.message));
    timers.advance(10);
    expect(answers[2]).toBeUndefined();
  });

  test('comes back with an older state, and without what was written later', () => {
    const timers = new VirtualTime();
    let store = new MemoryStateStore({ timers, delayMs: () => 1 });
    const put = (at: number): void => {
      store.put(Uint8Array.of(at), Uint8Array.of(at));
      store.commit(() => {});
      timers.advance(10);
    };
    put(1);
    const copy = store.copy();
    put(2);
    store = store.powerCut(() => 0);
    expect(store.get(Uint8Array.of(2))).toBeDefined();
    store = store.rolledBackTo(copy);
    put(3);
    expect([1, 2, 3].map((at) => store.get(Uint8Array.of(at))?.[0])).toEqual([1, undefined, 3]);
  });

  test('loses bits of a replica until that stops, and its end is no error from then on', () => {
    const timers = new VirtualTime();
    const log = new MemoryLogStore({ timers, delayMs: () => 1 });
    const state = new MemoryStateStore({ timers, delayMs: () => 1 });
    const group = { gid: 1, incarnation: 4 };
    const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    const start = { index: 0, term: 0, confState };
    const entries = [1, 2].map((index) => ({ index, term: 1, kind: 0 as const, data: Uint8Array.of(index) }));
    log.commit(
      [{ group, replica: { group, raftId: 1, generation: 1, start, removed: false }, entries }],
      () => {},
    );
    const losses = new DiskLosses();
    expect(losses.flipBit(log, state, 8, true)).toBe(true);
    expect(() => log.entries(group, 1, 3, 100)).toThrow('checksum');
    const levels: string[] = [];
    const sink = losses.tolerant({ log: (level) => levels.push(level) });
    for (const name of ['1.4', '1.5']) sink.log('error', 'replica-quarantined', { group: name });
    sink.log('error', 'something-else', { group: '1.4' });
    expect(levels).toEqual(['warn', 'error', 'error']);
    expect(losses.flipBit(log, state, 8, true)).toBe(false);
  });
});

describe('losses of disks', () => {
  const options = {
    clients: ['c1'],
    groups: 2,
    durationMs: 600_000,
    kinds: ['blank-disk', 'old-state', 'bit-flip'] as const,
  };

  test('hit one store in a whole run, whatever their kind: a minority of each group', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const stores = ['s1', 's2', 's3', 's4'];
      const schedule = makeSchedule(new Prng(seed), { ...options, stores });
      const victims = new Set(schedule.flatMap((action) => ('store' in action ? [action.store] : [])));
      expect(victims.size).toBe(1);
      expect(new Set(schedule.map(({ kind }) => kind)).size).toBe(lossKinds.length + 2);
    }
  });

  test('do not happen where a minority is nobody', () => {
    expect(makeSchedule(new Prng(1), { ...options, stores: ['s1', 's2'] })).toEqual([]);
  });
});
