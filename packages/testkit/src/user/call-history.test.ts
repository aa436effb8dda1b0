import { utf8Encode } from '@flotilla/base';
import { Flag, Op, type Result, Status } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { CheckFailure } from '../checkers/failure.ts';
import type { Call } from '../checkers/history.ts';
import { PassingWrite, SimRead, SimWrite } from '../workload/calls.ts';
import { EventLog } from '../world/event-log.ts';
import { CallHistory } from './call-history.ts';

// Answers are made up here, since a store that works gives no wrong ones.

function historyOf(): CallHistory {
  return new CallHistory(new EventLog(() => 0), () => 0);
}

const ok = (version: number, value = ''): Partial<Result> => ({
  status: Status.ok,
  version,
  value: utf8Encode(value),
});

const found = (version: number, value: string): Partial<Result> => ({
  status: Status.record,
  version,
  createVersion: 1,
  value: utf8Encode(value),
});

function answer(operation: SimWrite | SimRead, result: Partial<Result>): void {
  operation.result = result as Result;
  operation.settled();
}

function write(history: CallHistory, key: string, call: Exclude<Call, { kind: 'get' }>, flags = 0): SimWrite {
  const made = new SimWrite(key, call, 0, () => {});
  made.flags |= flags;
  history.watch('c1', made);
  return made;
}

function read(history: CallHistory, key: string, result: Partial<Result>): void {
  const made = new SimRead(key, 0, () => {});
  history.watch('c1', made);
  answer(made, result);
}

describe('a history of calls', () => {
  test('a read of what was overwritten before it was called is found', () => {
    const history = historyOf();
    answer(write(history, 'k', { kind: 'put', value: 'old' }), ok(1));
    answer(write(history, 'k', { kind: 'put', value: 'new' }), ok(2));
    history.check();
    read(history, 'k', found(1, 'old'));
    expect(() => history.check()).toThrow(CheckFailure);
  });

  test('a write without an answer may have happened, or not', () => {
    const history = historyOf();
    answer(write(history, 'k', { kind: 'put', value: 'old' }), ok(1));
    write(history, 'k', { kind: 'put', value: 'new' });
    read(history, 'k', found(1, 'old'));
    read(history, 'k', found(2, 'new'));
    history.check();
    read(history, 'k', found(1, 'old'));
    expect(() => history.check()).toThrow('no order of the operations');
  });

  test('bytes that are no text are told apart', () => {
    const history = historyOf();
    const put = write(history, 'k', { kind: 'put', value: '' });
    const other = new SimWrite('k', { kind: 'put', value: '' }, 0, () => {});
    other.value = Uint8Array.of(0xfe);
    history.watch('c1', other);
    answer(put, ok(1));
    answer(other, ok(2));
    const byte = (value: number): Partial<Result> => ({ ...found(2, ''), value: Uint8Array.of(value) });
    read(history, 'k', byte(0xfe));
    history.check();
    read(history, 'k', byte(0xff));
    expect(() => history.check()).toThrow(CheckFailure);
  });

  test('the result of an increment counts, and a wrong one is found', () => {
    const history = historyOf();
    answer(write(history, 'n', { kind: 'increment', delta: 2 }), ok(1, '2'));
    history.check();
    answer(write(history, 'n', { kind: 'increment', delta: 2 }), ok(2, '5'));
    expect(() => history.check()).toThrow(CheckFailure);
  });

  test('keys that a register cannot explain are left out, and only those', () => {
    const history = historyOf();
    const passing = new PassingWrite('passing', 'v', 10, 0, () => {});
    history.watch('c1', passing);
    read(history, 'passing', { status: Status.absent });
    answer(
      write(history, 'both', { kind: 'put', value: 'x', condition: { kind: 'absent' } }, Flag.ifValue),
      ok(1),
    );
    read(history, 'both', found(9, 'anything'));
    answer(write(history, 'r/1', { kind: 'put', value: 'x' }), ok(1));
    const deletion = new SimWrite('r/', { kind: 'put', value: 'r0' }, 0, () => {});
    deletion.op = Op.deleteRange;
    history.watch('c1', deletion);
    read(history, 'r/1', { status: Status.absent });
    history.check();
    answer(write(history, 'r1', { kind: 'put', value: 'x' }), ok(5));
    read(history, 'r1', { status: Status.absent });
    expect(() => history.check()).toThrow('key r1');
  });
});
