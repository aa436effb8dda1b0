import { expect, test } from 'vitest';
import { Ledger } from './ledger.ts';
import { sentWrites } from './writes.ts';

const writes = sentWrites([
  [
    { op: 'append', key: 'x', value: '1' },
    { op: 'delete', key: 'x' },
    { op: 'put', key: 'y', value: '2', ttl: 2 },
  ],
  [
    { op: 'appendIfAbsent', key: 'x', value: '3' },
    { op: 'putIfAbsent', key: 'y', value: '4', ttl: 1 },
    { op: 'deleteAll' },
  ],
]);
const [appendX, deleteX, putY, appendIfAbsent, putIfAbsent, deleteAll] = [0, 1, 2, 3, 4, 5] as const;
const keys = ['x', 'y'];

function run(...events: readonly (readonly [write: number | 'removal', now: number])[]) {
  const ledger = new Ledger(writes);
  let account = ledger.blank();
  for (const [write, now] of events) {
    account = write === 'removal' ? ledger.remove(account, now) : ledger.execute(account, write, now);
  }
  return {
    results: ledger.account(account).results,
    reads: (now: number) => ledger.reads(account, keys, now),
  };
}

test('a failed condition takes a revision and tells the version that is there', () => {
  const { results, reads } = run([appendX, 0], [appendIfAbsent, 0], [deleteX, 0]);
  expect(results[appendIfAbsent]).toBe('conflict @1');
  expect(results[deleteX]).toBe('ok @3');
  expect(reads(0)).toBe('no x, no y');
});

test('a delete of nothing tells version 0, and what comes again begins anew', () => {
  const { results, reads } = run([deleteX, 0], [appendIfAbsent, 0], [appendX, 0]);
  expect(results[deleteX]).toBe('ok @0');
  expect(reads(0)).toBe('x=31 @3 since 2, no y');
});

test('what has expired is absent for reads and conditions, before and after its removal', () => {
  const { results, reads } = run([putY, 0], ['removal', 2], [putIfAbsent, 2]);
  expect(results[putIfAbsent]).toBe('ok @3');
  expect(reads(2)).toBe('no x, y=4 @3 since 3');
  expect(reads(3)).toBe('no x, no y');
  expect(run([putY, 0], [putIfAbsent, 1]).results[putIfAbsent]).toBe('conflict @1');
  expect(run([putY, 0], [putIfAbsent, 2]).results[putIfAbsent]).toBe('ok @2');
});

test('a range delete counts what lives', () => {
  expect(run([appendX, 0], [putY, 0], [deleteAll, 1]).results[deleteAll]).toBe('deleted 2 @3');
  expect(run([appendX, 0], [putY, 0], [deleteAll, 2]).results[deleteAll]).toBe('deleted 1 @3');
});

test('accounts are equal by what happened and how far the clients are', () => {
  const ledger = new Ledger(writes);
  const begun = ledger.execute(ledger.blank(), appendX, 0);
  const on = ledger.goOn(begun, 0);
  expect(ledger.goOn(ledger.execute(ledger.blank(), appendX, 0), 0)).toBe(on);
  expect(ledger.account(on).history).toBe(ledger.account(begun).history);
  expect(on).not.toBe(begun);
  expect(ledger.account(on).places).toEqual([1, 0]);
});
