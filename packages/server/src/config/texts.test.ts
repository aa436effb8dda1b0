import { UsageError } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import {
  addressText,
  durationText,
  isLoopback,
  nearest,
  parseAddress,
  parseAddresses,
  parseBytes,
  parseDuration,
  sizeText,
} from './texts.ts';

describe('durations', () => {
  test('are a number and a unit', () => {
    const read = ['500ms', '5s', '2m', '1h', '1.5s', ' 5s '].map(parseDuration);
    expect(read).toEqual([500, 5_000, 120_000, 3_600_000, 1_500, 5_000]);
  });

  test.each(['5', '', 's', '-5s', '5 s', '5sec', '1e3ms', '99999999999999h'])('"%s" is none', (text) => {
    expect(() => parseDuration(text)).toThrow(UsageError);
  });

  test('are written back in their shortest form', () => {
    expect([1, 500, 1_000, 90_000, 120_000, 3_600_000].map(durationText)).toEqual([
      '1ms',
      '500ms',
      '1s',
      '90s',
      '2m',
      '1h',
    ]);
  });
});

describe('sizes', () => {
  test('are a number and a unit, decimal or binary', () => {
    const read = ['100B', '16MB', '16MiB', '64KiB', '1.5GB', '1gib', '2kb'].map(parseBytes);
    expect(read).toEqual([100, 16_000_000, 16_777_216, 65_536, 1_500_000_000, 1_073_741_824, 2_000]);
  });

  test.each(['16', '', 'MB', '-1MB', '1 MB', '1e3B', '16mbit', '9999999999GB'])('"%s" is none', (text) => {
    expect(() => parseBytes(text)).toThrow(UsageError);
  });

  test('are written back in their shortest form', () => {
    const sizes = [0, 1, 1_000, 1_024, 16_000_000, 16_777_216, 1_500_000_000, 2 ** 31, 1_234_567];
    expect(sizes.map(sizeText)).toEqual([
      ...['0B', '1B', '1KB', '1KiB', '16MB', '16MiB', '1500MB', '2GiB', '1234567B'],
    ]);
    for (const size of sizes) expect(parseBytes(sizeText(size))).toBe(size);
  });
});

describe('addresses', () => {
  test.each([
    ['7400', '127.0.0.1:7400'],
    [':7400', '127.0.0.1:7400'],
    ['host', 'host:7401'],
    ['host:7400', 'host:7400'],
    ['flotilla-0.flotilla.default.svc', 'flotilla-0.flotilla.default.svc:7401'],
    ['[::1]:7400', '[::1]:7400'],
    ['::1', '[::1]:7401'],
    [' 10.0.0.1:1 ', '10.0.0.1:1'],
  ])('%s means %s', (text, meant) => {
    expect(addressText(parseAddress(text))).toBe(meant);
  });

  test.each(['', ':', 'host:', 'host:port', 'host:70000', 'a:b:c', 'ho st', 'http://host', '-x:1', '999999'])(
    '"%s" is none, and the message shows a right one',
    (text) => {
      expect(() => parseAddress(text)).toThrow(/Write host:port, like/);
    },
  );

  test('come in lists, with or without a scheme', () => {
    expect(parseAddresses('flotilla://a,b:1,7402')).toEqual(['a:7401', 'b:1', '127.0.0.1:7402']);
    expect(parseAddresses('flotilla://a/')).toEqual(['a:7401']);
    expect(() => parseAddresses('a,,b')).toThrow(UsageError);
  });

  test('on loopback are those that only this machine reaches', () => {
    expect(['127.0.0.1', '127.9.9.9', 'localhost', '::1'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '10.0.0.1', '127.evil.example', '::'].some(isLoopback)).toBe(false);
  });
});

describe('a word that nobody knows', () => {
  const words = ['status', 'store', 'scan', 'put', 'get'];
  test('is taken for the nearest known one', () => {
    expect([nearest('sttaus', words), nearest('Scan', words), nearest('pt', words)]).toEqual([
      'status',
      'scan',
      'put',
    ]);
  });
  test('is left alone when nothing is near', () => {
    expect([nearest('frobnicate', words), nearest('xyz', words)]).toEqual([undefined, undefined]);
  });
});
