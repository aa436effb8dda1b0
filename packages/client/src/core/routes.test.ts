import { VirtualTime, Writer } from '@flotilla/base';
import { diffConfig, writeConfigDelta } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { FakeCluster } from '../testing/fake-cluster.ts';
import { FakeNetwork } from '../testing/fake-network.ts';
import { RetryBudget, seekDelayMs } from './back-off.ts';
import { Routes } from './routes.ts';

function cluster(): FakeCluster {
  const time = new VirtualTime();
  return new FakeCluster(time, new FakeNetwork(time), 4, ['s1'], [1, 2]);
}

test('the config with the higher number wins, in whatever order they come', () => {
  const made = cluster();
  const routes = new Routes();
  const first = { ...made.config(), number: 5 };
  expect(routes.take(first)).toBe(true);
  expect(routes.take({ ...first, number: 4 })).toBe(false);
  expect(routes.take({ ...first, number: 5 })).toBe(false);
  expect(routes.config?.number).toBe(5);
});

test('neither a config nor a refusal lowers the epoch of a shard', () => {
  const made = cluster();
  const routes = new Routes();
  routes.take({ ...made.config(), number: 1 });
  expect(routes.patch(0, 2, 7)).toBe(true);
  expect(routes.patch(0, 1, 6)).toBe(false);
  expect(routes.patch(0, 1, 7)).toBe(false);
  expect(routes.patch(0, 0, 9)).toBe(false);
  routes.take({ ...made.config(), number: 2 });
  expect([routes.owner[0], routes.epoch[0]]).toEqual([2, 7]);
  const shard = made.shards[0];
  if (shard !== undefined) Object.assign(shard, { owner: 1, epoch: 8 });
  routes.take({ ...made.config(), number: 3 });
  expect([routes.owner[0], routes.epoch[0]]).toEqual([1, 8]);
});

test('a pushed change is taken over the config that it starts from, and over no other', () => {
  const made = cluster();
  const first = { ...made.config(), number: 5 };
  const shards = first.shards.map((shard, at) => (at === 2 ? { ...shard, owner: 2, epoch: 9 } : shard));
  const second = { ...first, number: 6, shards };
  const out = new Writer();
  writeConfigDelta(out, diffConfig(first, second));
  const delta = out.finish();

  const routes = new Routes();
  expect(routes.takeDelta(delta)).toBe('gap');
  routes.take({ ...first, number: 4 });
  expect(routes.takeDelta(delta)).toBe('gap');
  routes.take(first);
  expect(routes.takeDelta(delta)).toBe('taken');
  expect([routes.config?.number, routes.owner[2], routes.epoch[2]]).toEqual([6, 2, 9]);
  expect(routes.takeDelta(delta)).toBe('old');
});

test('a refusal about a shard that does not exist teaches nothing', () => {
  const routes = new Routes();
  routes.take(cluster().config());
  expect(routes.patch(4, 2, 7)).toBe(false);
});

test('the retry budget is a hundred at once, then a tenth of what succeeds', () => {
  const budget = new RetryBudget();
  let taken = 0;
  while (budget.take(0)) taken++;
  expect(taken).toBe(100);
  let repeated = 0;
  for (let request = 0; request < 1000; request++) {
    budget.succeed();
    if (budget.take(0)) repeated++;
  }
  expect(repeated).toBe(100);
});

test('a spent retry budget comes back with time', () => {
  const budget = new RetryBudget();
  while (budget.take(0));
  expect(budget.take(2000)).toBe(false);
  expect(budget.take(6000)).toBe(true);
});

test('pauses without a leader grow with the search and stay below a second', () => {
  const random = { u32: () => 0, below: (limit: number) => limit - 1, fork: () => random };
  expect(seekDelayMs(random, 0)).toBeLessThanOrEqual(25);
  expect(seekDelayMs(random, 150)).toBeLessThanOrEqual(50);
  expect(seekDelayMs(random, 60_000)).toBeLessThanOrEqual(1000);
});
