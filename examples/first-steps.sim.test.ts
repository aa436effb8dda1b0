import { simulate, testCluster } from '@flotilla/testkit';
import { expect, test } from 'vitest';

// The examples of docs/simulating.md, which stand there word for word.

test('what was acknowledged survives a power cut of all stores', async () => {
  using cluster = testCluster({ seed: 1, stores: 3 });
  const db = cluster.client();
  await cluster.run(async () => {
    await db.put('alice', 'hello');
    cluster.powerCut(...cluster.stores);
    await cluster.advance(1_000);
    for (const store of cluster.stores) cluster.restart(store);
    expect((await db.get('alice'))?.text()).toBe('hello');
  });
  cluster.check();
});

for (const seed of [1, 2, 3]) {
  test(`a counter counts through five seconds of faults (seed ${seed})`, async () => {
    using cluster = testCluster({ seed });
    const db = cluster.client({ timeout: 30_000 });
    await cluster.run(async () => {
      const storm = cluster.storm(5_000);
      for (let number = 1; number <= 50; number++) {
        expect((await db.increment('visits')).value).toBe(number);
        await cluster.advance(100);
      }
      await storm;
    });
    cluster.check();
  });
}

test('reads go on while a shard moves to a new group', async () => {
  using cluster = testCluster({ stores: 4, groups: 1 });
  const db = cluster.client();
  await cluster.run(async () => {
    await db.put('alice', 'hello');
    await db.admin.join({ 2: ['s2', 's3', 's4'] });
    while ((await db.admin.moves()).length > 0) {
      expect((await db.get('alice'))?.text()).toBe('hello');
      await cluster.advance(20);
    }
  });
  cluster.check();
});

test('the cluster itself keeps its promises for a seed of our own', () => {
  const result = simulate({ seed: 42, seconds: 2, faults: ['power-cut', 'partition'] });
  expect(result.failure?.report()).toBeUndefined();
  expect(result.operations).toBeGreaterThan(0);
});
