import { type GroupName, Writer, Xxh64 } from '@flotilla/base';
import type { LogStore, LogWrite } from '@flotilla/ports';
import type { MemoryLogStore } from '@flotilla/storage';
import { describe, expect, test } from 'vitest';
import { ConsensusChecker } from '../checkers/consensus.ts';
import { ContentLedger } from '../checkers/content-ledger.ts';
import { DiskLosses } from './disk-losses.ts';
import { StateDigests } from './state-digests.ts';
import { hostRecordKey } from './state-keys.ts';
import { StoreWatch } from './store-watch.ts';

const group: GroupName = { gid: 1, incarnation: 7 };
const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

function pointsAt(generation: number, removed = false, raftId = 1): LogWrite {
  return {
    group,
    replica: { group, raftId, generation, start: { index: 0, term: 0, confState }, removed },
  };
}

/** A store whose log points durably at generation 1. */
function watched(): StoreWatch {
  const watch = new StoreWatch(new ConsensusChecker(new Xxh64()), new ContentLedger(), 's1');
  watch.opens({ replicas: () => [], damaged: () => [] } as unknown as LogStore);
  watch.logWrites([pointsAt(1)], 1);
  watch.logSynced(1);
  return watch;
}

/** All keys from those of a generation up to those of another one. */
function releases(watch: StoreWatch, first: number, end: number = first + 1): () => void {
  const [from, to] = [first, end].map((each) => hostRecordKey(group, each).subarray(0, 16));
  return () => watch.stateReleases(from as Uint8Array, to as Uint8Array);
}

describe('the state of a replica is given up', () => {
  test('not while the log points at it, also where it is about to point elsewhere', () => {
    const watch = watched();
    expect(releases(watch, 1)).toThrow('gives up its state of generation 1, which its log needs');
    watch.logWrites([pointsAt(2)], 2);
    expect(releases(watch, 1)).toThrow('generation 1');
    watch.logSynced(2);
    expect(releases(watch, 1)).not.toThrow();
    expect(releases(watch, 2)).toThrow('generation 2');
  });

  test('when its tombstone is durable, and not before', () => {
    const watch = watched();
    watch.logWrites([pointsAt(0, true)], 2);
    const whole = releases(watch, 0, 9);
    expect(whole).toThrow('generation 1');
    watch.logSynced(2);
    expect(whole).not.toThrow();
  });

  test('at once where no log ever pointed at it', () => {
    expect(releases(watched(), 5)).not.toThrow();
  });

  test('in part at any time: its copies of shards are the business of the state machine', () => {
    const head = Uint8Array.of(...hostRecordKey(group, 1).subarray(0, 16), 1, 0, 3);
    expect(() => watched().stateReleases(head, Uint8Array.of(...head, 255))).not.toThrow();
  });
});

describe('the states of two replicas at one index', () => {
  const checker = new ConsensusChecker(new Xxh64());
  const record = hostRecordKey(group, 1);

  /** A store that has applied one entry, and what it made of it. */
  function commits(store: string, losses: DiskLosses, value: string, ...more: Uint8Array[]): () => void {
    const watch = new StoreWatch(checker, new ContentLedger(), store, losses);
    watch.opens({ replicas: () => [], damaged: () => [] } as unknown as LogStore);
    watch.logWrites([pointsAt(1, false, Number(store.slice(1)))], 1);
    const digests = new StateDigests();
    const applied = new Writer();
    applied.u8(1);
    applied.u53(1);
    digests.change(record, undefined, applied.finish());
    const item = Uint8Array.of(...record.subarray(0, 16), 1, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 9);
    digests.change(item, undefined, new TextEncoder().encode(value));
    for (const key of more) digests.change(key, undefined, Uint8Array.of(1));
    return () => watch.stateCommits(digests);
  }

  test('are the same, also where a disk may have lost something, unless that replica has stopped', () => {
    const losses = new DiskLosses();
    losses.loseAll({ replicas: () => [{ group }] } as unknown as MemoryLogStore);
    expect(commits('s1', new DiskLosses(), 'one')).not.toThrow();
    expect(commits('s2', losses, 'one')).not.toThrow();
    expect(commits('s3', losses, 'other')).toThrow('differ');
    expect(commits('s4', losses, 'half', Uint8Array.of(...record, 1))).not.toThrow();
  });
});
