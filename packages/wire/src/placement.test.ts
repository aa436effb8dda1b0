import { hexDecode, utf8Decode, utf8Encode, Xxh64 } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { hashTag, shardOf } from './placement.ts';

function tag(key: string): string {
  return utf8Decode(hashTag(utf8Encode(key)));
}

describe('the hash tag of a key', () => {
  test.each([
    ['plain', 'plain'],
    ['', ''],
    ['user:{42}:name', '42'],
    ['{42}', '42'],
    ['{42}{43}', '42'],
    ['a{b}c{d}e', 'b'],
    // Nothing between the first pair of braces: the whole key counts.
    ['a{}b', 'a{}b'],
    ['{}', '{}'],
    ['{}{x}', '{}{x}'],
    // No pair at all.
    ['a{b', 'a{b'],
    ['a}b', 'a}b'],
    ['a}b{c', 'a}b{c'],
    ['a}{b}', 'b'],
    // The first opening brace counts, also when another follows.
    ['{{x}}', '{x'],
    ['x{{y}z', '{y'],
    ['{ä}', 'ä'],
  ])('%j is %j', (key, expected) => {
    expect(tag(key)).toBe(expected);
  });

  test('is found in binary keys too', () => {
    const key = hexDecode('ff7b00fe7d01') as Uint8Array;
    expect(hashTag(key)).toEqual(new Uint8Array([0x00, 0xfe]));
  });
});

describe('the shard of a key', () => {
  const hasher = new Xxh64();
  const shard = (key: string, count: number): number => shardOf(utf8Encode(key), count, hasher);

  test('is the low half of xxh64 modulo the number of shards', () => {
    // xxh64('') = ef46db3751d8e999, xxh64('a') = d24ec4f1a98c6e5b, both with seed 0.
    expect(shard('', 256)).toBe(0x99);
    expect(shard('', 4096)).toBe(0x999);
    expect(shard('a', 256)).toBe(0x5b);
    expect(shard('a', 1000)).toBe(0xa98c_6e5b % 1000);
  });

  test('is the same for all keys with one tag', () => {
    const keys = ['{42}', 'user:{42}:name', 'order:{42}', '42'];
    expect(new Set(keys.map((key) => shard(key, 64))).size).toBe(1);
  });

  test('spreads keys over all shards evenly', () => {
    const counts = new Array<number>(64).fill(0);
    for (let at = 0; at < 64_000; at++) {
      const number = shard(`key-${at}`, 64);
      counts[number] = (counts[number] as number) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });
});
