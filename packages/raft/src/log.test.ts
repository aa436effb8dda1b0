import { EMPTY_BYTES, InvariantError } from '@flotilla/base';
import { expect, test } from 'vitest';
import { RaftLog } from './log.ts';
import { MemoryStorage } from './memory-storage.ts';
import { entryBytes } from './storage.ts';
import { confOf, entryOf, UNLIMITED } from './test-cluster.ts';

/** Entries 4 to 6 in storage (3 is compacted), 7 to 9 unstable; terms 1 1 2 | 2 3 3. */
function sample(applyingBytesMax: number = UNLIMITED): RaftLog {
  const storage = new MemoryStorage();
  storage.append([1, 2, 3, 4, 5, 6].map((index) => entryOf(index, index < 6 ? 1 : 2, 'x')));
  storage.compact(3);
  const log = new RaftLog(storage, 4, 4, applyingBytesMax, undefined);
  log.append([entryOf(7, 2, 'x'), entryOf(8, 3, 'x'), entryOf(9, 3, 'x')]);
  return log;
}

const indexes = (entries: readonly { readonly index: number }[] | undefined): number[] | undefined =>
  entries?.map(({ index }) => index);

test('terms are known from the compacted entry to the last one', () => {
  const log = sample();
  const known = [2, 3, 4, 6, 7, 9, 10].map((index) => log.term(index));
  expect(known).toEqual([undefined, 1, 1, 2, 2, 3, undefined]);
});

test('a slice crosses from storage into the unstable part and keeps to its size', () => {
  const log = sample();
  const size = entryBytes(entryOf(1, 1, 'x'));
  expect(indexes(log.slice(4, 10, UNLIMITED))).toEqual([4, 5, 6, 7, 8, 9]);
  expect(indexes(log.slice(4, 10, 0))).toEqual([4]);
  expect(indexes(log.slice(5, 10, size * 2))).toEqual([5, 6]);
  expect(indexes(log.slice(5, 10, size * 3 - 1))).toEqual([5, 6]);
  expect(indexes(log.slice(5, 10, size * 3))).toEqual([5, 6, 7]);
  expect(indexes(log.slice(8, 10, size))).toEqual([8]);
  expect(log.slice(3, 10, UNLIMITED)).toBeUndefined();
});

test('an append that is contained already conflicts nowhere (paper 5.3)', () => {
  const log = sample();
  expect(log.findConflict([entryOf(7, 2), entryOf(8, 3)])).toBe(0);
  expect(log.findConflict([])).toBe(0);
  expect(log.findConflict([entryOf(9, 3), entryOf(10, 3)])).toBe(10);
  expect(log.findConflict([entryOf(7, 2), entryOf(8, 4)])).toBe(8);
});

test('a conflict hint skips every entry above the given term, and stops at what is compacted', () => {
  const log = sample();
  expect(log.findConflictByTerm(9, 2)).toEqual({ index: 7, term: 2 });
  expect(log.findConflictByTerm(9, 1)).toEqual({ index: 5, term: 1 });
  expect(log.findConflictByTerm(9, 0)).toEqual({ index: 2, term: 0 });
});

test('only an entry of the given term is committed by counting (paper 5.4.2)', () => {
  const log = sample();
  expect(log.maybeCommit(7, 3)).toBe(false);
  expect(log.maybeCommit(8, 3)).toBe(true);
  expect(log.maybeCommit(8, 3)).toBe(false);
  expect(log.maybeCommit(Number.POSITIVE_INFINITY, 3)).toBe(false);
  expect(log.committed).toBe(8);
});

test('the commit index never goes back and never passes the end', () => {
  const log = sample();
  log.commitTo(6);
  log.commitTo(5);
  expect(log.committed).toBe(6);
  expect(() => log.commitTo(10)).toThrow(InvariantError);
});

test('committed entries are never overwritten', () => {
  const log = sample();
  log.commitTo(8);
  expect(() => log.append([entryOf(8, 5)])).toThrow(InvariantError);
});

test('entries that are not durable here are applied only where the write comes first', () => {
  const log = sample();
  log.commitTo(9);
  expect(indexes(log.nextCommitted(true))).toEqual([5, 6, 7, 8, 9]);
  expect(indexes(log.nextCommitted(false))).toEqual([5, 6]);
  log.unstable.stableTo(8, 3);
  expect(log.appliableIndex(false)).toBe(8);
});

test('application is handed out in pages, and the next one waits for an acknowledgement', () => {
  const size = entryBytes(entryOf(1, 1, 'x'));
  const log = sample(size * 2);
  log.commitTo(9);
  const first = log.nextCommitted(true);
  expect(indexes(first)).toEqual([5, 6]);
  log.acceptApplying(6, size * 2, true);
  expect(log.hasNextCommitted(true)).toBe(false);
  log.appliedTo(5, size);
  expect(indexes(log.nextCommitted(true))).toEqual([7]);
  log.acceptApplying(7, size, true);
  expect(log.nextCommitted(true)).toEqual([]);
  log.appliedTo(7, size * 2);
  expect(indexes(log.nextCommitted(true))).toEqual([8, 9]);
});

test('nothing is applied while a snapshot waits for its installation', () => {
  const log = sample();
  log.commitTo(6);
  log.restore({ index: 20, term: 4, confState: confOf([1]), data: EMPTY_BYTES });
  expect([log.committed, log.firstIndex, log.lastIndex, log.lastTerm]).toEqual([20, 21, 20, 4]);
  log.append([entryOf(21, 4)]);
  log.commitTo(21);
  expect(log.hasNextCommitted(true)).toBe(false);
  log.unstable.stableSnapshotTo(20);
  log.appliedTo(20, 0);
  expect(indexes(log.nextCommitted(true))).toEqual([21]);
});

test('a log is up to date by its last term first, by its length second (paper 5.4.1)', () => {
  const log = sample();
  expect(log.isUpToDate(1, 4)).toBe(true);
  expect(log.isUpToDate(9, 3)).toBe(true);
  expect(log.isUpToDate(8, 3)).toBe(false);
  expect(log.isUpToDate(100, 2)).toBe(false);
});
