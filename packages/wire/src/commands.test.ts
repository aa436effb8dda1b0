import { DecodeError, EMPTY_BYTES, Reader, utf8Encode, Writer } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import {
  blankCommand,
  type Command,
  checkCommandCount,
  commandBytes,
  commandFault,
  Flag,
  Op,
  readCommand,
  writeCommand,
} from './commands.ts';
import { limits } from './limits.ts';

function command(part: Partial<Command>): Command {
  return { ...blankCommand(), key: utf8Encode('key'), ...part };
}

function written(one: Command): Uint8Array {
  const out = new Writer(64);
  writeCommand(out, one);
  return out.finish();
}

function readBack(bytes: Uint8Array): Command {
  const into = blankCommand();
  const from = new Reader(bytes);
  readCommand(from, into);
  from.expectEnd();
  return into;
}

describe('a command', () => {
  const optional = {
    [Flag.ifVersion]: { version: 2 ** 53 - 1 },
    [Flag.ifValue]: { expected: utf8Encode('expected') },
    [Flag.ttl]: { ttl: 86_400_000 },
  };

  test('comes back as it was, with every operation and every set of flags', () => {
    for (const op of Object.values(Op)) {
      for (let flags = 0; flags < 32; flags++) {
        const one = command({ op, flags, shard: 4095, epoch: 0xffff_ffff, seqOffset: 4095 });
        for (const [flag, part] of Object.entries(optional)) {
          if ((flags & Number(flag)) !== 0) Object.assign(one, part);
        }
        one.value = op === Op.delete ? EMPTY_BYTES : utf8Encode('42');
        const bytes = written(one);
        expect(readBack(bytes)).toEqual(one);
        expect(bytes.length).toBeLessThanOrEqual(commandBytes(one));
      }
    }
  });

  test('that was read into keeps nothing of the one before', () => {
    const into = blankCommand();
    const all = Flag.ifVersion | Flag.ifValue | Flag.ttl;
    const rich = command({ flags: all, version: 7, expected: utf8Encode('old'), ttl: 9 });
    readCommand(new Reader(written(rich)), into);
    readCommand(new Reader(written(command({}))), into);
    expect(into).toEqual(command({}));
  });

  test('cut off anywhere cannot be read', () => {
    const bytes = written(command({ flags: 31, value: utf8Encode('v') }));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readBack(bytes.slice(0, length))).toThrow(DecodeError);
    }
  });

  test('that claims more bytes than a batch may have cannot be read', () => {
    const bytes = written(command({}));
    bytes.fill(0xff, bytes.length - 4);
    expect(() => readBack(bytes)).toThrow(/4294967295 bytes where at most/);
  });
});

describe('the limits of a command', () => {
  const good: readonly [string, Partial<Command>][] = [
    ['the longest key', { key: new Uint8Array(limits.keyBytes) }],
    ['a key of one byte', { key: new Uint8Array(1) }],
    ['the longest value', { value: new Uint8Array(limits.valueBytes) }],
    ['the longest expected value', { flags: Flag.ifValue, expected: new Uint8Array(limits.valueBytes) }],
    ['the longest number', { op: Op.increment, value: new Uint8Array(20) }],
    ['a range without ends', { op: Op.deleteRange, key: EMPTY_BYTES }],
    [
      'a range that ends behind the longest key',
      { op: Op.deleteRange, value: new Uint8Array(limits.keyBytes + 1) },
    ],
    ['a range with a count', { op: Op.deleteRange, flags: Flag.ttl, ttl: 5 }],
    ['a delete with every condition', { op: Op.delete, flags: 15 }],
  ];
  const bad: readonly [string, Partial<Command>, RegExp][] = [
    [
      'a key of one byte more',
      { key: new Uint8Array(limits.keyBytes + 1) },
      /key of 1025 bytes \(limit 1024\)/,
    ],
    ['an empty key', { key: EMPTY_BYTES }, /empty key/],
    ['a value of one byte more', { value: new Uint8Array(limits.valueBytes + 1) }, /value of 1048577 bytes/],
    [
      'an expected value of one byte more',
      { flags: Flag.ifValue, expected: new Uint8Array(limits.valueBytes + 1) },
      /expected value of 1048577 bytes/,
    ],
    [
      'a number of 21 digits',
      { op: Op.increment, value: new Uint8Array(21) },
      /value of 21 bytes \(limit 20\)/,
    ],
    ['operation 0', { op: 0 as Op }, /unknown operation 0/],
    ['an operation one past the last', { op: (Op.deleteRange + 1) as Op }, /unknown operation 6/],
    ['a flag one past the last', { flags: 32 }, /unknown flags 32/],
    ['a delete with a value', { op: Op.delete, value: new Uint8Array(1) }, /delete with a value/],
    ['a range delete with a condition', { op: Op.deleteRange, flags: Flag.ifAbsent }, /with conditions/],
    [
      'a range that ends further behind',
      { op: Op.deleteRange, value: new Uint8Array(limits.keyBytes + 2) },
      /value of 1026 bytes/,
    ],
  ];

  test.each(good)('%s may be executed', (_, part) => {
    expect(commandFault(command(part))).toBeUndefined();
  });

  test.each(bad)('%s may not', (_, part, why) => {
    expect(commandFault(command(part))).toMatch(why);
  });
});

describe('the number of commands', () => {
  const room = (count: number): Reader => new Reader(new Uint8Array(count * 16));

  test('may be anything from one to the limit that the bytes can hold', () => {
    expect(() => checkCommandCount(1, room(1))).not.toThrow();
    expect(() => checkCommandCount(limits.batchCommands, room(limits.batchCommands))).not.toThrow();
  });

  test('may not be zero, over the limit, or more than the bytes can hold', () => {
    expect(() => checkCommandCount(0, room(1))).toThrow(DecodeError);
    expect(() => checkCommandCount(limits.batchCommands + 1, room(limits.batchCommands + 1))).toThrow(
      DecodeError,
    );
    expect(() => checkCommandCount(2, new Reader(new Uint8Array(31)))).toThrow(DecodeError);
  });
});
