import { DecodeError, EMPTY_BYTES, Reader, utf8Encode, Writer } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { limits } from './limits.ts';
import {
  blankRead,
  type Read,
  ReadKind,
  ReadLevel,
  readRead,
  readReadHead,
  writeRead,
  writeReadHead,
} from './reads.ts';

function readBack(read: Read): Read {
  const out = new Writer(8);
  writeRead(out, read);
  const from = new Reader(out.finish());
  const into = blankRead();
  readRead(from, into);
  from.expectEnd();
  return into;
}

const get: Read = { ...blankRead(), shard: 4095, epoch: 0xffff_ffff, key: utf8Encode('key') };
const scan: Read = {
  ...get,
  kind: ReadKind.scan,
  hasEnd: true,
  to: utf8Encode('to'),
  reverse: true,
  limit: 1000,
  bytesMax: limits.scanPageBytes,
};

describe('reads', () => {
  test('come back as they were', () => {
    for (const read of [
      get,
      scan,
      { ...scan, hasEnd: false, to: EMPTY_BYTES, reverse: false, key: EMPTY_BYTES },
    ]) {
      expect(readBack(read)).toEqual(read);
    }
  });

  test('take keys of one byte over the limit, which a cursor may have, and no more', () => {
    const cursor = new Uint8Array(limits.keyBytes + 1);
    expect(readBack({ ...scan, key: cursor, to: cursor }).key).toHaveLength(limits.keyBytes + 1);
    const long = new Uint8Array(limits.keyBytes + 2);
    expect(() => readBack({ ...scan, key: long })).toThrow(DecodeError);
    expect(() => readBack({ ...scan, to: long })).toThrow(DecodeError);
    expect(() => readBack({ ...get, key: long })).toThrow(DecodeError);
  });

  test('of an unknown kind cannot be read, since nobody knows where they end', () => {
    expect(() => readBack({ ...scan, kind: 3 as ReadKind })).toThrow(/read kind 3/);
    expect(() => readBack({ ...scan, kind: 0 as ReadKind })).toThrow(DecodeError);
  });

  test('begin with a head', () => {
    const head = {
      request: 0xffff_ffff,
      gid: 12,
      level: ReadLevel.stale,
      maxAgeMs: 5000,
      timeLeftMs: 250,
      count: 0xffff,
    };
    const out = new Writer(8);
    writeReadHead(out, head);
    expect(readReadHead(new Reader(out.finish()))).toEqual(head);
  });
});
