import { Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import type { ReadBatch } from './machine.ts';
import { ReadDesk } from './read-desk.ts';
import { ReadQueue } from './read-queue.ts';
import { LeaseReader } from './reads.ts';
import type { Replica } from './replica.ts';
import { hostTuning } from './tuning.ts';

/** A desk whose leader needs 10 ms for each batch, so that a turn answers only one. */
function slowDesk() {
  let now = 1_000;
  const reader = new LeaseReader({
    tuning: hostTuning,
    now: () => now,
    observe: () => 0,
    guard: (_replica, work) => work(),
  });
  const replica = {
    raftId: 1,
    isServing: true,
    isLeader: true,
    applied: { index: 5, term: 1 },
    raft: { term: 1, leaderId: 1, commitIndex: 5, firstCommitOfTermDone: true },
    lease: { quorumStamp: () => now },
    voterSets: () => [[1, 2, 3], []],
    reads: new ReadQueue(1, new Prng(1)),
  } as unknown as Replica;
  const ends: string[] = [];
  const read = (): ReadBatch => ({
    evaluate: () => {
      now += 10;
    },
    deliver: () => ends.push('told'),
    refused: () => ends.push('refused'),
    expired: () => false,
  });
  return { desk: new ReadDesk(reader, hostTuning), replica, read, ends };
}

test('reads that a long turn leaves over are a reason for another turn', () => {
  const { desk, replica, read, ends } = slowDesk();
  for (let count = 0; count < 2; count++) desk.add(replica, read());
  desk.answer();
  expect([ends, desk.hasMore]).toEqual([['told'], true]);
  desk.answer();
  expect([ends, desk.hasMore]).toEqual([['told', 'told'], false]);
});

test('reads that a long turn leaves over are a reason for nothing once their replica has ended', () => {
  const { desk, replica, read, ends } = slowDesk();
  for (let count = 0; count < 2; count++) desk.add(replica, read());
  desk.answer();
  desk.drop(replica);
  desk.answer();
  expect([ends, desk.hasMore]).toEqual([['told', 'refused'], false]);
});
