import type { ColdValue } from '@flotilla/ports';
import { expect, test } from 'vitest';
import {
  type ChangeResult,
  MOVES_PER_PAGE,
  type MoveProgress,
  type MovesPage,
  moveStates,
  PLAN_MOVES_MAX,
  parseAdminReply,
  parseAdminRequest,
  parseAdminResult,
  type StatusPage,
} from './admin.ts';
import { limits } from './limits.ts';

test('requests of every method come through as they were sent', () => {
  const requests: ColdValue[] = [
    { method: 'join', params: { requestId: 'r', plan: false, groups: [{ gid: 1, stores: ['s1', 's2'] }] } },
    { method: 'leave', params: { requestId: 'r', plan: true, gids: [1, 2] } },
    { method: 'move', params: { requestId: 'r', plan: true, shard: limits.shardCountMax - 1, gid: 2 } },
    { method: 'rebalance', params: { requestId: 'r', plan: false } },
    { method: 'pause', params: { requestId: 'r', moveId: 17, shard: 4 } },
    { method: 'resume', params: { requestId: 'r', moveId: 17, shard: undefined } },
    { method: 'cancel', params: { requestId: 'r', moveId: 0, shard: 0 } },
    {
      method: 'policy',
      params: {
        requestId: 'r',
        auto: true,
        moveBytesPerSecond: Number.MAX_SAFE_INTEGER,
        movesPerStore: limits.movesPerStoreMax,
      },
    },
    {
      method: 'policy',
      params: { requestId: 'r', auto: undefined, moveBytesPerSecond: 0, movesPerStore: undefined },
    },
    { method: 'moves', params: { all: true, after: '' } },
    { method: 'transferLeader', params: { requestId: 'r', gid: 0, store: 's1' } },
    { method: 'config', params: { number: undefined } },
    { method: 'config', params: { number: 4 } },
    { method: 'configs', params: { from: 0, limit: 500 } },
    { method: 'status', params: { after: '' } },
  ];
  for (const request of requests) expect(parseAdminRequest(request)).toEqual(request);
});

test('a client that knows no plans asks for the change itself', () => {
  for (const [method, params] of [
    ['join', { requestId: 'r', groups: [] }],
    ['leave', { requestId: 'r', gids: [1] }],
    ['move', { requestId: 'r', shard: 1, gid: 2 }],
    ['rebalance', { requestId: 'r' }],
  ] as const) {
    expect(parseAdminRequest({ method, params })).toEqual({ method, params: { ...params, plan: false } });
  }
});

test('what does not fit is named by its path', () => {
  const bad: [ColdValue, string][] = [
    ['join', 'request is not an object'],
    [{ method: 'fly', params: {} }, 'method is not'],
    [{ method: 'leave', params: { requestId: 'r', gids: [1, 0] } }, 'params.gids[1]'],
    [
      { method: 'join', params: { requestId: 'r', groups: [{ gid: 1, stores: 's1' }] } },
      'params.groups[0].stores',
    ],
    [{ method: 'move', params: { requestId: 'r', shard: 1.5, gid: 1 } }, 'params.shard'],
    [
      { method: 'move', params: { requestId: 'r', shard: limits.shardCountMax, gid: 1 } },
      'params.shard is not a whole number up to 4095',
    ],
    [{ method: 'move', params: { requestId: 'r', shard: 1, gid: 1, plan: 'yes' } }, 'params.plan'],
    [{ method: 'rebalance', params: { plan: false } }, 'params.requestId'],
    [{ method: 'pause', params: { requestId: 'r' } }, 'params.moveId'],
    [{ method: 'resume', params: { requestId: 'r', moveId: 1, shard: '3' } }, 'params.shard'],
    [
      { method: 'cancel', params: { requestId: 'r', moveId: 1, shard: limits.shardCountMax } },
      'params.shard is not a whole number up to 4095',
    ],
    [{ method: 'policy', params: { requestId: 'r', auto: 1 } }, 'params.auto'],
    [{ method: 'policy', params: { requestId: 'r', moveBytesPerSecond: -1 } }, 'params.moveBytesPerSecond'],
    [
      { method: 'policy', params: { requestId: 'r', movesPerStore: limits.movesPerStoreMax + 1 } },
      'params.movesPerStore',
    ],
    [{ method: 'moves', params: { after: '' } }, 'params.all'],
    [{ method: 'leave', params: { requestId: 7, gids: [] } }, 'params.requestId'],
    [{ method: 'configs', params: { from: 0, limit: 501 } }, 'params.limit'],
    [{ method: 'status', params: new Uint8Array(3) }, 'params is not an object'],
  ];
  for (const [request, message] of bad) expect(() => parseAdminRequest(request)).toThrow(message);
});

test('replies are either a result or a failure with a known kind of retry', () => {
  expect(parseAdminReply({ ok: true, result: 1 })).toEqual({ ok: true, result: 1 });
  const failure = { ok: false, code: 'no-leader', message: 'wait', retry: 'backoff' };
  expect(parseAdminReply(failure)).toEqual(failure);
  expect(() => parseAdminReply({ ...failure, retry: 'soon' })).toThrow('retry');
});

test('a status page is taken apart to its last field', () => {
  const page: StatusPage = {
    clusterId: 'c',
    configNumber: 3,
    shardCount: 64,
    problems: [{ severity: 'warning', what: 's3 is down', next: 'start it' }],
    stores: [
      { storeId: 's1', incarnation: 'i', address: 'h:1', zone: '', up: true, replicas: 3, leaders: 1 },
    ],
    groups: [
      {
        gid: 1,
        incarnation: 2,
        leader: 's1',
        term: 4,
        replicas: [{ raftId: 1, storeId: 's1', role: 'leader', match: 9 }],
        shards: 32,
        commitIndex: 9,
        appliedIndex: 9,
        shardsNotServing: [5],
      },
    ],
    moves: [{ moveId: 3, shard: 5, source: 0, target: 1, phase: 'moving', paused: false }],
    next: '',
  };
  expect(parseAdminResult('status', page)).toEqual(page);
  const broken = { ...page, groups: [{ ...page.groups[0], term: '4' }] } as unknown as ColdValue;
  expect(() => parseAdminResult('status', broken)).toThrow('result.groups[0].term');
});

test('a change tells its plan up to the most moves of one plan, and goes without where nothing moves', () => {
  const shard = { shard: 4, from: 0, to: 3, bytes: 9 };
  const planned = (count: number): ChangeResult => ({
    configNumber: 5,
    changed: true,
    message: 'shards move to group 3',
    plan: { moves: Array.from({ length: count }, () => shard), count: 4096, bytes: 2 ** 40, seconds: 60 },
  });
  const bare: ChangeResult = { ...planned(0), plan: undefined };
  for (const method of [
    'join',
    'leave',
    'move',
    'rebalance',
    'pause',
    'resume',
    'cancel',
    'policy',
  ] as const) {
    for (const result of [bare, planned(0), planned(PLAN_MOVES_MAX)])
      expect(parseAdminResult(method, result)).toEqual(result);
    expect(() => parseAdminResult(method, planned(PLAN_MOVES_MAX + 1))).toThrow('result.plan.moves');
    const broken = { ...bare, plan: { moves: [{ ...shard, to: -1 }], count: 1, bytes: 0, seconds: 0 } };
    expect(() => parseAdminResult(method, broken)).toThrow('result.plan.moves[0].to');
  }
});

test('a page of moves is taken apart to its last field, up to the most of one page', () => {
  const move = (state: MoveProgress['state']): MoveProgress => ({
    moveId: 7,
    shard: 3,
    source: 1,
    target: 2,
    state,
    bytes: 10,
    totalBytes: 20,
    bytesPerSecond: 5,
    etaMs: state === 'copying' ? 2000 : undefined,
    pauseMs: state === 'done' ? 12 : undefined,
    ageMs: 100,
    problem: state === 'waiting' ? 'group 1 has no leader' : '',
  });
  const page: MovesPage = { configNumber: 7, moves: moveStates.map(move), next: 'more' };
  expect(parseAdminResult('moves', page)).toEqual(page);
  const of = (count: number) => ({ ...page, moves: Array.from({ length: count }, () => move('copying')) });
  expect(parseAdminResult('moves', of(MOVES_PER_PAGE)).moves).toHaveLength(MOVES_PER_PAGE);
  expect(() => parseAdminResult('moves', of(MOVES_PER_PAGE + 1))).toThrow('result.moves');
  const broken = { ...page, moves: [{ ...move('done'), state: 'lost' }] } as unknown as ColdValue;
  expect(() => parseAdminResult('moves', broken)).toThrow('result.moves[0].state is not one of waiting');
});
