import { EMPTY_BYTES, utf8Decode } from '@flotilla/base';
import { type Command, Flag, limits, Op, type Result, Status } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Kind } from './keys.ts';
import { recordExpiresAt } from './record-table.ts';
import { bytes, command, PREFIX, Rig, sessionOf } from './testing/rig.ts';

function textOf(result: Result): string {
  return 'value' in result ? utf8Decode(result.value) : `status ${result.status}`;
}

function revisionOf(rig: Rig): number {
  return [...rig.group.shards()][0]?.revision ?? 0;
}

describe('versions', () => {
  test('the first write of a shard gets version 1, and each later one the next', () => {
    const rig = Rig.serving();
    expect(rig.put('a', 'one')).toEqual({ status: Status.ok, version: 1, value: EMPTY_BYTES });
    expect(rig.put('b', 'two')).toMatchObject({ version: 2 });
    expect(rig.put('a', 'three')).toMatchObject({ version: 3 });
    const value = bytes('three');
    expect(rig.get('a')).toEqual({ status: Status.record, version: 3, createVersion: 1, value });
  });

  test('shards count their revisions apart', () => {
    const rig = Rig.serving([0, 1]);
    rig.put('a', 'x');
    expect(rig.put('b', 'y', { shard: 1 })).toMatchObject({ version: 1 });
  });

  test('a record that was deleted and put again is a new one', () => {
    const rig = Rig.serving();
    rig.put('a', 'x');
    expect(rig.run({ op: Op.delete, key: bytes('a') })).toMatchObject({ status: Status.ok, version: 2 });
    expect(rig.get('a')).toEqual({ status: Status.absent });
    rig.put('a', 'y');
    expect(rig.get('a')).toMatchObject({ version: 3, createVersion: 3 });
  });

  test('deleting what is not there says version 0, and still counts', () => {
    const rig = Rig.serving();
    expect(rig.run({ op: Op.delete })).toEqual({ status: Status.ok, version: 0, value: EMPTY_BYTES });
    expect(revisionOf(rig)).toBe(1);
    expect(rig.put('a', 'x')).toMatchObject({ version: 2 });
  });
});

describe('conditions', () => {
  // Each on a key with value `v` at version 1, and on one that is absent.
  const cases: readonly [string, Partial<Command>, boolean, boolean][] = [
    ['none', {}, true, true],
    ['ifAbsent', { flags: Flag.ifAbsent }, false, true],
    ['ifPresent', { flags: Flag.ifPresent }, true, false],
    ['ifVersion of the record', { flags: Flag.ifVersion, version: 1 }, true, false],
    ['ifVersion of another', { flags: Flag.ifVersion, version: 2 }, false, false],
    ['ifVersion 0', { flags: Flag.ifVersion, version: 0 }, false, true],
    ['ifValue of the record', { flags: Flag.ifValue, expected: bytes('v') }, true, false],
    ['ifValue of another', { flags: Flag.ifValue, expected: bytes('w') }, false, false],
    ['ifValue of a longer one', { flags: Flag.ifValue, expected: bytes('v2') }, false, false],
    ['ifValue empty', { flags: Flag.ifValue, expected: EMPTY_BYTES }, false, false],
    ['ifPresent and ifValue', { flags: Flag.ifPresent | Flag.ifValue, expected: bytes('v') }, true, false],
    ['ifAbsent and ifVersion 0', { flags: Flag.ifAbsent | Flag.ifVersion, version: 0 }, false, true],
    ['ifAbsent and ifPresent', { flags: Flag.ifAbsent | Flag.ifPresent }, false, false],
  ];
  const ops: readonly [string, Op, string][] = [
    ['put', Op.put, 'new'],
    ['append', Op.append, 'new'],
    ['delete', Op.delete, ''],
  ];

  for (const [opName, op, value] of ops) {
    for (const [name, part, onPresent, onAbsent] of cases) {
      test(`${opName} with condition ${name}`, () => {
        const rig = Rig.serving();
        rig.put('there', 'v');
        const before = rig.get('there');
        const there = rig.run({ op, key: bytes('there'), value: bytes(value), ...part });
        if (onPresent) {
          expect(there).toMatchObject({ status: Status.ok, version: 2 });
        } else {
          expect(there).toEqual({ status: Status.conflict, version: 1 });
          expect(rig.get('there')).toEqual(before);
        }
        const absent = rig.run({ op, key: bytes('absent'), value: bytes(value), ...part });
        if (onAbsent) expect(absent).toMatchObject({ status: Status.ok, version: op === Op.delete ? 0 : 3 });
        else expect(absent).toEqual({ status: Status.conflict, version: 0 });
        // A failed condition takes a revision like everything that is kept in a session row.
        expect(revisionOf(rig)).toBe(3);
      });
    }
  }

  test('an increment with a failed condition changes nothing', () => {
    const rig = Rig.serving();
    rig.put('n', '1');
    const part = { op: Op.increment, key: bytes('n'), value: bytes('1'), flags: Flag.ifVersion, version: 9 };
    expect(rig.run(part)).toEqual({ status: Status.conflict, version: 1 });
    expect(textOf(rig.get('n'))).toBe('1');
  });

  test('an empty value is a value', () => {
    const rig = Rig.serving();
    rig.put('e', '');
    expect(rig.get('e')).toMatchObject({ status: Status.record, value: EMPTY_BYTES });
    const part = { key: bytes('e'), flags: Flag.ifValue, expected: EMPTY_BYTES };
    expect(rig.run({ op: Op.delete, ...part })).toMatchObject({ status: Status.ok, version: 2 });
  });
});

describe('append and increment', () => {
  test('append makes a record and then lengthens it', () => {
    const rig = Rig.serving();
    const append = (text: string): Result => rig.run({ op: Op.append, value: bytes(text) });
    expect(append('a')).toMatchObject({ status: Status.ok, version: 1 });
    expect(append('bc')).toMatchObject({ version: 2 });
    expect(rig.get('k')).toMatchObject({ value: bytes('abc'), createVersion: 1 });
  });

  test('a value may grow to its limit and not one byte further', () => {
    const rig = Rig.serving();
    rig.run({ op: Op.put, value: new Uint8Array(limits.valueBytes - 1).fill(1) });
    expect(rig.run({ op: Op.append, value: bytes('x') })).toMatchObject({ status: Status.ok, version: 2 });
    expect(rig.run({ op: Op.append, value: bytes('y') })).toEqual({ status: Status.tooLarge });
    const found = rig.get('k');
    expect(found).toMatchObject({ version: 2 });
    expect('value' in found && found.value.length).toBe(limits.valueBytes);
    expect(revisionOf(rig)).toBe(3);
  });

  test('increment begins at 0 and answers the new number', () => {
    const rig = Rig.serving();
    const add = (text: string): Result => rig.run({ op: Op.increment, value: bytes(text) });
    expect(add('5')).toEqual({ status: Status.ok, version: 1, value: bytes('5') });
    expect(add('-7')).toEqual({ status: Status.ok, version: 2, value: bytes('-2') });
    expect(textOf(rig.get('k'))).toBe('-2');
  });

  test('what is not a number, and what would be too large a one, changes nothing and is remembered', () => {
    const rig = Rig.serving();
    rig.put('k', 'text');
    expect(rig.run({ op: Op.increment, value: bytes('1') })).toEqual({ status: Status.notANumber });
    rig.put('k', '9223372036854775807');
    expect(rig.run({ op: Op.increment, value: bytes('1') })).toEqual({ status: Status.overflow });
    expect(rig.run({ op: Op.increment, value: bytes('one') })).toEqual({ status: Status.notANumber });
    expect(textOf(rig.get('k'))).toBe('9223372036854775807');
    expect(revisionOf(rig)).toBe(5);
  });
});

describe('time to live', () => {
  const ttl = (ms: number): Partial<Command> => ({ flags: Flag.ttl, ttl: ms });

  test('a record is there until its time, and not at it', () => {
    const rig = Rig.serving();
    rig.put('k', 'v', ttl(10));
    rig.now += 9;
    rig.put('other', 'x');
    expect(rig.get('k')).toMatchObject({ status: Status.record });
    rig.now += 1;
    rig.put('other', 'x');
    expect(rig.get('k')).toEqual({ status: Status.absent });
  });

  test('time that has passed outside the log does not count', () => {
    const rig = Rig.serving();
    rig.put('k', 'v', ttl(10));
    rig.now += 1000;
    expect(rig.get('k')).toMatchObject({ status: Status.record });
  });

  test('an expired record is absent to conditions, append and increment', () => {
    const rig = Rig.serving();
    for (const key of ['a', 'b', 'c', 'd']) rig.put(key, '7', ttl(10));
    rig.now += 10;
    const present = { op: Op.put, key: bytes('a'), flags: Flag.ifPresent };
    expect(rig.run(present)).toEqual({ status: Status.conflict, version: 0 });
    expect(rig.put('b', 'new', { flags: Flag.ifAbsent })).toMatchObject({ status: Status.ok, version: 6 });
    expect(rig.get('b')).toMatchObject({ createVersion: 6 });
    expect(rig.run({ op: Op.increment, key: bytes('c'), value: bytes('1') })).toMatchObject({
      value: bytes('1'),
    });
    rig.run({ op: Op.append, key: bytes('d'), value: bytes('x') });
    expect(textOf(rig.get('d'))).toBe('x');
    // What was made anew has none of the old record's time.
    rig.now += 100;
    rig.put('other', 'x');
    expect(['b', 'c', 'd'].map((key) => rig.get(key).status)).toEqual(Array(3).fill(Status.record));
  });

  test('deleting an expired record says that there was none', () => {
    const rig = Rig.serving();
    rig.put('k', 'v', ttl(10));
    rig.now += 10;
    expect(rig.run({ op: Op.delete })).toMatchObject({ status: Status.ok, version: 0 });
    expect([...rig.group.shards()][0]).toMatchObject({ recordCount: 0, recordBytes: 0 });
  });

  test('a put without a time clears it; append and increment keep it; each may set a new one', () => {
    const rig = Rig.serving();
    const expiries = (): boolean[] =>
      ['p', 'a', 'i', 'n'].map((key) => rig.get(key).status === Status.absent);
    for (const key of ['p', 'a', 'i', 'n']) rig.put(key, '1', ttl(10));
    rig.put('p', '2');
    rig.run({ op: Op.append, key: bytes('a'), value: bytes('2') });
    rig.run({ op: Op.increment, key: bytes('i'), value: bytes('2') });
    rig.run({ op: Op.append, key: bytes('n'), value: bytes('2'), ...ttl(20) });
    rig.now += 10;
    rig.put('other', 'x');
    expect(expiries()).toEqual([false, true, true, false]);
    rig.now += 10;
    rig.put('other', 'x');
    expect(expiries()).toEqual([false, true, true, true]);
  });

  test('a time beyond all numbers never comes', () => {
    const rig = Rig.serving();
    expect(rig.put('k', 'v', ttl(Number.MAX_SAFE_INTEGER))).toMatchObject({ status: Status.ok });
    expect(rig.get('k')).toMatchObject({ status: Status.record });
    rig.restart();
    expect(rig.get('k')).toMatchObject({ status: Status.record });
    const [, stored] = rig.store.dump(PREFIX).find(([key]) => key[10] === Kind.record) ?? [];
    expect(recordExpiresAt(stored as Uint8Array)).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('a time of 0 is over at once', () => {
    const rig = Rig.serving();
    expect(rig.put('k', 'v', ttl(0))).toMatchObject({ status: Status.ok, version: 1 });
    expect(rig.get('k')).toEqual({ status: Status.absent });
  });
});

describe('range deletes', () => {
  const range = (from: string, to: string, part: Partial<Command> = {}): Partial<Command> => {
    return { op: Op.deleteRange, key: bytes(from), value: bytes(to), ...part };
  };

  test('takes [start, end) under one revision', () => {
    const rig = Rig.serving();
    for (const key of ['a', 'b', 'c', 'd']) rig.put(key, 'x');
    const next = EMPTY_BYTES;
    expect(rig.run(range('b', 'd'))).toEqual({ status: Status.rangeDeleted, version: 5, count: 2, next });
    expect(['a', 'b', 'c', 'd'].map((key) => rig.get(key).status === Status.record)).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(revisionOf(rig)).toBe(5);
  });

  test('with empty ends takes the whole shard, and no other', () => {
    const rig = Rig.serving([0, 1]);
    rig.put('a', 'x');
    rig.put('\u{10ffff}', 'x');
    rig.put('a', 'x', { shard: 1 });
    expect(rig.run(range('', ''))).toMatchObject({ count: 2, next: EMPTY_BYTES });
    expect(rig.get('a', 1)).toMatchObject({ status: Status.record });
  });

  test('stops after its count and says where to go on', () => {
    const rig = Rig.serving();
    for (const key of ['a', 'b', 'c']) rig.put(key, 'x');
    const limited = { flags: Flag.ttl, ttl: 2 };
    expect(rig.run(range('', '', limited))).toMatchObject({ count: 2, next: bytes('c') });
    expect(rig.run(range('c', '', limited))).toMatchObject({ count: 1, next: EMPTY_BYTES });
    expect(rig.run(range('', '', { flags: Flag.ttl, ttl: 0 }))).toMatchObject({
      count: 0,
      next: EMPTY_BYTES,
    });
  });

  test('takes 1,000 keys at most, whatever it was asked for', () => {
    const rig = Rig.serving();
    const key = (at: number): string => `k${String(at).padStart(4, '0')}`;
    const puts = Array.from({ length: 1001 }, (_, at) => command({ key: bytes(key(at)), seqOffset: at }));
    rig.batch(puts, { session: sessionOf(rig.now, 9) });
    const asked = { flags: Flag.ttl, ttl: 5000 };
    expect(rig.run(range('', '', asked))).toMatchObject({ count: 1000, next: bytes(key(1000)) });
    expect(rig.run(range(key(1000), '', asked))).toMatchObject({ count: 1, next: EMPTY_BYTES });
  });

  test('an empty or inverted range deletes nothing', () => {
    const rig = Rig.serving();
    rig.put('b', 'x');
    for (const [from, to] of [
      ['b', 'b'],
      ['c', 'a'],
    ] as const) {
      expect(rig.run(range(from, to))).toMatchObject({ status: Status.rangeDeleted, count: 0 });
    }
    expect(rig.get('b')).toMatchObject({ status: Status.record });
  });

  test('removes what has expired with the rest and does not count it', () => {
    const rig = Rig.serving();
    rig.put('a', 'x', { flags: Flag.ttl, ttl: 5 });
    rig.put('b', 'x');
    rig.now += 5;
    expect(rig.run(range('', ''))).toMatchObject({ count: 1 });
    expect([...rig.group.shards()][0]).toMatchObject({ recordCount: 0, recordBytes: 0 });
  });

  test('a repeat gets the first answer with its cursor', () => {
    const rig = Rig.serving();
    for (const key of ['a', 'b', 'c']) rig.put(key, 'x');
    const session = sessionOf(rig.now, 9);
    const one = [command(range('', '', { flags: Flag.ttl, ttl: 1 }))];
    const first = rig.batch(one, { session });
    expect(rig.batch(one, { session })).toEqual(first);
    expect(first[0]).toMatchObject({ count: 1, next: bytes('b') });
    expect(rig.get('b')).toMatchObject({ status: Status.record });
    rig.restart();
    expect(rig.batch(one, { session })).toEqual(first);
  });
});

describe('limits', () => {
  test('keys and values at their limits are stored', () => {
    const rig = Rig.serving();
    const key = new Uint8Array(limits.keyBytes).fill(0xff);
    const value = new Uint8Array(limits.valueBytes).fill(7);
    expect(rig.run({ op: Op.put, key, value, flags: Flag.ttl, ttl: 50 })).toMatchObject({
      status: Status.ok,
    });
    const found = rig.read({ kind: 1, key });
    expect(found).toMatchObject({ status: Status.record, version: 1 });
    expect('value' in found && found.value.length).toBe(limits.valueBytes);
  });

  test('one byte more, an empty key and unknown commands are refused and take no revision', () => {
    const rig = Rig.serving();
    const bad: Partial<Command>[] = [
      { key: new Uint8Array(limits.keyBytes + 1) },
      { value: new Uint8Array(limits.valueBytes + 1) },
      { key: EMPTY_BYTES },
      { op: 77 as Op },
      { flags: 128 },
      { op: Op.increment, value: new Uint8Array(21) },
      { op: Op.delete, value: bytes('x') },
      { shard: 99 },
    ];
    for (const part of bad) expect(rig.run(part).status).toBe(Status.refused);
    expect(revisionOf(rig)).toBe(0);
    expect([...rig.group.shards()][0]).toMatchObject({ rowCount: 0, recordCount: 0 });
  });

  test('a bad command among good ones is refused alone', () => {
    const rig = Rig.serving();
    const results = rig.batch([
      command({ key: bytes('a'), seqOffset: 0 }),
      command({ key: EMPTY_BYTES, seqOffset: 1 }),
      command({ key: bytes('b'), seqOffset: 2 }),
    ]);
    expect(results.map((result) => result.status)).toEqual([Status.ok, Status.refused, Status.ok]);
    expect(results[2]).toMatchObject({ version: 2 });
  });

  test('binary keys are kept apart byte by byte', () => {
    const rig = Rig.serving();
    const keys = [[0], [0, 0], [0xff], [0xff, 0xff], [0x80], [1, 0, 2]].map((key) => new Uint8Array(key));
    keys.forEach((key, at) => {
      rig.run({ op: Op.put, key, value: bytes(String(at)) });
    });
    keys.forEach((key, at) => {
      expect(rig.read({ kind: 1, key })).toMatchObject({ value: bytes(String(at)) });
    });
  });
});
