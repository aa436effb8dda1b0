import { UsageError } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { RaftStateError } from './config.ts';
import { MemoryStorage } from './memory-storage.ts';
import { RaftNode } from './node.ts';
import { confOf, entryOf, TEST_CONFIG, TestCluster } from './test-cluster.ts';

/** Entries 6 to 9 behind a compacted 5. */
function stored(commit: number): MemoryStorage {
  const storage = new MemoryStorage();
  storage.setConfState(confOf([1, 2, 3]));
  storage.append([1, 2, 3, 4, 5, 6, 7, 8, 9].map((index) => entryOf(index, 2)));
  storage.compact(5);
  storage.setHardState({ term: 3, vote: 2, commit });
  return storage;
}

const start = (storage: MemoryStorage, applied: number, overrides = {}): RaftNode =>
  new RaftNode({ ...TEST_CONFIG, random: () => 0, ...overrides, id: 1, storage, applied });

describe('starting from storage', () => {
  test('what was applied is committed, whatever the hard state says', () => {
    expect(start(stored(0), 7).commitIndex).toBe(7);
    expect(start(stored(8), 7).commitIndex).toBe(8);
  });

  test('a node starts as a follower with term and vote, and has nothing to say', () => {
    const node = start(stored(7), 7);
    expect([node.role, node.term, node.vote, node.leaderId, node.hasReady()]).toEqual([
      'follower',
      3,
      2,
      0,
      false,
    ]);
  });

  test('committed entries that were not applied come again, none is left out', () => {
    const node = start(stored(8), 6);
    expect(node.ready().committedEntries.map(({ index }) => index)).toEqual([7, 8]);
  });

  test('a state that no correct history leads to is a typed error: the host quarantines the replica', () => {
    expect(() => start(stored(7), 4)).toThrow(RaftStateError);
    expect(() => start(stored(7), 10)).toThrow(RaftStateError);
    expect(() => start(stored(10), 7)).toThrow(RaftStateError);
    const broken = stored(7);
    broken.setHardState({ term: 0.5, vote: 0, commit: 7 });
    expect(() => start(broken, 7)).toThrow(RaftStateError);
    broken.setHardState({ term: 3, vote: 0, commit: Number.NaN });
    expect(() => start(broken, 7)).toThrow(RaftStateError);
    broken.setHardState({ term: 3, vote: 2, commit: 7 });
    broken.setConfState(confOf([1, 2], [2]));
    expect(() => start(broken, 7)).toThrow(RaftStateError);
    expect(start(stored(5), 5).commitIndex).toBe(5);
    expect(start(stored(9), 9).appliedIndex).toBe(9);
  });

  test('settings that do not fit together are refused', () => {
    for (const overrides of [
      { electionTicks: 1 },
      { heartbeatTicks: 0 },
      { inflightMessagesMax: 0 },
      { inflightBytesMax: 10, messageBytesMax: 11 },
      { readOnly: 'lease-based' },
      { committedBytesPerReadyMax: 0 },
    ]) {
      expect(() => start(stored(7), 7, overrides)).toThrow(UsageError);
    }
  });
});

test('a whole cluster restarts and goes on with its log', () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.propose(1, 'a', 'b');
  cluster.settle();
  for (const member of cluster.members.values()) member.restart();
  cluster.elect(2);
  cluster.propose(2, 'c');
  cluster.settle();
  for (const member of cluster.members.values()) expect(member.appliedTexts()).toEqual(['a', 'b', 'c']);
});

test('an idle group asks for nothing, and restarted timers begin at zero', () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  expect([1, 2, 3].map((id) => cluster.node(id).hasReady())).toEqual([false, false, false]);
  cluster.tick(1, 5);
  cluster.settle();
  leader.restartTimers();
  expect(leader.electionElapsed).toBe(0);
});

test('the status of a leader shows its members, that of others does not', () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  const status = cluster.node(1).status();
  expect([...status.progress.keys()]).toEqual([1, 2, 3]);
  expect(status).toMatchObject({ role: 'leader', commitIndex: 1, appliedIndex: 1, transferee: 0 });
  expect(cluster.node(2).status().progress.size).toBe(0);
});
