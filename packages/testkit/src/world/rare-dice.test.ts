import { Prng } from '@flotilla/base';
import { neverRare, type RarePoint, rarePoints } from '@flotilla/ports';
import { expect, test } from 'vitest';
import { drawOpenPoints, RareDice } from './rare-dice.ts';

const points = Object.keys(rarePoints) as RarePoint[];

test('there are at least sixty points, each with a line of its own, and production takes none of them', () => {
  expect(points.length).toBeGreaterThanOrEqual(60);
  expect(new Set(Object.values(rarePoints)).size).toBe(points.length);
  for (const point of points) expect(neverRare.take(point)).toBe(false);
});

test('about a quarter of the points is open in a run, another one in each, at chances from 1 to 10 %', () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 400; seed++) {
    const open = drawOpenPoints(new Prng(seed));
    expect(drawOpenPoints(new Prng(seed))).toEqual(open);
    for (const [point, chance] of Object.entries(open)) {
      counts.set(point, (counts.get(point) ?? 0) + 1);
      expect(chance).toBeGreaterThanOrEqual(0.01);
      expect(chance).toBeLessThanOrEqual(0.1);
    }
  }
  for (const point of points) {
    expect(counts.get(point), point).toBeGreaterThan(60);
    expect(counts.get(point), point).toBeLessThan(140);
  }
});

test('a dice takes what is open as often as it was told, counts it, and nothing else', () => {
  const dice = new RareDice(new Prng(1));
  const ofStore = dice.of('s1');
  const taken = (): number => {
    let count = 0;
    for (let round = 0; round < 10_000; round++) if (ofStore.take('inbox-full')) count++;
    return count;
  };
  expect(taken()).toBe(0);
  dice.open({ 'inbox-full': 0.05 });
  const count = taken();
  expect(count).toBeGreaterThan(400);
  expect(count).toBeLessThan(600);
  expect(ofStore.take('frame-waits')).toBe(false);
  expect([...dice.taken]).toEqual([['inbox-full', count]]);
  dice.rest();
  expect(taken()).toBe(0);
});

test('what one process throws does not change what another one does', () => {
  const course = (disturbed: boolean): boolean[] => {
    const dice = new RareDice(new Prng(7));
    dice.open({ 'inbox-full': 0.5 });
    const [one, other] = [dice.of('s1'), dice.of('s2')];
    return Array.from({ length: 50 }, () => {
      if (disturbed) other.take('inbox-full');
      return one.take('inbox-full');
    });
  };
  expect(course(true)).toEqual(course(false));
});
