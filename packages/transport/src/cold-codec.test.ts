import { DecodeError } from '@flotilla/base';
import { coldCodecContract } from '@flotilla/ports/contract';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { MsgpackColdCodec } from './msgpack-cold-codec.ts';
import { PlainColdCodec } from './plain-cold-codec.ts';

coldCodecContract('the MessagePack codec', () => new MsgpackColdCodec());
coldCodecContract('the plain codec', () => new PlainColdCodec());

describe('MessagePack from outside', () => {
  const codec = new MsgpackColdCodec();
  const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

  test('a message 10,000 levels deep is refused before it is decoded (X6)', () => {
    const deep = new Uint8Array(10_001).fill(0x91);
    deep[10_000] = 0xc0;
    expect(() => codec.decode(deep)).toThrow(/deeper than 16/);
  });

  test('a megabyte of empty maps is refused by its number of elements (X7)', () => {
    const many = new Uint8Array(1024 * 1024).fill(0x80);
    many.set([0xdd, 0x00, 0x0f, 0xff, 0xfb]);
    expect(() => codec.decode(many)).toThrow(/4096 elements/);
  });

  test('declared lengths of 2^32-1 are refused (X8)', () => {
    for (const code of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]) {
      expect(() => codec.decode(bytes(code, 0xff, 0xff, 0xff, 0xff))).toThrow(DecodeError);
    }
  });

  test('every extension is refused, also the definition of a record (X10, X11)', () => {
    const record = bytes(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01);
    expect(() => codec.decode(record)).toThrow(/not plain data/);
    for (const code of [0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8]) {
      expect(() => codec.decode(bytes(code, ...new Array(20).fill(1)))).toThrow(/not plain data/);
    }
    const packr = new Packr({ structuredClone: true });
    for (const value of [/x/, new Error('x'), new Set([1]), new Float32Array(2), new Date(0), undefined]) {
      expect(() => codec.decode(packr.pack(value))).toThrow(/not plain data/);
    }
    // A definition refused here must not change how the next message is read.
    expect(codec.decode(bytes(0x40))).toBe(0x40);
  });

  test('the code that no value has is refused', () => {
    expect(() => codec.decode(bytes(0xc1))).toThrow(/0xc1/);
  });

  test('keys that are not text and keys that stand twice are refused', () => {
    expect(() => codec.decode(bytes(0x81, 0x01, 0x02))).toThrow(/not text/);
    expect(() => codec.decode(bytes(0x81, 0x90, 0x02))).toThrow(/not text/);
    expect(() => codec.decode(bytes(0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02))).toThrow(/twice/);
  });

  test('64-bit numbers pass within the safe range and nowhere else', () => {
    expect(codec.decode(bytes(0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255))).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => codec.decode(bytes(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0))).toThrow(/2\^53/);
    expect(codec.decode(bytes(0xd3, 255, 0xe0, 0, 0, 0, 0, 0, 1))).toBe(Number.MIN_SAFE_INTEGER);
    expect(() => codec.decode(bytes(0xd3, 255, 0xe0, 0, 0, 0, 0, 0, 0))).toThrow(/2\^53/);
    expect(codec.decode(bytes(0xd3, 255, 255, 255, 255, 255, 255, 255, 255))).toBe(-1);
  });

  test('what the scan lets through is what both codecs understand alike', () => {
    const plain = new PlainColdCodec();
    const value = { list: [1, 'x', null, { deep: true }], bytes: Uint8Array.of(1, 2) };
    expect(codec.decode(codec.encode(value))).toEqual(plain.decode(plain.encode(value)));
  });
});
