import { Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import { CellStore } from './cell-store.ts';

function key(number: number): Uint8Array {
  return Uint8Array.of(number >> 4, number & 15);
}

test('a store reads as a sorted map would, and comes back from its bytes as it was', () => {
  const random = new Prng(4);
  const store = new CellStore(false);
  const map = new Map<number, number>();
  for (let turn = 0; turn < 3000; turn++) {
    const number = random.below(60);
    if (random.chance(0.5)) {
      store.put(key(number), Uint8Array.of(turn & 255));
      map.set(number, turn & 255);
    } else if (random.chance(0.8)) {
      store.delete(key(number));
      map.delete(number);
    } else {
      const end = number + random.below(8);
      store.deleteRange(key(number), key(end));
      for (const each of [...map.keys()]) if (each >= number && each < end) map.delete(each);
    }
    if (random.chance(0.1)) {
      const bytes = store.freeze();
      store.thaw(bytes);
      expect(store.freeze()).toEqual(bytes);
    }
    const [from, to] = [random.below(60), random.below(60)].sort((left, right) => left - right) as [
      number,
      number,
    ];
    const reverse = random.chance(0.5);
    const wanted = [...map.keys()].filter((each) => each >= from && each < to).sort((a, b) => a - b);
    if (reverse) wanted.reverse();
    const seen: number[] = [];
    store.scan(
      key(from),
      key(to),
      (at) => {
        seen.push((at[0] as number) * 16 + (at[1] as number));
        return true;
      },
      { reverse },
    );
    expect(seen).toEqual(wanted);
    expect(store.get(key(from))?.[0]).toBe(map.get(from));
  }
});

test('equal contents are equal bytes, whatever led to them', () => {
  const one = new CellStore(false);
  const other = new CellStore(false);
  for (const number of [1, 2, 3]) one.put(key(number), Uint8Array.of(7));
  for (const number of [9, 3, 2, 1]) other.put(key(number), Uint8Array.of(7));
  other.delete(key(9));
  expect(other.freeze()).toEqual(one.freeze());
});

test('what is released goes at once, or stays until the removal comes, which then takes whatever is there', () => {
  const prompt = new CellStore(false);
  const late = new CellStore(true);
  for (const store of [prompt, late]) {
    for (const number of [1, 2, 3]) store.put(key(number), Uint8Array.of(1));
    store.release(key(1), key(3));
    store.release(key(1), key(3));
  }
  expect(prompt.keys).toHaveLength(1);
  expect(late.keys).toHaveLength(3);
  expect(late.released).toHaveLength(1);
  late.put(key(1), Uint8Array.of(2));
  const again = new CellStore(true);
  again.thaw(late.freeze());
  again.removeReleased(0);
  expect(again.keys).toEqual([key(3)]);
  expect(again.released).toHaveLength(0);
});
