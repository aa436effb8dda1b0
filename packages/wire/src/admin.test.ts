import type { ColdValue } from '@flotilla/ports';
import { expect, test } from 'vitest';
import { parseAdminReply, parseAdminRequest, parseAdminResult, type StatusPage } from './admin.ts';

test('requests of every method come through as they were sent', () => {
  const requests: ColdValue[] = [
    { method: 'join', params: { requestId: 'r', groups: [{ gid: 1, stores: ['s1', 's2'] }] } },
    { method: 'leave', params: { requestId: 'r', gids: [1, 2] } },
    { method: 'move', params: { requestId: 'r', shard: 7, gid: 2 } },
    { method: 'transferLeader', params: { requestId: 'r', gid: 0, store: 's1' } },
    { method: 'config', params: { number: undefined } },
    { method: 'config', params: { number: 4 } },
    { method: 'configs', params: { from: 0, limit: 500 } },
    { method: 'status', params: { after: '' } },
  ];
  for (const request of requests) expect(parseAdminRequest(request)).toEqual(request);
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
