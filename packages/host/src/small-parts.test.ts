import { CorruptionError, EntryKind, type Message, MessageKind, Prng } from '@flotilla/base';
import type { DiskSpace, LogStore } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';
import { refusalOf } from './admission.ts';
import { makeLogWrite } from './appends.ts';
import { plainMessage } from './beats.ts';
import { Inbox } from './inbox.ts';
import {
  brokenKey,
  decodeMeta,
  generationOf,
  generationPrefix,
  groupPrefix,
  MetaEncoder,
  machinePrefix,
  metaKey,
} from './layout.ts';
import type { ReadBatch } from './machine.ts';
import { ReadQueue } from './read-queue.ts';
import type { Replica } from './replica.ts';
import { checkTuning, hostTuning, wanTuning } from './tuning.ts';

const GROUP = { gid: 7, incarnation: 2 ** 40 + 5 };
const CONF = { voters: [1, 2, 3], votersOutgoing: [], learners: [4], learnersNext: [], autoLeave: false };

describe('admission', () => {
  const full = { freeBytes: () => hostTuning.diskFullBytes - 1, totalBytes: () => 1e12 } as DiskSpace;
  const disk = { freeBytes: () => hostTuning.diskFullBytes, totalBytes: () => 1e12 } as DiskSpace;
  const replica = (parts: object = {}): Replica =>
    ({
      group: GROUP,
      broken: undefined,
      isLeader: true,
      waitingBytes: 0,
      raft: { commitIndex: 10 },
      applied: { index: 10, term: 1 },
      ...parts,
    }) as unknown as Replica;
  const store = { disk, budgetBytes: 0, tuning: hostTuning };
  const proposal = (bytes: number, spares = false): { data: Uint8Array; spares: () => boolean } => ({
    data: new Uint8Array(bytes),
    spares: () => spares,
  });

  test('takes what is exactly at each limit', () => {
    expect(refusalOf(replica(), proposal(1), store)).toBeUndefined();
    const { groupUncommittedBytesMax: group, storeUncommittedBytesMax: all } = hostTuning;
    expect(refusalOf(replica({ waitingBytes: group - 5 }), proposal(5), store)).toBeUndefined();
    expect(refusalOf(replica(), proposal(5), { ...store, budgetBytes: all - 5 })).toBeUndefined();
    const lagging = replica({ raft: { commitIndex: 10 + hostTuning.applyLagMax } });
    expect(refusalOf(lagging, proposal(5), store)).toBeUndefined();
  });

  test('refuses one past each limit, names it, and says when to come again', () => {
    const { groupUncommittedBytesMax: group, storeUncommittedBytesMax: all } = hostTuning;
    const refusals = [
      refusalOf(replica(), proposal(1), { ...store, disk: full }),
      refusalOf(replica({ waitingBytes: group - 5 }), proposal(6), store),
      refusalOf(replica(), proposal(6), { ...store, budgetBytes: all - 5 }),
      refusalOf(replica({ raft: { commitIndex: 11 + hostTuning.applyLagMax } }), proposal(1), store),
    ];
    for (const refusal of refusals) expect(refusal).toMatchObject({ kind: 'overloaded' });
    expect(new Set(refusals.map((refusal) => (refusal as { what: string }).what)).size).toBe(4);
    for (const refusal of refusals)
      expect((refusal as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
  });

  test('lets pass what makes room while the disk is full', () => {
    expect(refusalOf(replica(), proposal(1, true), { ...store, disk: full })).toBeUndefined();
  });

  test('sends everybody away who asks a follower or a broken replica', () => {
    expect(refusalOf(replica({ isLeader: false }), proposal(1), store)).toEqual({ kind: 'not-leader' });
    expect(refusalOf(replica({ broken: 'damaged' }), proposal(1), store)).toEqual({ kind: 'not-leader' });
  });
});

describe('a log write', () => {
  const order = (parts: Partial<Message>): Message => ({
    ...plainMessage(MessageKind.storageAppend, 1, 1, 0),
    ...parts,
  });
  const entries = [{ index: 5, term: 2, kind: EntryKind.normal, data: new Uint8Array(1) }];
  const bench = (stored?: { term: number; vote: number; commit: number }) => {
    const logStore = { hardState: () => stored } as unknown as LogStore;
    const replica = {
      group: GROUP,
      name: 'g',
      staged: undefined,
      installing: false,
      lazyHardState: undefined,
      record: (generation: number, start: object) => ({ group: GROUP, raftId: 1, generation, start }),
    } as unknown as Replica;
    return { replica, write: (parts: Partial<Message>) => makeLogWrite(replica, order(parts), logStore) };
  };

  test('is made at once for a new term or a vote, also without entries', () => {
    const { write } = bench({ term: 2, vote: 1, commit: 3 });
    expect(write({ term: 3, vote: 0, commit: 3 })).toEqual({
      group: GROUP,
      hardState: { term: 3, vote: 0, commit: 3 },
    });
    expect(write({ term: 2, vote: 2, commit: 3 })?.hardState).toEqual({ term: 2, vote: 2, commit: 3 });
    expect(bench().write({ term: 1, vote: 0, commit: 0 })?.hardState?.term).toBe(1);
  });

  test('of a moved commit index alone waits for the next one, and the newest goes with it', () => {
    const { write, replica } = bench({ term: 2, vote: 1, commit: 3 });
    expect(write({ term: 2, vote: 1, commit: 4 })).toBeUndefined();
    expect(write({ term: 2, vote: 1, commit: 5 })).toBeUndefined();
    expect(write({})).toBeUndefined();
    expect(write({ entries })).toEqual({ group: GROUP, entries, hardState: { term: 2, vote: 1, commit: 5 } });
    expect(replica.lazyHardState).toBeUndefined();
    expect(write({ entries })).toEqual({ group: GROUP, entries });
  });

  test('a waiting commit index never overwrites a newer term', () => {
    const { write } = bench({ term: 2, vote: 1, commit: 3 });
    write({ term: 2, vote: 1, commit: 4 });
    expect(write({ term: 3, vote: 0, commit: 4, entries })?.hardState).toEqual({
      term: 3,
      vote: 0,
      commit: 4,
    });
    expect(write({ entries })?.hardState).toBeUndefined();
  });

  test('of a snapshot moves the pointer to what was staged, with what follows it, and to nothing else', () => {
    const { write, replica } = bench({ term: 2, vote: 1, commit: 3 });
    const snapshot = { index: 4, term: 2, confState: CONF, data: new Uint8Array(0) };
    expect(() => write({ snapshot })).toThrow(CorruptionError);
    replica.staged = { meta: { ...snapshot, index: 3 }, generation: 9 };
    expect(() => write({ snapshot })).toThrow(CorruptionError);
    replica.staged = { meta: snapshot, generation: 9 };
    const made = write({ snapshot, entries, term: 2, vote: 1, commit: 4 });
    expect(made?.replica).toMatchObject({ generation: 9, start: { index: 4, term: 2, confState: CONF } });
    expect(made?.entries).toEqual(entries);
    expect(made?.hardState?.commit).toBe(4);
    expect(replica.installing).toBe(true);
  });
});

describe('the layout of the state', () => {
  test('keeps groups, generations and areas apart, in byte order', () => {
    const at = (key: Uint8Array): string => Buffer.from(key).toString('hex');
    const keys = [
      machinePrefix({ gid: 1, incarnation: 2 ** 40 }, 9),
      metaKey({ gid: 7, incarnation: 1 }, 1),
      metaKey(GROUP, 1),
      brokenKey(GROUP, 1),
      machinePrefix(GROUP, 1),
      metaKey(GROUP, 2),
      metaKey(GROUP, 256),
    ].map(at);
    expect([...keys].sort()).toEqual(keys);
    expect(at(metaKey(GROUP, 256)).startsWith(at(groupPrefix(GROUP)))).toBe(true);
    expect(generationOf(generationPrefix(GROUP, 0xffff_fffe))).toBe(0xffff_fffe);
    expect(generationOf(metaKey(GROUP, 256))).toBe(256);
  });

  test('brings a record back as it was, and refuses one of a newer version', () => {
    const members = [{ raftId: 1, storeId: 's1', storeIncarnation: 'abc' }];
    const meta = { appliedIndex: 2 ** 50, appliedTerm: 3, confState: CONF, members };
    const bytes = new MetaEncoder().encode(meta);
    expect(decodeMeta(bytes)).toEqual(meta);
    bytes[0] = 2;
    expect(() => decodeMeta(bytes)).toThrow(/newer version/);
  });

  test('writes whoever belongs to the replica now, also after others did', () => {
    const encoder = new MetaEncoder();
    const members = [{ raftId: 1, storeId: 's1', storeIncarnation: 'abc' }];
    const first = { appliedIndex: 4, appliedTerm: 1, confState: CONF, members };
    const others = { ...first, members: [...members, { raftId: 2, storeId: 's2', storeIncarnation: 'x' }] };
    const learning = { ...others, confState: { ...CONF, learners: [9] } };
    for (const meta of [first, { ...first, appliedIndex: 5 }, others, learning, first]) {
      expect(decodeMeta(encoder.encode(meta))).toEqual(meta);
    }
  });
});

describe('reads that wait', () => {
  const batch = (name: string, log: string[], dueAt = Number.POSITIVE_INFINITY): ReadBatch => ({
    evaluate: () => log.push(`evaluate ${name}`),
    deliver: () => log.push(`deliver ${name}`),
    refused: (why) => log.push(`${why.kind} ${name}`),
    expired: (now) => now >= dueAt && log.push(`expired ${name}`) > 0,
  });
  const queue = (): ReadQueue => new ReadQueue(3, new Prng(1));

  test('share a round, and are ready when it is confirmed and applied', () => {
    const reads = queue();
    const log: string[] = [];
    const context = reads.open([batch('a', log), batch('b', log)], 0);
    expect(reads.takeReady(100)).toEqual([]);
    reads.confirm(context, 5);
    expect(reads.isAsking).toBe(false);
    expect(reads.takeReady(4)).toEqual([]);
    expect(reads.takeReady(5)).toHaveLength(2);
    expect(reads.isIdle).toBe(true);
  });

  test('take no answer to another round, of another life, or a second one', () => {
    const log: string[] = [];
    const reads = queue();
    const other = new ReadQueue(3, new Prng(2)).open([batch('x', log)], 0);
    const context = reads.open([batch('a', log)], 0);
    reads.confirm(other, 1);
    expect(reads.isAsking).toBe(true);
    reads.confirm(context, 7);
    reads.confirm(context, 1);
    expect(reads.takeReady(6)).toEqual([]);
  });

  test('are asked for once more when no answer came in time, and the late answer confirms them', () => {
    const reads = queue();
    const context = reads.open([batch('a', [])], 100);
    reads.retry(99);
    expect(reads.takeLate(200)).toEqual([]);
    reads.retry(100);
    expect(reads.takeLate(200)).toEqual([context]);
    reads.retry(199);
    expect(reads.takeLate(210)).toEqual([]);
    reads.confirm(context, 1);
    expect(reads.takeReady(10)).toHaveLength(1);
  });

  test('go back to the others when their answer is late and nobody need be asked any more', () => {
    const reads = queue();
    const context = reads.open([batch('a', [])], 100);
    reads.freeLate();
    expect(reads.isAsking).toBe(true);
    reads.retry(100);
    reads.freeLate();
    expect([reads.fresh.length, reads.isAsking]).toEqual([1, false]);
    reads.confirm(context, 1);
    expect(reads.takeReady(10)).toEqual([]);
  });

  test('end when nobody waits any more, in whatever state they are', () => {
    const log: string[] = [];
    const reads = queue();
    reads.fresh.push(batch('held', log, 5));
    reads.holdFresh(100);
    reads.open([batch('asked', log, 5), batch('later', log, 50)], 0);
    reads.fresh.push(batch('fresh', log, 5));
    reads.dropExpired(5);
    expect(log.sort()).toEqual(['expired asked', 'expired fresh', 'expired held']);
    reads.refuseAll({ kind: 'not-leader' });
    expect(log.at(-1)).toBe('not-leader later');
    expect(reads.isIdle).toBe(true);
  });
});

test('a full inbox drops what does not fit, counts it, and goes on', () => {
  const inbox = new Inbox(100);
  const frame = (bytes: number) => ({
    storeId: 's2',
    lane: 0 as const,
    kind: 1,
    body: new Uint8Array(bytes),
  });
  expect([inbox.push(frame(60)), inbox.push(frame(41)), inbox.push(frame(40))]).toEqual([true, false, true]);
  expect([inbox.length, inbox.dropped]).toEqual([2, 1]);
  inbox.shift();
  expect(inbox.push(frame(60))).toBe(true);
});

test('settings whose relations the lease rests on are refused when they are wrong', () => {
  checkTuning(hostTuning);
  checkTuning(wanTuning);
  for (const wrong of [
    { leaseMs: 140 },
    { promiseMs: 140 },
    { heartbeatMs: 100 },
    { electionMs: 500 },
    { electionMs: 1_010 },
    { commitSlowMs: 30_000 },
  ]) {
    expect(() => checkTuning({ ...hostTuning, ...wrong })).toThrow();
  }
});
