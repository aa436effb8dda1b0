import { describe, expect, test } from 'vitest';
import { configLines, rangesText } from './config.ts';
import { judge, type StatusInput, statusLines } from './status.ts';

type Group = StatusInput['groups'][number];

const store = (storeId: string, up = true): StatusInput['stores'][number] => ({
  storeId,
  incarnation: 'i',
  address: `127.0.0.1:740${storeId.slice(1)}`,
  zone: '',
  up,
  replicas: 3,
  leaders: 1,
});

const group = (gid: number, change: Partial<Group> = {}): Group => ({
  gid,
  incarnation: gid,
  leader: 's1',
  term: 2,
  replicas: ['s1', 's2', 's3'].map((storeId, at) => ({
    raftId: at + 1,
    storeId,
    role: at === 0 ? 'leader' : 'follower',
    match: 10,
  })),
  shards: gid === 0 ? 0 : 32,
  commitIndex: 10,
  appliedIndex: 10,
  shardsNotServing: [],
  ...change,
});

const status = (change: Partial<StatusInput> = {}): StatusInput => ({
  clusterId: 'c',
  configNumber: 4,
  shardCount: 64,
  problems: [],
  stores: ['s1', 's2', 's3'].map((id) => store(id)),
  groups: [group(0), group(1), group(2)],
  moves: [],
  ...change,
});

describe('the first line of status', () => {
  test('says that all is well', () => {
    expect(judge(status())).toMatchObject({
      exitCode: 0,
      headline: 'Healthy: 3 stores up, 2 data groups with a leader, all 64 shards are served.',
    });
  });

  test('says that a store is down while everything is still served', () => {
    const stores = [store('s1'), store('s2', false), store('s3')];
    expect(judge(status({ stores }))).toMatchObject({
      exitCode: 2,
      headline: 'Degraded: store s2 is down; all 64 shards are served.',
    });
  });

  test('says that data is out of reach', () => {
    const groups = [group(0), group(1), group(2, { leader: '' })];
    const stores = [store('s1'), store('s2', false), store('s3', false)];
    expect(judge(status({ groups, stores }))).toMatchObject({
      exitCode: 3,
      headline: 'Unavailable: group 2 has no leader; stores s2, s3 are down; 32 of 64 shards are not served.',
    });
  });

  test('counts shards that a group with a leader does not serve', () => {
    const groups = [group(0), group(1, { shardsNotServing: [7] }), group(2)];
    expect(judge(status({ groups }))).toMatchObject({
      exitCode: 3,
      headline: 'Unavailable: 1 of 64 shards is not served.',
    });
  });

  test('says what to do with a cluster that holds nothing yet', () => {
    const found = judge(status({ groups: [group(0)] }));
    expect(found).toMatchObject({ exitCode: 2, headline: 'Degraded: 64 of 64 shards are not served.' });
    expect(found.notes).toEqual(['No group holds data yet. Make one: flotilla join 1 --stores s1,s2,s3']);
  });

  test('passes on what the cluster itself complains about', () => {
    const problems = [{ severity: 'warning' as const, what: 'the clock of s2 is off', next: 'start NTP' }];
    const found = judge(status({ problems }));
    expect(found).toMatchObject({
      exitCode: 2,
      headline: 'Degraded: one problem; all 64 shards are served.',
      notes: ['The clock of s2 is off. Next: start NTP.'],
    });
  });
});

test('the tables of status put what is wrong first and mark leaders', () => {
  const lines = statusLines(status({ stores: [store('s1'), store('s10'), store('s2', false)] }));
  const storeLines = lines.slice(lines.findIndex((line) => line.startsWith('STORE')) + 1);
  expect(storeLines.slice(0, 3).map((line) => line.split(/ +/)[0])).toEqual(['s2', 's1', 's10']);
  expect(lines.find((line) => line.trim().startsWith('1 '))).toMatch(/s1\* \(10\) {2}s2 \(10\)/);
});

test('moves under way are counted beside the tables, not listed, and nothing is wrong with them', () => {
  const moves = Array.from({ length: 21 }, (_, shard) => ({ shard }));
  expect(statusLines(status({ moves })).filter((line) => line.includes('mov'))).toEqual([
    'moving 21 shards: see flotilla moves',
  ]);
  expect(statusLines(status({ moves: [{ shard: 3 }] }))).toContain('moving 1 shard: see flotilla moves');
  expect(statusLines(status()).join(' ')).not.toContain('mov');
  expect(judge(status({ moves })).exitCode).toBe(0);
});

test('a shard that is between two groups for a moment is no outage, one that does not move is', () => {
  const groups = [group(0), group(1, { shardsNotServing: [3] }), group(2)];
  const moving = status({ groups, moves: [{ shard: 3 }] });
  expect(judge(moving)).toMatchObject({ exitCode: 0, health: 'healthy' });
  expect(statusLines(moving).join(' ')).not.toContain('not served');
  const stuck = status({ groups, moves: [{ shard: 4 }] });
  expect(judge(stuck)).toMatchObject({
    exitCode: 3,
    headline: 'Unavailable: 1 of 64 shards is not served.',
  });
  expect(statusLines(stuck).join(' ')).toContain('32 (1 not served)');
  const leaderless = [group(0), group(1, { leader: '' }), group(2)];
  expect(judge(status({ groups: leaderless, moves: [{ shard: 3 }] })).exitCode).toBe(3);
});

test('a config shows who owns what, in ranges', () => {
  expect([rangesText([0, 1, 2, 5, 7, 8]), rangesText([]), rangesText([3])]).toEqual(['0-2,5,7-8', '', '3']);
  const replicas = [{ raftId: 1, storeId: 's1' }];
  const owned = (owner: number) => ({ owner, epoch: 1, intent: undefined });
  const lines = configLines({
    number: 3,
    cause: 'join 1',
    author: 'cli',
    atMs: 1_700_000_000_000,
    shards: [owned(1), owned(1), { owner: 0, epoch: 0, intent: { moveId: 3, target: 1 } }],
    groups: [{ gid: 1, incarnation: 3, replicas, leaving: false }],
    controller: { gid: 0, incarnation: 0, replicas, leaving: false },
    stores: [{ storeId: 's1', incarnation: 'i', address: 'h:1', zone: 'z' }],
  });
  expect(lines[0]).toBe('config 3: join 1, by cli at 2023-11-14 22:13:20Z');
  expect(lines.join('\n')).toContain('    1  s1      2: 0-1      1 shard arriving');
  expect(lines).toContain('without owner: 1: 2');
});
