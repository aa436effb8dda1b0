import { EMPTY_BYTES } from '@flotilla/base';
import { expect, test } from 'vitest';
import { confOf, entryOf, UNLIMITED } from './test-cluster.ts';
import { UnstableLog } from './unstable.ts';

function filled(): UnstableLog {
  const log = new UnstableLog(5, undefined);
  log.append([entryOf(5, 1), entryOf(6, 1), entryOf(7, 2)]);
  return log;
}

const terms = (log: UnstableLog): number[] =>
  log.slice(log.offset, log.end, UNLIMITED).map(({ term }) => term);

test('entries are handed out once', () => {
  const log = filled();
  expect(log.nextEntries().length).toBe(3);
  log.acceptInProgress();
  expect(log.hasNextEntries()).toBe(false);
  log.append([entryOf(8, 2)]);
  expect(log.nextEntries().map(({ index }) => index)).toEqual([8]);
});

test('overwriting entries that are being written hands the new ones out', () => {
  const log = filled();
  log.acceptInProgress();
  log.append([entryOf(6, 3)]);
  expect(terms(log)).toEqual([1, 3]);
  expect(log.offsetInProgress).toBe(6);
  expect(log.nextEntries().map(({ index, term }) => [index, term])).toEqual([[6, 3]]);
});

test('overwriting below the offset replaces everything, durable entries included', () => {
  const log = filled();
  log.append([entryOf(3, 4), entryOf(4, 4)]);
  expect([log.offset, log.end, log.offsetInProgress]).toEqual([3, 5, 3]);
});

test('a stable notice counts only for the very entry that was written', () => {
  const log = filled();
  log.stableTo(7, 1); // Another term: overwritten meanwhile.
  expect(log.offset).toBe(5);
  log.stableTo(9, 2); // Not here.
  expect(log.offset).toBe(5);
  log.stableTo(6, 1);
  expect([log.offset, log.count]).toEqual([7, 1]);
  log.stableTo(6, 1); // Again, late.
  expect([log.offset, log.count]).toEqual([7, 1]);
});

test('a stable notice for the index of the pending snapshot is no entry', () => {
  const log = filled();
  log.restore({ index: 9, term: 3, confState: confOf([1]), data: EMPTY_BYTES });
  expect([log.offset, log.count, log.term(9), log.term(6)]).toEqual([10, 0, 3, undefined]);
  log.stableTo(9, 3);
  expect([log.offset, log.snapshot?.index]).toEqual([10, 9]);
  log.stableSnapshotTo(8);
  expect(log.snapshot?.index).toBe(9);
  log.stableSnapshotTo(9);
  expect(log.snapshot).toBeUndefined();
});

test('a snapshot is handed out once, a newer one again', () => {
  const log = filled();
  log.restore({ index: 9, term: 3, confState: confOf([1]), data: EMPTY_BYTES });
  expect(log.nextSnapshot()?.index).toBe(9);
  log.acceptInProgress();
  expect(log.nextSnapshot()).toBeUndefined();
  log.restore({ index: 12, term: 3, confState: confOf([1]), data: EMPTY_BYTES });
  expect(log.nextSnapshot()?.index).toBe(12);
});

test('a long queue keeps its entries while it is cut at both ends', () => {
  const log = new UnstableLog(1, undefined);
  let end = 1;
  for (let round = 0; round < 300; round++) {
    log.append(Array.from({ length: 5 }, () => entryOf(end++, 1)));
    log.stableTo(end - 3 - (round % 7), 1);
    for (let index = log.offset; index < log.end; index++) {
      expect(log.slice(index, index + 1, 1)[0]?.index).toBe(index);
    }
    expect(log.end).toBe(end);
  }
});
