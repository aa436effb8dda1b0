import { describe, expect, test } from 'vitest';
import { bytesOfHex, bytesOfText, jsonField, jsonRecord, shown } from './bytes.ts';
import { progressLine } from './progress.ts';
import { bytesText, countText, plural, tableLines, timeText } from './table.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

describe('bytes for people', () => {
  test('are text where that loses nothing, else hexadecimal under another name', () => {
    expect(jsonField('key', bytes(0xc3, 0xbc))).toEqual({ key: 'ü' });
    expect(jsonField('key', bytes(0xff))).toEqual({ keyHex: 'ff' });
    expect(jsonField('value', bytes())).toEqual({ value: '' });
    expect(jsonField('value', bytes(0x61), true)).toEqual({ valueHex: '61' });
    // A byte order mark is a part of the text and must come back.
    expect(bytesOfText(String(jsonField('key', bytes(0xef, 0xbb, 0xbf, 0x61)).key), 'k')).toEqual(
      bytes(0xef, 0xbb, 0xbf, 0x61),
    );
  });

  test('of a record come with both versions', () => {
    const record = { key: bytes(0x61), value: bytes(0xfe), version: 3, createVersion: 2 };
    expect(jsonRecord(record)).toEqual({ key: 'a', valueHex: 'fe', version: 3, createVersion: 2 });
  });

  test('never break a line or a terminal', () => {
    expect([shown(bytes(0x61, 0x20)), shown(bytes(0x0a)), shown(bytes(0xff)), shown(bytes(0x1b))]).toEqual([
      'a ',
      '"\\n"',
      '0xff',
      '"\\u001b"',
    ]);
  });

  test('are read from hexadecimal in any usual writing', () => {
    expect(bytesOfHex('0x00FF', 'key')).toEqual(bytes(0, 255));
    expect(bytesOfHex('', 'key')).toEqual(bytes());
    expect(() => bytesOfHex('xyz', 'the key')).toThrow(/the key "xyz" is not hexadecimal/);
    expect(() => bytesOfText('\ud800', 'the key')).toThrow(/half a surrogate pair/);
  });
});

describe('numbers for people', () => {
  test('have parts, units and plurals', () => {
    expect([countText(1234567), countText(12), plural(1, 'shard'), plural(0, 'shard')]).toEqual([
      '1,234,567',
      '12',
      '1 shard',
      '0 shards',
    ]);
    expect([bytesText(0), bytesText(1023), bytesText(1536), bytesText(5 * 1024 ** 3)]).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '5.0 GiB',
    ]);
    expect([timeText(1_234), timeText(12_345), timeText(125_000), timeText(3_900_000)]).toEqual([
      '1.2 s',
      '12 s',
      '2 min 5 s',
      '1 h 5 min',
    ]);
  });
});

describe('tables', () => {
  test('align their columns and end without blanks', () => {
    const lines = tableLines(
      [{ title: 'STORE' }, { title: 'LEADS', align: 'right' }, { title: 'ZONE' }],
      [
        ['s1', '12', ''],
        ['store-2', '3', 'z'],
      ],
    );
    expect(lines).toEqual(['STORE    LEADS  ZONE', 's1          12', 'store-2      3  z']);
  });
});

describe('progress', () => {
  const state = { done: 50, total: 100, count: 10_412, elapsedMs: 2_000 };
  test('shows share, count, rate and time left', () => {
    expect(progressLine(state, 'records', 80)).toBe(
      '[==============>               ] 50 %  10,412 records  5,206/s  2.0 s left',
    );
  });
  test('fits narrow terminals and streams without an end', () => {
    expect(progressLine(state, 'records', 30).length).toBeLessThan(30);
    expect(progressLine({ ...state, total: 0 }, 'records', 80)).toBe('10,412 records  5,206/s');
  });
});
