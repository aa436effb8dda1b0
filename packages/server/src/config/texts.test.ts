import { UsageError } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import {
  addressText,
  durationText,
  isLoopback,
  nearest,
  parseAddress,
  parseAddresses,
  parseDuration,
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
