import { expect, test } from 'vitest';
import { answerAdmin } from '../testing/fake-admin.ts';
import { Harness } from '../testing/harness.ts';
import type { AdminCall } from './admin-call.ts';

function join(harness: Harness, timeoutMs = 5000): { end?: AdminCall<'join'> } {
  const box: { end?: AdminCall<'join'> } = {};
  const groups = [{ gid: 3, stores: ['s1', 's2'] }];
  const params = { requestId: harness.core.requestId(), plan: false, groups };
  harness.core.admin('join', params, harness.core.deadlineMs(timeoutMs), (call) => {
    box.end = call;
  });
  return box;
}

const joined = { ok: true, result: { configNumber: 9, changed: true, message: 'group 3 was made' } };

test('an admin request goes to any store and brings a typed result', () => {
  const harness = new Harness().connect();
  const seen = answerAdmin(harness.cluster, () => joined);
  const box = join(harness);
  harness.time.advance(50);
  expect(box.end?.result).toEqual(joined.result);
  expect(seen[0]).toMatchObject({ method: 'join', params: { groups: [{ gid: 3, stores: ['s1', 's2'] }] } });
});

test('a change whose answer was lost is repeated under the same request id, at another store', () => {
  const harness = new Harness().connect();
  const seen = answerAdmin(harness.cluster, (_, attempt) => (attempt === 1 ? 'break' : joined));
  const box = join(harness);
  harness.time.advance(1000);
  expect(box.end?.result?.configNumber).toBe(9);
  expect(seen.length).toBe(2);
  expect(new Set(seen.map((request) => JSON.stringify(request.params))).size).toBe(1);
});

test('a refusal for good ends it with the reason of the store, one for now is repeated', () => {
  const harness = new Harness().connect();
  const refused = { ok: false, code: 'unknown-store', message: 'store s9 is not known', retry: 'never' };
  const later = { ok: false, code: 'no-leader', message: 'the controller has no leader', retry: 'backoff' };
  const seen = answerAdmin(harness.cluster, (_, attempt) => (attempt < 4 ? later : refused));
  const box = join(harness);
  harness.time.advance(3000);
  expect(seen.length).toBe(4);
  expect(box.end?.failure).toMatchObject({
    code: 'refused',
    message: 'store s9 is not known',
    details: { reason: 'unknown-store' },
  });
});

test('without any store an admin request says which were tried', () => {
  const harness = new Harness({ stores: ['s1'] }).connect();
  harness.cluster.store('s1').stop();
  harness.time.advance(10);
  const box = join(harness, 1000);
  harness.time.advance(1200);
  expect(box.end?.failure).toMatchObject({ code: 'unavailable', outcome: 'not-applied' });
  expect(box.end?.failure?.message).toContain('s1.test:1');
});

test('an answer that does not fit its type is a protocol failure, not a crash', () => {
  const harness = new Harness().connect();
  answerAdmin(harness.cluster, () => ({ ok: true, result: { configNumber: -1 } }));
  const box = join(harness);
  harness.time.advance(50);
  expect(box.end?.failure).toMatchObject({
    code: 'protocol',
    message: expect.stringContaining('result.configNumber'),
  });
});
