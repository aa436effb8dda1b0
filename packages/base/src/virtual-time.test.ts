import { describe, expect, test } from 'vitest';
import { Prng } from './prng.ts';
import { VirtualTime } from './virtual-time.ts';

describe('virtual time', () => {
  test('callbacks run in order of their time, and in the order of asking at the same time', () => {
    const time = new VirtualTime();
    const seen: string[] = [];
    time.set(10, () => seen.push('ten, first'));
    time.set(5, () => seen.push('five'));
    time.set(10, () => seen.push('ten, second'));
    time.soon(() => seen.push('soon'));
    time.advance(10);
    expect(seen).toEqual(['soon', 'five', 'ten, first', 'ten, second']);
    expect(time.monoMs()).toBe(10);
  });

  test('soon runs after what is already due and before what is asked later', () => {
    const time = new VirtualTime();
    const seen: string[] = [];
    time.set(0, () => seen.push('due'));
    time.soon(() => {
      seen.push('soon');
      time.set(0, () => seen.push('asked in soon'));
      time.soon(() => seen.push('soon again'));
    });
    time.advance(0);
    expect(seen).toEqual(['due', 'soon', 'asked in soon', 'soon again']);
  });

  test('a cleared timer never runs and a done one may be cleared', () => {
    const time = new VirtualTime();
    let runs = 0;
    const done = time.set(1, () => runs++);
    const cleared = time.set(1, () => runs++);
    time.clear(cleared);
    time.advance(5);
    time.clear(done);
    time.clear(12345);
    expect(runs).toBe(1);
    expect(time.waiting).toBe(0);
  });

  test('a timer without end never runs and holds nothing up', () => {
    const time = new VirtualTime();
    time.set(Number.POSITIVE_INFINITY, () => expect.unreachable());
    expect(time.nextDueMs()).toBeUndefined();
    expect(time.runNext()).toBe(false);
    time.advance(1e12);
  });

  test('the wall clock jumps without touching timers or the monotonic clock', () => {
    const time = new VirtualTime(1000);
    time.advance(5);
    time.jumpWall(-500);
    expect([time.monoMs(), time.wallMs()]).toEqual([5, 505]);
  });

  test('ten thousand random timers run in the order that a sort gives', () => {
    const time = new VirtualTime();
    const random = new Prng(7);
    const ran: number[] = [];
    const expected: { readonly due: number; readonly name: number }[] = [];
    for (let name = 0; name < 10_000; name++) {
      const due = random.below(1000);
      const id = time.set(due, () => ran.push(name));
      if (random.chance(0.6)) time.clear(id);
      else expected.push({ due, name });
    }
    expected.sort((left, right) => left.due - right.due || left.name - right.name);
    while (time.runNext());
    expect(ran).toEqual(expected.map((timer) => timer.name));
  });
});
