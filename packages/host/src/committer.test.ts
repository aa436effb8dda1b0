import { CorruptionError, type Entry, EntryKind, InvariantError, VirtualTime } from '@flotilla/base';
import type { LogStore, LogWrite } from '@flotilla/ports';
import { expect, test } from 'vitest';
import { type AppendWork, Committer } from './committer.ts';
import type { Replica } from './replica.ts';
import { hostTuning } from './tuning.ts';

function bench(tuning = hostTuning) {
  const commits: { readonly writes: readonly LogWrite[]; readonly done: (failure?: Error) => void }[] = [];
  const durable: (readonly AppendWork[])[] = [];
  const failures: Error[] = [];
  let refuse: Error | undefined;
  const time = new VirtualTime();
  const logStore = {
    commit: (writes: readonly LogWrite[], done: (failure?: Error) => void) => {
      if (refuse !== undefined) throw refuse;
      commits.push({ writes, done });
    },
  } as unknown as LogStore;
  const committer = new Committer({
    logStore,
    tuning,
    timers: time,
    now: () => time.monoMs(),
    durable: (work) => durable.push(work),
    failed: (cause) => failures.push(cause),
  });
  return {
    committer,
    commits,
    durable,
    failures,
    refuse: (cause: Error) => {
      refuse = cause;
    },
    wait: (ms: number) => time.advance(ms),
  };
}

function work(gid: number, bytes = 1, broken?: string): AppendWork {
  const group = { gid, incarnation: 1 };
  const entries: Entry[] = [{ index: 1, term: 1, kind: EntryKind.normal, data: new Uint8Array(bytes) }];
  return { replica: { group, broken } as unknown as Replica, write: { group, entries }, responses: [] };
}

const gidsOf = (writes: readonly LogWrite[]): number[] => writes.map((write) => write.group.gid);

test('one commit runs at a time; what comes meanwhile becomes the next, in order', () => {
  const { committer, commits, durable } = bench();
  committer.add(work(1));
  committer.start();
  committer.add(work(2));
  committer.start();
  committer.add(work(1));
  committer.start();
  expect(commits.map(({ writes }) => gidsOf(writes))).toEqual([[1]]);
  commits[0]?.done();
  expect(durable).toHaveLength(1);
  committer.start();
  expect(commits.map(({ writes }) => gidsOf(writes))).toEqual([[1], [2, 1]]);
});

test('an empty queue commits nothing, and responses alone wait for what was queued before them', () => {
  const { committer, commits, durable } = bench();
  committer.start();
  expect(commits).toHaveLength(0);
  committer.add(work(1));
  committer.start();
  committer.add({ ...work(2), write: undefined });
  committer.start();
  expect(durable).toHaveLength(0);
  commits[0]?.done();
  committer.start();
  expect(commits).toHaveLength(1);
  expect(durable.map((list) => list.length)).toEqual([1, 1]);
});

test('a commit is split in order at its limits of bytes and of writes, and one work always goes', () => {
  const byBytes = bench({ ...hostTuning, commitBytesMax: 1_000 });
  for (const bytes of [600, 300, 600, 5_000, 1]) byBytes.committer.add(work(bytes, bytes));
  for (let at = 0; at < 4; at++) {
    byBytes.committer.start();
    byBytes.commits[at]?.done();
    byBytes.wait(hostTuning.gatherMs);
  }
  expect(byBytes.commits.map(({ writes }) => gidsOf(writes))).toEqual([[600, 300], [600], [5_000], [1]]);
  const byCount = bench({ ...hostTuning, commitWritesMax: 4 });
  for (let gid = 1; gid <= 5; gid++) byCount.committer.add(work(gid));
  for (let at = 0; at < 3; at++) {
    byCount.committer.start();
    byCount.commits[at]?.done();
  }
  expect(byCount.commits.map(({ writes }) => gidsOf(writes))).toEqual([[1, 2], [3, 4], [5]]);
});

test('how long a commit is pending is counted from its own start', () => {
  const { committer, commits, wait } = bench();
  wait(100);
  expect(committer.pendingMs(100)).toBe(0);
  committer.add(work(1));
  committer.start();
  expect(committer.pendingMs(350)).toBe(250);
  commits[0]?.done();
  expect(committer.pendingMs(400)).toBe(0);
});

test('a failure is told once, with nothing durable', () => {
  const { committer, commits, durable, failures } = bench();
  committer.add(work(1));
  committer.start();
  commits[0]?.done(new Error('input/output error'));
  expect(failures.map((cause) => cause.message)).toEqual(['input/output error']);
  expect(durable).toHaveLength(0);
});

test('what a broken replica still wanted is not written, so that its damage does not refuse the others', () => {
  const { committer, commits } = bench();
  committer.add(work(1, 1, 'a checksum does not fit'));
  committer.add(work(2));
  committer.start();
  expect(commits.map(({ writes }) => gidsOf(writes))).toEqual([[2]]);
});

test('damage that only the commit meets is a failure of the store; a mistake of ours stays one', () => {
  const damaged = bench();
  damaged.committer.add(work(1));
  damaged.refuse(new CorruptionError('a run is gone'));
  damaged.committer.start();
  expect(damaged.failures.map((cause) => cause.message)).toEqual(['a run is gone']);
  const wrong = bench();
  wrong.committer.add(work(1));
  wrong.refuse(new InvariantError('a gap'));
  expect(() => wrong.committer.start()).toThrow('a gap');
});

test('after a commit of much the next one waits a moment for more, after one of a little it does not', () => {
  const { committer, commits, wait } = bench();
  const { gatherBytesMin, gatherMs } = hostTuning;
  committer.add(work(1));
  committer.start();
  commits[0]?.done();
  committer.add(work(1, gatherBytesMin));
  committer.start();
  expect(commits.length).toBe(2);
  commits[1]?.done();
  committer.add(work(1));
  committer.start();
  committer.add(work(2));
  committer.start();
  expect(commits.length).toBe(2);
  wait(gatherMs);
  expect(commits[2]?.writes.length).toBe(2);
});

test('a stopped committer begins nothing any more, also when it was about to', () => {
  const { committer, commits, wait } = bench();
  committer.add(work(1, hostTuning.gatherBytesMin));
  committer.start();
  commits[0]?.done();
  committer.add(work(3));
  committer.start();
  committer.stop();
  wait(10);
  committer.start();
  expect(commits.length).toBe(1);
});
