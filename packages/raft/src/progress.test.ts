import { expect, test } from 'vitest';
import { Progress } from './progress.ts';

function progressOf(match: number, next: number): Progress {
  return new Progress(2, false, match, next, true, 3, 1_000);
}

test('a probe pauses after a message with entries, not after an empty one', () => {
  const progress = progressOf(0, 5);
  progress.noteSent(0, 0);
  expect(progress.paused).toBe(false);
  progress.noteSent(2, 20);
  expect([progress.paused, progress.next]).toEqual([true, 5]);
});

test('a stale rejection of a probe is ignored: only the one of the last probe counts', () => {
  const progress = progressOf(2, 8);
  expect(progress.retreat(9, 3)).toBe(false);
  expect(progress.retreat(6, 3)).toBe(false);
  expect(progress.next).toBe(8);
  expect(progress.retreat(7, 4)).toBe(true);
  expect(progress.next).toBe(5);
});

test('a rejection never moves the next index to or below what matches', () => {
  const progress = progressOf(5, 8);
  expect(progress.retreat(7, 1)).toBe(true);
  expect(progress.next).toBe(6);
});

test('a stale rejection while replicating is ignored: the logs are known to agree there', () => {
  const progress = progressOf(5, 6);
  progress.becomeReplicate();
  progress.noteSent(3, 30);
  expect(progress.retreat(5, 2)).toBe(false);
  expect([progress.state, progress.next]).toEqual(['replicate', 9]);
  expect(progress.retreat(6, 2)).toBe(true);
  expect(progress.next).toBe(6);
});

test('acknowledgements that bring nothing new are recognized', () => {
  const progress = progressOf(5, 6);
  progress.flowPaused = true;
  expect(progress.advance(5)).toBe(false);
  expect(progress.paused).toBe(true);
  expect(progress.advance(7)).toBe(true);
  expect([progress.match, progress.next, progress.paused]).toEqual([7, 8, false]);
});

test('replication runs ahead of the answers until the window is full', () => {
  const progress = progressOf(5, 6);
  progress.becomeReplicate();
  for (let sent = 0; sent < 3; sent++) {
    expect(progress.paused).toBe(false);
    progress.noteSent(2, 10);
  }
  expect([progress.next, progress.paused, progress.inflights.full]).toEqual([12, true, true]);
});

test('an empty message into a full window pauses again, so that one goes per heartbeat answer', () => {
  const progress = progressOf(5, 6);
  progress.becomeReplicate();
  for (let sent = 0; sent < 3; sent++) progress.noteSent(1, 10);
  progress.flowPaused = false;
  progress.noteSent(0, 0);
  expect(progress.paused).toBe(true);
});

test('after a snapshot probing goes on behind it, after a failed one where the logs matched', () => {
  const done = progressOf(2, 3);
  done.becomeSnapshot(20);
  expect([done.paused, done.next, done.sentCommit]).toEqual([true, 21, 20]);
  done.becomeProbe();
  expect([done.state, done.next, done.pendingSnapshot]).toEqual(['probe', 21, 0]);
  const failed = progressOf(2, 3);
  failed.becomeSnapshot(20);
  failed.pendingSnapshot = 0;
  failed.becomeProbe();
  expect(failed.next).toBe(3);
});

test('a commit index is worth a message only if it lets the member commit more of what it was sent', () => {
  const progress = progressOf(0, 6);
  progress.sentCommit = 3;
  expect(progress.wantsCommit(3)).toBe(false);
  expect(progress.wantsCommit(4)).toBe(true);
  // It knows that everything it was sent is committed: a higher index tells it nothing.
  progress.sentCommit = 5;
  expect(progress.wantsCommit(9)).toBe(false);
});

test('a retreat takes back the commit index that lost messages may have told', () => {
  const probing = progressOf(2, 9);
  probing.sentCommit = 8;
  probing.retreat(8, 3);
  expect([probing.next, probing.sentCommit]).toEqual([4, 3]);
  const replicating = progressOf(2, 3);
  replicating.becomeReplicate();
  replicating.noteSent(6, 6);
  replicating.sentCommit = 8;
  replicating.retreat(8, 3);
  expect([replicating.next, replicating.sentCommit]).toEqual([3, 2]);
});

test('what was told in messages that are taken as lost was not told (probing after replication)', () => {
  const progress = progressOf(2, 3);
  progress.becomeReplicate();
  progress.noteSent(6, 6);
  progress.sentCommit = 8;
  progress.becomeProbe();
  expect([progress.next, progress.sentCommit]).toEqual([3, 2]);
});
