import { Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import { Interner } from './interner.ts';
import { PairTable } from './pair-table.ts';
import { StateTable } from './state-table.ts';

test('a row gets a number once, in order of arrival, however the table grows', () => {
  const random = new Prng(1);
  const table = new StateTable(5, 1_000_000);
  const known = new Map<string, number>();
  const row = new Uint32Array(5);
  let wrong = 0;
  for (let turn = 0; turn < 50_000; turn++) {
    for (let at = 0; at < 5; at++) row[at] = random.below(12) * 0x1234_5678;
    const key = row.join();
    const wanted = known.get(key) ?? known.size;
    if (table.add(row) !== wanted) wrong++;
    known.set(key, wanted);
  }
  expect(wrong).toBe(0);
  expect(table.size).toBe(known.size);
  // It has grown: places are doubled when half of them are taken, and there are 65,536 at first.
  expect(table.size).toBeGreaterThan(40_000);
  const read = new Uint32Array(5);
  for (const [key, number] of known) {
    table.read(number, read);
    if (read.join() !== key) wrong++;
  }
  expect(wrong).toBe(0);
});

test('a table says when it holds as many rows as it may', () => {
  const table = new StateTable(1, 2);
  expect(table.isFull).toBe(false);
  table.add(Uint32Array.of(1));
  table.add(Uint32Array.of(1));
  expect(table.isFull).toBe(false);
  table.add(Uint32Array.of(2));
  expect(table.isFull).toBe(true);
});

test('a pair leads to its values through any growth, also where they are 0', () => {
  const random = new Prng(2);
  const table = new PairTable(16);
  const known = new Map<string, readonly [number, number]>();
  for (let turn = 0; turn < 5000; turn++) {
    const left = random.below(80);
    const right = random.below(80);
    const key = `${left} ${right}`;
    const there = known.get(key);
    expect(table.get(left, right)).toBe(there?.[0]);
    if (there !== undefined) {
      expect(table.second).toBe(there[1]);
      continue;
    }
    const values = [random.below(3), random.below(3) * 0x5555_5555] as const;
    table.set(left, right, ...values);
    known.set(key, values);
  }
  expect(table.size).toBe(known.size);
});

test('equal bytes get the same number, and different ones another', () => {
  const random = new Prng(3);
  const interner = new Interner();
  const known = new Map<string, number>();
  for (let turn = 0; turn < 5000; turn++) {
    const bytes = Uint8Array.from({ length: random.below(4) }, () => random.below(20));
    const wanted = known.get(bytes.join()) ?? known.size;
    expect(interner.number(bytes)).toBe(wanted);
    expect(interner.bytes(wanted)).toEqual(bytes);
    known.set(bytes.join(), wanted);
  }
  expect(interner.size).toBe(known.size);
});
