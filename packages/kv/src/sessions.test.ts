import { utf8Decode } from '@flotilla/base';
import { type Command, Flag, Op, type Result, Status, sessionLimits } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { bytes, command, Rig, sessionOf } from './testing/rig.ts';

// Sessions and time as specified in section 7 of the move protocol. `a1` is seq 1 of session `a`.

const { life, use, retry, skewMax, window } = sessionLimits;

function append(text: string, part: Partial<Command> = {}): Command {
  return command({ op: Op.append, key: bytes('x'), value: bytes(text), ...part });
}

function text(rig: Rig, key = 'x', shard = 0): string {
  const found = rig.get(key, shard);
  return 'value' in found ? utf8Decode(found.value) : '';
}

function only(results: readonly Result[]): Result {
  expect(results).toHaveLength(1);
  return results[0] as Result;
}

function shardOf(rig: Rig): unknown {
  return [...rig.group.shards()][0];
}

describe('exactly once', () => {
  test('a repeat gets the first answer and changes nothing', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    const first = only(rig.batch([append('1')], { session }));
    const before = rig.dump();
    expect(only(rig.batch([append('1')], { session }))).toEqual(first);
    expect(text(rig)).toBe('1');
    expect(rig.dump()).toEqual(before);
  });

  test('a repeat gets the first answer after a restart and after other writes', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    const first = only(rig.batch([append('1')], { session }));
    rig.restart();
    rig.put('x', 'other');
    expect(only(rig.batch([append('1')], { session }))).toEqual(first);
    expect(text(rig)).toBe('other');
  });

  test('every kind of kept result comes back as it was', () => {
    const rig = Rig.serving();
    rig.put('x', 'text');
    rig.put('n', '9223372036854775807');
    rig.put('long', 'x'.repeat(1_048_576));
    const session = sessionOf(rig.now, 5);
    const one: Command[] = [
      command({ key: bytes('p'), value: bytes('v') }),
      command({ key: bytes('x'), flags: Flag.ifVersion, version: 77, seqOffset: 1 }),
      command({ op: Op.increment, key: bytes('x'), value: bytes('1'), seqOffset: 2 }),
      command({ op: Op.increment, key: bytes('n'), value: bytes('1'), seqOffset: 3 }),
      command({ op: Op.append, key: bytes('long'), value: bytes('1'), seqOffset: 4 }),
      command({ op: Op.increment, key: bytes('m'), value: bytes('42'), seqOffset: 5 }),
      command({ op: Op.deleteRange, key: bytes(''), flags: Flag.ttl, ttl: 1, seqOffset: 6 }),
      command({ op: Op.delete, key: bytes('nothing'), seqOffset: 7 }),
    ];
    const first = rig.batch(one, { session });
    expect(first.map((result) => result.status)).toEqual([
      Status.ok,
      Status.conflict,
      Status.notANumber,
      Status.overflow,
      Status.tooLarge,
      Status.ok,
      Status.rangeDeleted,
      Status.ok,
    ]);
    expect(rig.batch(one, { session })).toEqual(first);
    rig.restart();
    expect(rig.batch(one, { session })).toEqual(first);
    expect(rig.batch([...one].reverse(), { session })).toEqual([...first].reverse());
  });

  test('a failed condition is remembered: its repeat is not executed when it would hold by now', () => {
    const rig = Rig.serving();
    rig.put('x', 'there');
    const session = sessionOf(rig.now, 5);
    const one = [append('1', { flags: Flag.ifAbsent })];
    expect(only(rig.batch(one, { session }))).toEqual({ status: Status.conflict, version: 1 });
    rig.run({ op: Op.delete, key: bytes('x') });
    expect(only(rig.batch(one, { session }))).toEqual({ status: Status.conflict, version: 1 });
    expect(rig.get('x')).toEqual({ status: Status.absent });
  });

  test('a value that was no number is remembered too', () => {
    const rig = Rig.serving();
    rig.put('x', 'text');
    const session = sessionOf(rig.now, 5);
    const one = [command({ op: Op.increment, key: bytes('x'), value: bytes('1') })];
    expect(only(rig.batch(one, { session }))).toEqual({ status: Status.notANumber });
    rig.put('x', '1');
    expect(only(rig.batch(one, { session }))).toEqual({ status: Status.notANumber });
    expect(text(rig)).toBe('1');
  });

  test('seqs of one session arrive in any order', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    for (const offset of [3, 1, 4, 0, 2])
      rig.batch([append(String(offset), { seqOffset: offset })], { session });
    expect(text(rig)).toBe('31402');
    for (const offset of [0, 1, 2, 3, 4])
      rig.batch([append(String(offset), { seqOffset: offset })], { session });
    expect(text(rig)).toBe('31402');
  });

  test('seqs of one session go to many shards, each with a row of its own', () => {
    const rig = Rig.serving([0, 1]);
    const session = sessionOf(rig.now);
    const both = [append('1'), append('2', { shard: 1, seqOffset: 1 })];
    const first = rig.batch(both, { session });
    expect(rig.batch(both, { session })).toEqual(first);
    expect([text(rig, 'x', 0), text(rig, 'x', 1)]).toEqual(['1', '2']);
  });

  test('sessions that differ in their random bits only are different', () => {
    const rig = Rig.serving();
    rig.batch([append('1')], { session: sessionOf(rig.now, 1) });
    rig.batch([append('2')], { session: sessionOf(rig.now, 2) });
    expect(text(rig)).toBe('12');
  });
});

describe('the floor', () => {
  test('a delayed copy below the floor is not executed again after its result went', () => {
    // Seq 1 executed and answered; floor 2 arrives, the result goes; the copy of seq 1 comes late.
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    rig.batch([append('1')], { session, floor: 1 });
    rig.batch([append('2')], { session, floor: 2 });
    expect(only(rig.batch([append('1')], { session, floor: 1 }))).toEqual({ status: Status.belowFloor });
    expect(text(rig)).toBe('12');
  });

  test('the floor outlives the results below it, and a restart', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    rig.batch([append('2')], { session, floor: 2 });
    rig.batch([append('9')], { session, floor: 9 });
    rig.restart();
    for (const floor of [1, 2, 8]) {
      expect(only(rig.batch([append('late')], { session, floor }))).toEqual({ status: Status.belowFloor });
    }
    expect(text(rig)).toBe('29');
  });

  test('a command that was never executed is not executed below the floor either', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    rig.batch([append('7')], { session, floor: 7 });
    expect(only(rig.batch([append('3')], { session, floor: 3 }))).toEqual({ status: Status.belowFloor });
  });

  test('a kept result is answered although the batch that asks has a lower floor', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    const first = only(rig.batch([append('5')], { session, floor: 5 }));
    expect(only(rig.batch([append('5', { seqOffset: 4 })], { session, floor: 1 }))).toEqual(first);
    // The lower floor did not lower the row's.
    expect(only(rig.batch([append('4')], { session, floor: 4 }))).toEqual({ status: Status.belowFloor });
  });

  test('a refusal does not raise the floor', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    rig.batch([append('1')], { session, floor: 1 });
    const refused = rig.batch([append('bad', { epoch: 9 }), append('x', { key: bytes('') })], {
      session,
      floor: 50,
    });
    expect(refused.map((result) => result.status)).toEqual([Status.wrongGroup, Status.refused]);
    expect(only(rig.batch([append('2')], { session, floor: 2 }))).toMatchObject({ status: Status.ok });
  });

  test('the last seq of the window is taken, the next one is not', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    const last = append('l', { seqOffset: window - 1 });
    expect(only(rig.batch([last], { session }))).toMatchObject({ status: Status.ok });
    const next = append('n', { seqOffset: window });
    expect(only(rig.batch([next], { session }))).toEqual({ status: Status.badSession });
    expect(text(rig)).toBe('l');
  });

  test('a window full of results is kept and answered from, also after a restart', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    const all = Array.from({ length: window }, (_, at) => append('.', { seqOffset: at }));
    const first = rig.batch(all, { session });
    rig.restart();
    expect(rig.batch(all, { session })).toEqual(first);
    expect(text(rig)).toBe('.'.repeat(window));
    rig.batch([append('!')], { session, floor: window });
    expect(rig.batch(all.slice(-1), { session })).toEqual([{ status: Status.belowFloor }]);
  });
});

describe('the life of a session', () => {
  test('a session may be opened ahead of the log by the largest skew, and no more', () => {
    const rig = Rig.serving();
    const ahead = rig.batch([append('1')], { session: sessionOf(rig.now + skewMax) });
    expect(only(ahead)).toMatchObject({ status: Status.ok });
    const tooFar = rig.batch([append('2')], { session: sessionOf(rig.now + skewMax + 1) });
    expect(only(tooFar)).toEqual({ status: Status.badSession });
    expect(text(rig)).toBe('1');
  });

  test('a session lives up to its last ms, and is expired at L with and without a row', () => {
    const rig = Rig.serving();
    const openedAt = rig.now;
    const session = sessionOf(openedAt);
    rig.now = openedAt + life - 1;
    expect(only(rig.batch([append('1')], { session }))).toMatchObject({ status: Status.ok });
    rig.now = openedAt + life;
    const late = { status: Status.sessionExpired };
    expect(only(rig.batch([append('1')], { session }))).toEqual(late);
    expect(only(rig.batch([append('2')], { session: sessionOf(openedAt, 2) }))).toEqual(late);
    rig.time([{ shard: 0, items: 10 }]);
    expect(shardOf(rig)).toMatchObject({ rowCount: 0 });
    expect(only(rig.batch([append('1')], { session }))).toEqual(late);
    expect(text(rig)).toBe('1');
  });

  test('a row stays while its session is young, however long ago it was used', () => {
    // Opened ahead of the log, executed; L after that execution the session is still young.
    const rig = Rig.serving();
    const executedAt = rig.now;
    const session = sessionOf(executedAt + skewMax);
    const first = only(rig.batch([append('1')], { session }));
    rig.now = executedAt + life;
    rig.time([{ shard: 0, items: 10 }]);
    expect(shardOf(rig)).toMatchObject({ rowCount: 1 });
    expect(only(rig.batch([append('1')], { session }))).toEqual(first);
    expect(text(rig)).toBe('1');
    rig.now = executedAt + skewMax + life;
    rig.time([{ shard: 0, items: 10 }]);
    expect(shardOf(rig)).toMatchObject({ rowCount: 0 });
    expect(only(rig.batch([append('1')], { session }))).toEqual({ status: Status.sessionExpired });
  });

  test('a live write is not expired when every clock is as wrong as allowed', () => {
    // Issued by a store whose clock is behind by the skew, last retried under a leader ahead by it.
    const rig = Rig.serving();
    const opened = rig.now;
    const session = sessionOf(opened - skewMax);
    rig.now = opened + use;
    expect(only(rig.batch([append('1')], { session }))).toMatchObject({ status: Status.ok });
    rig.now = opened + use + retry + skewMax;
    expect(only(rig.batch([append('1')], { session }))).toMatchObject({ status: Status.ok });
    expect(text(rig)).toBe('1');
  });

  test('a shard takes 65,536 rows and not one more', () => {
    const rig = Rig.serving();
    const rows = sessionLimits.rowsPerShard;
    const known = sessionOf(rig.now, 1);
    rig.batch([append('1')], { session: known });
    rig.rewriteShard(0, (shard) => {
      shard.rowCount = rows - 1;
    });
    const last = only(rig.batch([append('2')], { session: sessionOf(rig.now, 2) }));
    expect(last).toMatchObject({ status: Status.ok });
    expect(shardOf(rig)).toMatchObject({ rowCount: rows });

    const late = sessionOf(rig.now + 1, 3);
    const full = only(rig.batch([append('3')], { session: late }));
    expect(full).toMatchObject({ status: Status.tooManySessions });
    expect('retryAfterMs' in full && full.retryAfterMs).toBeGreaterThan(0);
    // Those that have a row go on, repeats too; the refusal changed nothing.
    expect(only(rig.batch([append('1')], { session: known }))).toMatchObject({ version: 1 });
    expect(only(rig.batch([append('4')], { session: known, floor: 1 }))).toMatchObject({ version: 3 });
    expect(text(rig)).toBe('124');
    rig.restart();
    expect(only(rig.batch([append('3')], { session: late }))).toEqual(full);
    // Room comes with time.
    rig.now += life;
    rig.time([{ shard: 0, items: 1 }]);
    expect(only(rig.batch([append('5')], { session: late }))).toMatchObject({ status: Status.ok });
    const next = only(rig.batch([append('6')], { session: sessionOf(rig.now, 4) }));
    expect(next).toMatchObject({ status: Status.tooManySessions });
  });
});

describe('the order of the checks', () => {
  test('ownership comes before everything that a session or a limit could say', () => {
    const rig = Rig.serving();
    const part = { epoch: 2, key: bytes(''), seqOffset: window };
    const session = sessionOf(rig.now + life);
    expect(only(rig.batch([append('1', part)], { session }))).toEqual({
      status: Status.wrongGroup,
      gid: 7,
      epoch: 1,
    });
  });

  test('limits come before the session', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now + life);
    expect(only(rig.batch([append('1', { key: bytes('') })], { session })).status).toBe(Status.refused);
  });

  test('an expired session is expired although its result is kept', () => {
    const rig = Rig.serving();
    const session = sessionOf(rig.now);
    rig.batch([append('1')], { session });
    rig.now += life;
    expect(only(rig.batch([append('1')], { session }))).toEqual({ status: Status.sessionExpired });
  });

  test('nothing but an execution leaves a row', () => {
    const rig = Rig.serving();
    const before = rig.dump();
    rig.batch([append('1', { epoch: 5 })], { session: sessionOf(rig.now, 1) });
    rig.batch([append('1', { key: bytes('') })], { session: sessionOf(rig.now, 2) });
    rig.batch([append('1')], { session: sessionOf(rig.now + skewMax + 1, 3) });
    rig.batch([append('1', { seqOffset: window })], { session: sessionOf(rig.now, 5) });
    expect(rig.dump()).toEqual(before);
    const past = Rig.serving();
    past.now = 2 * life;
    past.batch([append('1')], { session: sessionOf(past.now - life, 4) });
    expect(shardOf(past)).toMatchObject({ rowCount: 0, revision: 0 });
  });
});
