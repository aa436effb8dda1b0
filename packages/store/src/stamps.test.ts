import { VirtualTime } from '@flotilla/base';
import type { Replica } from '@flotilla/host';
import type { PeerLinks } from '@flotilla/ports';
import { expect, test } from 'vitest';
import { Stamps } from './stamps.ts';

function bench(offsets: Readonly<Record<string, number | undefined>>) {
  const time = new VirtualTime(1_000_000);
  const links = { clockOffsetMs: (storeId: string) => offsets[storeId] } as unknown as PeerLinks;
  const stamps = new Stamps(time, links);
  stamps.observe(Object.keys(offsets));
  return { time, stamps };
}

const replica = {} as Replica;

test('a clock within two seconds of the median stamps what it shows', () => {
  for (const offset of [0, 1_999, -1_999]) {
    const { stamps } = bench({ s2: offset, s3: offset });
    expect(stamps.nowMs()).toBe(1_000_000);
    expect(stamps.isTrusted).toBe(true);
  }
});

test('one that is further ahead is held down to the median and two seconds; one that is behind stays behind', () => {
  const ahead = bench({ s2: -60_000, s3: -60_000 });
  expect(ahead.stamps.nowMs()).toBe(1_000_000 - 58_000);
  expect(ahead.stamps.isTrusted).toBe(false);
  const behind = bench({ s2: 60_000, s3: 60_000 });
  expect(behind.stamps.nowMs()).toBe(1_000_000);
  expect(behind.stamps.aheadMs).toBe(-60_000);
});

test('one wild clock among three moves nobody else, and a store without news of others trusts itself', () => {
  expect(bench({ s2: 0, s3: 3_600_000 }).stamps.nowMs()).toBe(1_000_000);
  expect(bench({ s2: 0, s3: -3_600_000 }).stamps.nowMs()).toBe(1_000_000);
  expect(bench({ s2: undefined }).stamps.nowMs()).toBe(1_000_000);
});

test('stamps of a group never go back: not with the clock, and not behind what is applied', () => {
  const { time, stamps } = bench({});
  expect(stamps.next(replica, 0)).toBe(1_000_000);
  time.jumpWall(-5_000);
  expect(stamps.next(replica, 0)).toBe(1_000_000);
  expect(stamps.next(replica, 1_200_000)).toBe(1_200_000);
  expect(stamps.next(replica, 0)).toBe(1_200_000);
  expect(stamps.next({} as Replica, 7)).toBe(995_000);
});
