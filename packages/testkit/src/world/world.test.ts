import { Prng, VirtualTime } from '@flotilla/base';
import { clockContract, randomContract, timersContract, type WorldLab } from '@flotilla/ports/contract';
import { MemoryNetworkHub } from '@flotilla/transport';
import { describe, expect, test } from 'vitest';
import { EventLog } from './event-log.ts';
import { actionWords } from './fault-words.ts';
import { type FaultAction, faultKinds, makeSchedule } from './faults.ts';
import { GatedNetwork } from './gated-network.ts';
import { NodeClock, NodeTimers } from './node-clock.ts';
import { ProcessGate } from './process-gate.ts';
import { quietLinks, SimLinks } from './sim-links.ts';
import { WatchedTime } from './watched-time.ts';

function labOf(rate: number): () => WorldLab {
  return () => {
    const time = new VirtualTime();
    const clock = new NodeClock(time, { rate, originMs: 1234.5 });
    return {
      clock,
      timers: new NodeTimers(clock, new ProcessGate()),
      until: async (condition) => {
        while (!condition()) if (!time.runNext()) throw new Error('nothing is left that could happen');
      },
    };
  };
}

for (const rate of [1, 1.0004, 0.93]) {
  clockContract(`a node's clock of rate ${rate}`, labOf(rate));
  timersContract(`timers of a node with clock rate ${rate}`, labOf(rate));
}
randomContract('a stream of the world', () => new Prng(9).fork('store s1'));

describe('the clock of a node', () => {
  test('a fast clock reaches its timers earlier in true time', () => {
    const time = new VirtualTime();
    const timers = new NodeTimers(new NodeClock(time, { rate: 1.25 }), new ProcessGate());
    let at = 0;
    timers.set(100, () => {
      at = time.monoMs();
    });
    time.advance(200);
    expect(at).toBeCloseTo(80, 3);
  });

  test('a step of the wall clock leaves the monotonic clock and the other nodes alone', () => {
    const time = new VirtualTime();
    const [clock, other] = [new NodeClock(time), new NodeClock(time)];
    const before = clock.monoMs();
    clock.stepWall(-5_000);
    expect(clock.monoMs()).toBe(before);
    expect(clock.wallMs()).toBe(other.wallMs() - 5_000);
  });
});

describe('a process', () => {
  test('a dead one hears nothing; a paused one hears everything when it goes on, in order', () => {
    const time = new VirtualTime();
    const gate = new ProcessGate();
    const timers = new NodeTimers(new NodeClock(time), gate);
    const heard: string[] = [];
    for (const at of [3, 1, 2]) timers.set(at, () => heard.push(`t${at}`));
    gate.pause();
    time.advance(10);
    expect(heard).toEqual([]);
    gate.resume();
    expect(heard).toEqual(['t1', 't2', 't3']);
    timers.set(1, () => heard.push('late'));
    gate.die();
    time.advance(10);
    expect(heard).toHaveLength(3);
  });

  test('a paused one takes connections and messages when it goes on', () => {
    const time = new VirtualTime();
    const hub = new MemoryNetworkHub({ timers: time });
    const gate = new ProcessGate();
    const server = new GatedNetwork(hub.network('server'), gate, () => {});
    const heard: string[] = [];
    const handler = {
      onOpen: () => heard.push('open'),
      onMessage: (bytes: Uint8Array) => heard.push(`message ${bytes[0]}`),
      onClose: () => heard.push('close'),
    };
    server.listen(
      'server:1',
      () => handler,
      () => {},
    );
    time.advance(1);
    gate.pause();
    const socket = hub.network('client').dial('server:1', '/client', {
      onOpen: () => socket.send(Uint8Array.of(7)),
      onMessage: () => {},
      onClose: () => {},
    });
    time.advance(10);
    expect(heard).toEqual([]);
    gate.resume();
    expect(heard).toEqual(['open', 'message 7']);
  });
});

test('whoever keeps busy for ever at one moment is stopped', () => {
  const time = new WatchedTime();
  const again = (): void => time.soon(again);
  again();
  expect(() => time.advance(1)).toThrow('things happen at one moment, and no end of it');
  const busy = new WatchedTime();
  let rounds = 0;
  const later = (): void => {
    rounds++;
    busy.set(0.001, later);
  };
  later();
  busy.advance(200);
  expect(rounds).toBeGreaterThan(150_000);
});

describe('links', () => {
  test('cuts of different names overlap and heal one by one, each in its direction', () => {
    const links = new SimLinks(new Prng(1));
    links.cut('one', ['a>b']);
    links.cut('two', ['a>b', 'b>a']);
    expect(links.route('a', 'b', 1)).toBe(Number.POSITIVE_INFINITY);
    expect(links.heal('two')).toBe(true);
    expect(links.isCut('b', 'a')).toBe(false);
    expect(links.isCut('a', 'b')).toBe(true);
    links.healAll();
    expect(links.route('a', 'b', 1)).toBeLessThan(100);
  });

  test('a slow link is slow in both directions and nowhere else', () => {
    const links = new SimLinks(new Prng(1), { ...quietLinks, tailProbability: 0 });
    links.slow('s', 'a', 'b', 100);
    expect(links.route('a', 'b', 1)).toBeGreaterThan(100);
    expect(links.route('b', 'a', 1)).toBeGreaterThan(100);
    expect(links.route('b', 'c', 1)).toBeLessThan(1);
  });

  test('damage changes one bit now and then', () => {
    const links = new SimLinks(new Prng(1), { ...quietLinks, damageProbability: 1 });
    const copy = new Uint8Array(100);
    links.damage('a', 'b', copy);
    expect(copy.filter((byte) => byte !== 0)).toHaveLength(1);
    expect(links.damaged).toBe(1);
  });
});

describe('the event log', () => {
  test('equal events give equal hashes, and order, kind and numbers count', () => {
    const hashOf = (...events: readonly [number, number, number][]): string => {
      const log = new EventLog(() => 0);
      for (const [kind, a, b] of events) log.mix(kind, a, b);
      return log.hash;
    };
    const base = hashOf([1, 2, 3], [4, 5, 6]);
    expect(base).toMatch(/^[0-9a-f]{16}$/);
    expect(hashOf([1, 2, 3], [4, 5, 6])).toBe(base);
    const others = [
      hashOf([4, 5, 6], [1, 2, 3]),
      hashOf([1, 2, 3], [4, 5, 7]),
      hashOf([1, 2, 3], [4, 6, 6]),
      hashOf([2, 2, 3], [4, 5, 6]),
      hashOf([1, 2, 3]),
    ];
    expect(new Set([base, ...others]).size).toBe(6);
  });

  test('a million random events collide with none of their neighbours', () => {
    const log = new EventLog(() => 0);
    const seen = new Set<string>();
    for (let event = 0; event < 200_000; event++) {
      log.mix(1, event & 3, event & 7);
      seen.add(log.hash);
    }
    expect(seen.size).toBe(200_000);
  });

  test('the story keeps the newest events in order', () => {
    let now = 0;
    const log = new EventLog(() => now, 5);
    for (let event = 0; event < 12; event++) {
      now = event * 1000;
      log.tell(event % 2 === 0 ? `event ${event}` : () => `event ${event}`);
    }
    expect(log.story(3)).toEqual(['   9.0000 s event 9', '  10.0000 s event 10', '  11.0000 s event 11']);
    expect(log.story(99)).toHaveLength(5);
  });
});

describe('the schedule of faults', () => {
  const options = { stores: ['s1', 's2', 's3'], clients: ['c1'], groups: 2, durationMs: 30_000 };

  test('the same seed gives the same faults, another seed others', () => {
    const schedule = (seed: number): FaultAction[] => makeSchedule(new Prng(seed), options);
    expect(schedule(1)).toEqual(schedule(1));
    expect(schedule(1)).not.toEqual(schedule(2));
  });

  test('every kind occurs among a hundred seeds, and everything that begins also ends', () => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const actions = makeSchedule(new Prng(seed), options);
      for (const [at, action] of actions.entries()) {
        kinds.add(action.kind);
        expect(actionWords(action)).not.toBe('');
        if (at > 0) expect(action.atMs).toBeGreaterThanOrEqual((actions[at - 1] as FaultAction).atMs);
      }
      const count = (...wanted: readonly string[]): number =>
        actions.filter((action) => wanted.includes(action.kind)).length;
      const stops = [
        'crash',
        'power-cut',
        'fail-commit',
        'fail-state-commit',
        'fail-read',
        'full-disk',
        'old-state',
      ];
      expect(count(...stops)).toBe(count('restart'));
      expect(count('full-disk')).toBe(count('room'));
      expect(count('old-state')).toBe(count('copy-state'));
      expect(count('pause')).toBe(count('resume'));
      expect(count('cut', 'slow', 'bandwidth')).toBe(count('heal'));
      expect(count('stall')).toBe(count('unstall'));
      const leaders = ['leader-crash', 'leader-pause', 'leader-cut', 'leader-drop', 'move-leader'];
      expect(count(...leaders)).toBe(count('leader-back'));
      expect(count('deaf')).toBe(count('hearing'));
    }
    // Black-outs are power cuts, partitions are cuts, half-open connections are resets.
    expect(kinds.size).toBe(37);
  });

  test('taking one kind away leaves the times of the others as they were', () => {
    const all = makeSchedule(new Prng(3), { ...options, kinds: ['crash', 'reset'] });
    const some = makeSchedule(new Prng(3), { ...options, kinds: ['reset'] });
    expect(all.filter((action) => action.kind === 'reset')).toEqual(some);
    expect(faultKinds.length).toBe(32);
  });
});
