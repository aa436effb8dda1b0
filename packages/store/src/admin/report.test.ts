import { DecodeError } from '@flotilla/base';
import { expect, test } from 'vitest';
import { decodeReport, encodeReport, type StoreReport } from './report.ts';

const report: StoreReport = {
  storeId: 's1',
  aheadMs: -2.5,
  replicas: [
    {
      ...{ gid: 1, incarnation: 5, raftId: 2, role: 'leader', term: 3, commitIndex: 9, appliedIndex: 8 },
      matches: new Map([
        [1, 7],
        [2, 9],
      ]),
      serving: [
        { shard: 3, bytes: 400, rate: { operations: 12.5, cpuMs: 0.25 } },
        { shard: 4095, bytes: 0, rate: undefined },
      ],
      frozen: [7],
      broken: '',
    },
    {
      ...{ gid: 2, incarnation: 6, raftId: 0, role: 'unknown', term: 0, commitIndex: 0, appliedIndex: 0 },
      ...{ matches: new Map(), serving: [], frozen: [], broken: 'a checksum does not fit' },
    },
  ],
  stuck: [{ moveId: 9, shard: 3, source: 1, target: 2, isPastFreeze: true, stillMs: 61_000, problem: 'why' }],
};

test('what a store says of its replicas, loads and stuck moves arrives as it left', () => {
  expect(decodeReport(encodeReport(report))).toEqual(report);
});

test('no cut and no flipped byte of a report does more than fail to be read', () => {
  const bytes = encodeReport(report);
  for (let at = 0; at < bytes.length; at++) {
    expect(() => decodeReport(bytes.subarray(0, at))).toThrow(DecodeError);
    const flipped = bytes.slice();
    flipped[at] = (flipped[at] as number) ^ 0xff;
    try {
      decodeReport(flipped);
    } catch (cause) {
      expect(cause).toBeInstanceOf(DecodeError);
    }
  }
});
