import { Prng } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import type { ReadBatch } from './machine.ts';
import { ReadQueue } from './read-queue.ts';
import { LeaseReader } from './reads.ts';
import type { Replica } from './replica.ts';
import { hostTuning } from './tuning.ts';

/** A leader with a lease that ends when told, and the index that each read saw. */
function leader() {
  const seen: number[] = [];
  const delivered: number[] = [];
  const asked: Uint8Array[] = [];
  let stamp = 1_000;
  let afterLastValue = (): void => {};
  const replica = {
    raftId: 1,
    isServing: true,
    isLeader: true,
    applied: { index: 5, term: 1 },
    raft: {
      term: 1,
      leaderId: 1,
      commitIndex: 5,
      firstCommitOfTermDone: true,
      readIndex: (context: Uint8Array) => asked.push(context),
    },
    lease: { quorumStamp: () => stamp },
    voterSets: () => [[1, 2, 3], []],
    reads: new ReadQueue(1, new Prng(1)),
  };
  const reader = new LeaseReader({
    tuning: hostTuning,
    now: () => 1_050,
    observe: () => {
      if (seen.length > 0) afterLastValue();
      return 0;
    },
    guard: (_replica, work) => work(),
  });
  const read = (): void => {
    let value = -1;
    const batch: ReadBatch = {
      evaluate: () => {
        value = replica.applied.index;
        seen.push(value);
      },
      deliver: () => delivered.push(value),
      refused: () => delivered.push(-1),
      expired: () => false,
    };
    replica.reads.fresh.push(batch);
  };
  return {
    replica,
    asked,
    delivered,
    read,
    run: () => reader.run([replica as unknown as Replica]),
    loseLease: () => {
      stamp = 0;
    },
    gainLease: () => {
      stamp = 1_000;
    },
    afterLast: (what: () => void) => {
      afterLastValue = what;
    },
  };
}

describe('reads on the lease of a leader', () => {
  test('are answered at once when the state contains all that is committed', () => {
    const { run, read, delivered, replica } = leader();
    read();
    expect(run()).toBe(false);
    expect(delivered).toEqual([5]);
    expect(replica.reads.isIdle).toBe(true);
  });

  test('wait for what was committed when they came: a follower may have shown it already', () => {
    const { run, read, delivered, replica } = leader();
    replica.raft.commitIndex = 7;
    read();
    run();
    replica.applied.index = 6;
    // What is committed after a read came need not be in its value.
    replica.raft.commitIndex = 9;
    read();
    run();
    expect(delivered).toEqual([]);
    expect(replica.reads.isIdle).toBe(false);
    replica.applied.index = 7;
    run();
    expect(delivered).toEqual([7]);
    replica.applied.index = 9;
    run();
    expect(delivered).toEqual([7, 9]);
    expect(replica.reads.isIdle).toBe(true);
  });

  test('are not told when the leadership is over after the last value, or is another one', () => {
    for (const change of [{ isServing: false }, { raft: { ...leader().replica.raft, term: 2 } }]) {
      const { run, read, delivered, replica, afterLast } = leader();
      read();
      afterLast(() => Object.assign(replica, change));
      run();
      expect(delivered).toEqual([]);
    }
  });

  test('ask for a confirmation when the lease ends while they wait', () => {
    const { run, read, delivered, replica, loseLease, asked } = leader();
    replica.raft.commitIndex = 7;
    read();
    run();
    loseLease();
    replica.applied.index = 7;
    expect(run()).toBe(true);
    expect(delivered).toEqual([]);
    replica.reads.confirm(asked[0] as Uint8Array, 7);
    run();
    expect(delivered).toEqual([7]);
  });

  test('ask the same once more when no answer comes in time, and nobody where nobody leads', () => {
    const { run, read, delivered, replica, loseLease, asked } = leader();
    loseLease();
    read();
    run();
    replica.reads.retry(1_050);
    expect(run()).toBe(true);
    expect(asked).toEqual([asked[0], asked[0]]);
    replica.reads.retry(1_050);
    Object.assign(replica, { isServing: false, isLeader: false });
    replica.raft.leaderId = 0;
    expect(run()).toBe(false);
    expect(delivered).toEqual([-1]);
  });

  test('are answered on the lease when that is back before a late answer', () => {
    const { run, read, delivered, replica, loseLease, gainLease } = leader();
    loseLease();
    read();
    run();
    replica.reads.retry(1_050);
    gainLease();
    run();
    expect(delivered).toEqual([5]);
    expect(replica.reads.isIdle).toBe(true);
  });
});
