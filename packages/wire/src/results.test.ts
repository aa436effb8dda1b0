import { DecodeError, EMPTY_BYTES, Reader, utf8Encode, Writer } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { limits } from './limits.ts';
import {
  beginPage,
  endPage,
  type Result,
  readResult,
  Status,
  writeConflict,
  writeElsewhere,
  writeOk,
  writePageRecord,
  writeRangeDeleted,
  writeRecord,
  writeRefused,
  writeStatus,
  writeWait,
} from './results.ts';

function readBack(write: (out: Writer) => void): Result {
  const out = new Writer(8);
  write(out);
  const from = new Reader(out.finish());
  const result = readResult(from);
  from.expectEnd();
  return result;
}

const top = 2 ** 53 - 1;
const value = utf8Encode('value');
const bare = [
  Status.sessionExpired,
  Status.belowFloor,
  Status.badSession,
  Status.notANumber,
  Status.overflow,
  Status.tooLarge,
  Status.absent,
] as const;

describe('a result', () => {
  const cases: readonly [string, (out: Writer) => void, Result][] = [
    ['ok', (out) => writeOk(out, top), { status: Status.ok, version: top, value: EMPTY_BYTES }],
    ['ok with a value', (out) => writeOk(out, 3, value), { status: Status.ok, version: 3, value }],
    ['conflict', (out) => writeConflict(out, 9), { status: Status.conflict, version: 9 }],
    [
      'wrongGroup',
      (out) => writeElsewhere(out, Status.wrongGroup, 0xffff_ffff, 7),
      { status: Status.wrongGroup, gid: 0xffff_ffff, epoch: 7 },
    ],
    [
      'moved',
      (out) => writeElsewhere(out, Status.moved, 2, 0xffff_ffff),
      { status: Status.moved, gid: 2, epoch: 0xffff_ffff },
    ],
    [
      'notReady',
      (out) => writeWait(out, Status.notReady, 0xffff),
      { status: Status.notReady, retryAfterMs: 0xffff },
    ],
    [
      'tooManySessions',
      (out) => writeWait(out, Status.tooManySessions, 1),
      { status: Status.tooManySessions, retryAfterMs: 1 },
    ],
    [
      'throttled',
      (out) => writeWait(out, Status.throttled, 100),
      { status: Status.throttled, retryAfterMs: 100 },
    ],
    ['refused', (out) => writeRefused(out, 'why – so'), { status: Status.refused, why: 'why – so' }],
    [
      'rangeDeleted',
      (out) => writeRangeDeleted(out, 5, 1000, utf8Encode('next')),
      { status: Status.rangeDeleted, version: 5, count: 1000, next: utf8Encode('next') },
    ],
    [
      'record',
      (out) => writeRecord(out, 8, 2, value),
      { status: Status.record, version: 8, createVersion: 2, value },
    ],
    ...bare.map(
      (status) =>
        [`status ${status}`, (out: Writer) => writeStatus(out, status), { status }] as [
          string,
          (out: Writer) => void,
          Result,
        ],
    ),
  ];

  test.each(cases)('%s comes back as it was', (_, write, result) => {
    expect(readBack(write)).toEqual(result);
  });

  test('page comes back with its records', () => {
    const records = ['a', 'b'].map((key, at) => {
      return { key: utf8Encode(key), version: at + 5, createVersion: at, value };
    });
    for (const [some, more] of [
      [records, true],
      [[], false],
    ] as const) {
      const page = readBack((out) => {
        const at = beginPage(out);
        for (const one of some) writePageRecord(out, one.key, one.version, one.createVersion, one.value);
        endPage(out, at, some.length, more);
      });
      expect(page).toEqual({ status: Status.page, records: some, more });
    }
  });

  test('page of one record too many cannot be read', () => {
    const write = (count: number) => (out: Writer) => {
      const at = beginPage(out);
      for (let left = count; left > 0; left--) writePageRecord(out, EMPTY_BYTES, 1, 1, EMPTY_BYTES);
      endPage(out, at, count, false);
    };
    expect(readBack(write(limits.scanPageRecords))).toMatchObject({ more: false });
    expect(() => readBack(write(limits.scanPageRecords + 1))).toThrow(DecodeError);
  });

  test('of an unknown status cannot be read, since nobody knows where it ends', () => {
    expect(() => readBack((out) => out.u8(Status.throttled + 1))).toThrow(/status 18 is not known/);
    expect(() => readBack((out) => out.u8(255))).toThrow(DecodeError);
  });
});
