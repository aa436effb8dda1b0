import { beforeEach, describe, expect, test } from 'vitest';
import { Throttle } from './throttle.ts';
import { TokenBucket } from './token-bucket.ts';

describe('a bucket of bytes', () => {
  test('lets one piece of any size through, and holds the rate over time', () => {
    const bucket = new TokenBucket(1_000, 0);
    let passed = 0;
    for (let now = 0; now <= 60_000; now += 10) {
      if (!bucket.allows(now)) continue;
      bucket.take(5_000);
      passed += 5_000;
    }
    expect(passed).toBeGreaterThanOrEqual(60_000);
    expect(passed).toBeLessThanOrEqual(60_000 + 50 + 5_000);
  });

  test('without a rate lets everything through', () => {
    const bucket = new TokenBucket(0, 0);
    bucket.take(1e12);
    expect(bucket.allows(0)).toBe(true);
  });

  test('keeps its debt when the rate changes, and pays it at the new one', () => {
    const bucket = new TokenBucket(1_000, 0);
    bucket.take(10_050);
    bucket.setRate(10_000, 0);
    expect(bucket.allows(999)).toBe(false);
    expect(bucket.allows(1_001)).toBe(true);
    bucket.setRate(0, 1_001);
    expect(bucket.allows(1_001)).toBe(true);
  });

  test('that had no rate begins full with its first one', () => {
    const bucket = new TokenBucket(0, 0);
    bucket.setRate(1_000, 5_000);
    expect(bucket.allows(5_000)).toBe(true);
  });
});

describe('the throttle', () => {
  let refused: number;
  const refusals = {
    add: (count: number): void => {
      refused += count;
    },
  };

  beforeEach(() => {
    refused = 0;
  });

  test('asks nothing of a batch while nobody is slowed down', () => {
    expect(new Throttle(() => 0, refusals).admitsFor(1)).toBeUndefined();
  });

  test('holds the writers of one shard in one group below the rate, and nobody else', () => {
    let now = 0;
    const throttle = new Throttle(() => now, refusals);
    throttle.request(1, 7, 10_000);
    let admitted = 0;
    for (; now < 4_000; now++) {
      if (throttle.admitsFor(1)?.(7, 100) === true) admitted += 100;
      expect(throttle.admitsFor(1)?.(8, 1_000_000)).toBe(true);
      expect(throttle.admitsFor(2)?.(7, 1_000_000)).toBe(true);
    }
    expect(admitted).toBeGreaterThan(35_000);
    expect(admitted).toBeLessThanOrEqual(43_000);
    expect(refused).toBe(4_000 - admitted / 100);
  });

  test('forgets a shard five seconds after the last request for it', () => {
    let now = 0;
    const throttle = new Throttle(() => now, refusals);
    throttle.request(1, 7, 1);
    throttle.admitsFor(1)?.(7, 1_000_000);
    now = 3_000;
    throttle.request(1, 7, 1);
    throttle.request(1, 8, 1);
    now = 7_999;
    expect(throttle.admitsFor(1)?.(7, 1)).toBe(false);
    throttle.request(1, 8, 1);
    now = 8_000;
    expect(throttle.admitsFor(1)?.(7, 1)).toBe(true);
    expect(throttle.admitsFor(1)).toBeDefined();
    now = 13_000;
    expect(throttle.admitsFor(1)).toBeUndefined();
  });

  test('slows down so many shards and no more', () => {
    const throttle = new Throttle(() => 0, refusals);
    for (let shard = 0; shard < 1_024; shard++) expect(throttle.request(1, shard, 5)).toBe(true);
    expect(throttle.request(1, 1_024, 5)).toBe(false);
    expect(throttle.request(1, 0, 5)).toBe(true);
  });
});
