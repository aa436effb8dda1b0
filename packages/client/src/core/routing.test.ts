import { BatchStatus } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { answers } from '../testing/fake-store.ts';
import { Harness } from '../testing/harness.ts';

test('a leader hint is followed at once and remembered', () => {
  const harness = new Harness({ groups: [1] }).connect();
  harness.cluster.leaders.set(1, 's3');
  const first = harness.write('a');
  harness.time.advance(30);
  expect(first.end).toBe('ok');
  const before = harness.cluster.seen.length;
  expect(before).toBeLessThanOrEqual(3);
  harness.write('b');
  harness.time.advance(30);
  expect(harness.cluster.seen.slice(before).map((seen) => seen.store)).toEqual(['s3']);
});

test('without a hint the replicas are asked in turn', () => {
  const harness = new Harness({ groups: [1] }).connect();
  for (const store of harness.cluster.stores.values()) {
    store.script = () => (store.id === 's3' ? 'serve' : { notLeader: '' });
  }
  harness.cluster.leaders.set(1, 's3');
  const write = harness.write('a');
  harness.time.advance(500);
  expect(write.end).toBe('ok');
  expect(harness.cluster.writes.length).toBeLessThanOrEqual(3);
});

test('two stores that name each other do not keep a client running in circles (C4)', () => {
  const harness = new Harness({ groups: [1], stores: ['s1', 's2'] }).warm();
  harness.cluster.store('s1').script = () => ({ notLeader: 's2' });
  harness.cluster.store('s2').script = () => ({ notLeader: 's1' });
  const write = harness.write('a', {}, 2000);
  harness.time.advance(2100);
  expect(write.end).toBe('unavailable/not-applied');
  expect(write.failure?.message).toContain('no leader');
  expect(harness.cluster.writes.length).toBeLessThan(60);
});

test('a hint to a store that does not answer costs 200 ms at most (C5)', () => {
  const harness = new Harness({ groups: [1] }).warm();
  // s1 led; it vanishes without a word, and s3 leads after a while.
  harness.cluster.store('s1').stop();
  harness.network.peers.set('s1.test:1', 'silent');
  harness.time.advance(20);
  harness.cluster.leaders.set(1, 's3');
  harness.cluster.store('s2').script = () => ({ notLeader: 's1' });
  const begin = harness.time.monoMs();
  const write = harness.write('a');
  while (write.end === 'open') harness.time.runNext();
  expect(write.end).toBe('ok');
  expect(harness.time.monoMs() - begin).toBeLessThan(500);
});

test('after the death of a leader its successor is found within a fraction of the election', () => {
  const harness = new Harness({ groups: [1] }).warm();
  const begin = harness.time.monoMs();
  harness.cluster.store('s1').stop();
  harness.cluster.leaders.set(1, '');
  const write = harness.write('a');
  harness.time.advance(160);
  harness.cluster.leaders.set(1, 's2');
  while (write.end === 'open') harness.time.runNext();
  expect(write.end).toBe('ok');
  expect(harness.time.monoMs() - begin).toBeLessThan(280);
});

test('a moved shard is followed at once, and its epoch is remembered over an older config', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const key = harness.cluster.keyIn(0);
  const shard = harness.cluster.shards[0];
  if (shard !== undefined) Object.assign(shard, { owner: 2, epoch: 2 });
  const write = harness.write(key);
  harness.time.advance(10);
  expect(write.end).toBe('ok');
  expect(harness.cluster.writes.map((seen) => `${seen.gid} epoch ${seen.commands[0]?.epoch}`)).toEqual([
    '1 epoch 1',
    '2 epoch 2',
  ]);
  const stale = { ...harness.cluster.config(), number: 2 };
  stale.shards = stale.shards.map((record, at) => (at === 0 ? { ...record, owner: 1, epoch: 1 } : record));
  harness.cluster.store('s1').pushConfig(stale);
  harness.time.advance(10);
  harness.cluster.seen.length = 0;
  harness.write(key);
  harness.time.advance(10);
  expect(harness.cluster.writes.map((seen) => seen.gid)).toEqual([2]);
});

test('a refusal that teaches nothing makes the client ask for the config and wait a little', () => {
  const harness = new Harness({ shards: 2, groups: [1] }).warm();
  let asked = 0;
  for (const store of harness.cluster.stores.values()) {
    store.script = () => ({ result: answers.moved(0, 0) });
    store.onAdmin = () => {
      asked++;
    };
  }
  const write = harness.write('a', {}, 1000);
  harness.time.advance(1100);
  expect(write.end).toBe('unavailable/not-applied');
  expect(asked).toBeGreaterThan(0);
  expect(harness.cluster.writes.length).toBeLessThan(20);
});

test('a shard that is arriving is asked again at the same group after the time that it named', () => {
  const harness = new Harness({ groups: [1] }).warm();
  let refusals = 2;
  harness.cluster.store('s1').script = () => (refusals-- > 0 ? { result: answers.notReady(250) } : 'serve');
  const write = harness.write('a');
  harness.time.advance(600);
  expect(write.end).toBe('ok');
  const times = harness.cluster.writes.map((seen) => Math.round(seen.atMs));
  expect(times.map((time) => time - (times[0] as number))).toEqual([0, 252, 504]);
  expect(new Set(harness.cluster.writes.map((seen) => seen.store))).toEqual(new Set(['s1']));
});

test('operations that were submitted before any config is known wait for it', () => {
  const harness = new Harness({}, (cluster) => {
    for (const store of cluster.stores.values()) store.knowsConfig = false;
  }).connect();
  const write = harness.write('a');
  harness.time.advance(300);
  expect(write.end).toBe('open');
  for (const store of harness.cluster.stores.values()) store.pushConfig();
  harness.time.advance(100);
  expect(write.end).toBe('ok');
});

test('a shard without an owner says so when the time is up', () => {
  const harness = new Harness({ shards: 1 }, (cluster) => {
    const shard = cluster.shards[0];
    if (shard !== undefined) Object.assign(shard, { owner: 0, epoch: 0 });
  }).connect();
  const write = harness.write('a', {}, 500);
  harness.time.advance(600);
  expect(write.end).toBe('unavailable/not-applied');
  expect(write.failure?.message).toContain('no group owns');
});

test('a store without a replica of the group is passed over', () => {
  const harness = new Harness({ groups: [1] }).connect();
  harness.cluster.leaders.set(1, 's2');
  for (const id of ['s1', 's3']) harness.cluster.store(id).script = () => ({ bare: BatchStatus.noGroup });
  const write = harness.write('a');
  harness.time.advance(1000);
  expect(write.end).toBe('ok');
});

test('a follower read goes to any replica and moves on when that one cannot answer', () => {
  const harness = new Harness({ groups: [1] }).warm();
  harness.fill(['a'], 'there');
  for (const store of harness.cluster.stores.values()) {
    store.script = () => (store.id === 's1' ? 'serve' : { wait: BatchStatus.notNow, ms: 5 });
  }
  const read = harness.get('a', { level: 1 });
  harness.time.advance(500);
  expect(read.end).toBe('there');
});

test('a search for a leader that ended long ago does not slow the next one', () => {
  const harness = new Harness({ groups: [1] }).warm();
  harness.cluster.leaders.set(1, '');
  harness.write('a', {}, 8000);
  harness.time.advance(3_600_000);
  const begin = harness.time.monoMs();
  const write = harness.write('a');
  harness.time.advance(100);
  harness.cluster.leaders.set(1, 's2');
  while (write.end === 'open') harness.time.runNext();
  expect(harness.time.monoMs() - begin).toBeLessThan(220);
});
