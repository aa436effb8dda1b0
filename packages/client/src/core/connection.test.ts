import { BatchStatus } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Harness } from '../testing/harness.ts';

test('without any store the failure names each endpoint and why', () => {
  const harness = new Harness({ endpoints: ['a:1', 'b:2'] });
  harness.connect();
  expect(harness.started).toMatchObject({ code: 'unavailable', outcome: 'not-applied' });
  const message = typeof harness.started === 'object' ? harness.started.message : '';
  expect(message).toContain('a:1: connection refused');
  expect(message).toContain('b:2: connection refused');
});

test('an endpoint that never answers does not keep the others waiting', () => {
  const harness = new Harness({ endpoints: ['a:1', 's2.test:1'] });
  harness.network.peers.set('a:1', 'silent');
  harness.core.start((failed) => {
    harness.started = failed ?? 'connected';
  });
  harness.time.advance(250);
  expect(harness.started).toBe('connected');
});

test('endpoints that all stay silent end the attempt when its time is up', () => {
  const harness = new Harness({ endpoints: ['a:1'], connectTimeoutMs: 2000 });
  harness.network.peers.set('a:1', 'silent');
  harness.connect();
  harness.time.advance(1900);
  expect(harness.started).toBeUndefined();
  harness.time.advance(100);
  expect(harness.started).toMatchObject({ message: expect.stringContaining('no answer within 2000 ms') });
});

test('a store that speaks another protocol refuses, and the failure says so', () => {
  const harness = new Harness({ stores: ['s1'] }, (cluster) => {
    cluster.store('s1').refusal = { code: 'wrong-protocol', message: 'this store speaks protocol 7 to 9' };
  }).connect();
  expect(harness.started).toMatchObject({
    code: 'protocol',
    retry: 'never',
    message: expect.stringContaining('this store speaks protocol 7 to 9'),
  });
});

test('a store of another cluster is refused, in both directions', () => {
  const wanted = new Harness({ clusterId: 'other', stores: ['s1'] }).connect();
  expect(wanted.started).toMatchObject({ code: 'cluster-mismatch' });

  const mixed = new Harness({ groups: [1] }).warm();
  mixed.cluster.store('s1').stop();
  mixed.cluster.leaders.set(1, 's2');
  mixed.cluster.clusterId = 'other';
  mixed.cluster.store('s1').start();
  const before = mixed.cluster.seen.filter((seen) => seen.store === 's1').length;
  mixed.write('a', {}, 1000);
  mixed.time.advance(3000);
  expect(mixed.cluster.seen.filter((seen) => seen.store === 's1').length).toBe(before);
});

test('stores are connected on demand, one connection each', () => {
  const harness = new Harness({ groups: [1] }).connect();
  expect(harness.network.dials.length).toBe(1);
  for (let at = 0; at < 50; at++) {
    harness.write(`key${at}`);
    harness.time.advance(20);
  }
  expect(harness.network.dials.length).toBeLessThanOrEqual(2);
});

test('a cluster that is down for minutes is asked at jittered distances, and used again at once (C7)', () => {
  const harness = new Harness({ groups: [1] }).warm();
  for (const store of harness.cluster.stores.values()) store.stop();
  harness.time.advance(10);
  const dialled = harness.network.dials.length;
  const early = harness.write('a', {}, 1000);
  const late = harness.write('b', {}, 400_000);
  harness.time.advance(300_000);
  expect(early.end).toBe('unavailable/not-applied');
  expect(early.failure?.message).toContain('connection refused');
  // Three stores, each about once a second.
  expect(harness.network.dials.length - dialled).toBeLessThan(3 * 400);
  for (const store of harness.cluster.stores.values()) store.start();
  harness.time.advance(3000);
  expect(late.end).toBe('ok');
});

test('a store that falls silent with requests on their way is asked, then left', () => {
  const harness = new Harness({ groups: [1] }).warm();
  const store = harness.cluster.store('s1');
  store.script = () => 'ignore';
  store.answersPings = false;
  const write = harness.write('a');
  harness.time.advance(1700);
  expect(store.pings).toBeGreaterThan(0);
  harness.cluster.leaders.set(1, 's2');
  harness.time.advance(3000);
  expect(write.end).toBe('ok');
});

test('a store that works on a request and still answers pings keeps it', () => {
  const harness = new Harness({ groups: [1] }).warm();
  harness.cluster.store('s1').script = () => 'ignore';
  const write = harness.write('a', {}, 9000);
  harness.time.advance(8000);
  expect(write.end).toBe('open');
  expect(harness.cluster.writes.length).toBe(1);
  harness.time.advance(1100);
  expect(write.end).toBe('deadline/unknown');
});

test('one deadline holds over all retries', () => {
  const harness = new Harness({ groups: [1] }).warm();
  for (const store of harness.cluster.stores.values()) {
    store.script = () => ({ wait: BatchStatus.overloaded, ms: 10 });
  }
  const begin = harness.time.monoMs();
  const write = harness.write('a', {}, 700);
  while (write.end === 'open') harness.time.runNext();
  expect(harness.time.monoMs() - begin).toBeCloseTo(700, -1);
  expect(write.end).toBe('deadline/not-applied');
  expect(write.failure?.message).toContain('too much to do');
  const left = harness.cluster.writes.map((seen) => seen.timeLeftMs);
  expect(left).toEqual([...left].sort((one, two) => two - one));
});

test('deadlines of many operations need one timer', () => {
  const harness = new Harness({ groups: [1] }).warm();
  harness.cluster.store('s1').script = () => 'ignore';
  const before = harness.time.waiting;
  const writes = Array.from({ length: 3000 }, (_, at) => harness.write(`key${at}`, {}, 100 + (at % 50)));
  harness.time.advance(20);
  expect(harness.time.waiting - before).toBeLessThan(5);
  harness.time.advance(200);
  expect(writes.every((write) => write.end.startsWith('deadline') && write.settledTimes === 1)).toBe(true);
  expect(harness.core.openOperations).toBe(0);
});

test('an overloaded store is asked less and less, and a spent budget refuses the rest', () => {
  const harness = new Harness({ groups: [1], timeoutMs: 600_000 }).warm();
  for (const store of harness.cluster.stores.values()) {
    store.script = () => ({ wait: BatchStatus.overloaded, ms: 0 });
  }
  const write = harness.write('a');
  harness.time.advance(400_000);
  expect(write.end).toBe('overloaded/not-applied');
  expect(write.failure?.message).toContain('retry budget');
  const times = harness.cluster.writes.map((seen) => seen.atMs);
  const last = times.slice(-20);
  expect(((last.at(-1) ?? 0) - (last[0] ?? 0)) / 19).toBeGreaterThan(500);
});

test('a frame that cannot be read ends its connection only, and the write is repeated', () => {
  const harness = new Harness({ groups: [1] }).warm();
  const store = harness.cluster.store('s1');
  store.script = (seen) => {
    if (harness.cluster.writes.length > 1) return 'serve';
    for (const end of store.ends) end.send(new Uint8Array([1, 2, 3]));
    return seen.kind === 'write' ? 'ignore' : 'serve';
  };
  const write = harness.append('a', 'x');
  harness.time.advance(1000);
  expect(write.end).toBe('ok');
  expect(harness.doubles()).toEqual([]);
});

test('a client that is closed ends everything once, and takes nothing new', () => {
  const harness = new Harness({ groups: [1] }).warm();
  harness.cluster.store('s1').script = () => 'ignore';
  const sent = harness.write('a');
  harness.time.advance(5);
  const queued = harness.write('b');
  const scan = harness.cursor();
  scan.fill(() => {});
  harness.core.close();
  const after = harness.write('c');
  expect([sent.end, queued.end, after.end]).toEqual([
    'closed/unknown',
    'closed/not-applied',
    'closed/not-applied',
  ]);
  expect(scan.failure?.code).toBe('closed');
  harness.time.advance(60_000);
  expect(harness.time.waiting).toBe(0);
  expect([sent.settledTimes, queued.settledTimes, after.settledTimes]).toEqual([1, 1, 1]);
});

test('a cluster whose addresses all changed is found again through an endpoint that the user named', () => {
  const harness = new Harness({ groups: [1], stores: ['s1'] }).warm();
  const store = harness.cluster.store('s1');
  // The store restarts behind another address, and only the name that the user gave leads there.
  const config = harness.cluster.config();
  const moved = {
    ...config,
    number: 2,
    stores: config.stores.map((each) => ({ ...each, address: 'new.test:2' })),
  };
  store.pushConfig(moved);
  harness.time.advance(5);
  store.stop();
  harness.time.advance(1000);
  store.start();
  const write = harness.write('a');
  harness.time.advance(5000);
  expect(write.end).toBe('ok');
});

test('a client that was stopped for a while reads what came before it calls a store silent', () => {
  const harness = new Harness({ groups: [1], stores: ['s1'] }).warm();
  const store = harness.cluster.store('s1');
  store.script = () => 'ignore';
  harness.write('a', {}, 60_000);
  harness.time.advance(100);
  const dials = harness.network.dials.length;
  harness.skip(10_000);
  harness.time.advance(200);
  expect(harness.network.dials.length).toBe(dials);
  expect(store.ends.size).toBe(1);
});
