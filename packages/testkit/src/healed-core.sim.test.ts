import { must } from '@flotilla/base';
import { expect, test } from 'vitest';
import { HealedCore } from './healed-core.ts';
import { SimCluster } from './sim-cluster.ts';

const stores = ['s1', 's2', 's3', 's4', 's5'];

function founded(): SimCluster {
  const shape = { stores: stores.length, groups: 3, shards: 16, tuning: {}, pieceBytes: 4_096 };
  const cluster = new SimCluster(3, shape);
  cluster.found();
  return cluster;
}

test('of the stores that may stay broken as many do as all groups can spare, and the cluster goes on', () => {
  const cluster = founded();
  const core = new HealedCore(cluster);
  core.begin(stores.map((store) => ({ store, harm: 'crash' })));
  expect(core.frozen.size).toBeGreaterThanOrEqual(1);
  const config = must(cluster.newestConfig(), 'a config');
  for (const { replicas } of [config.controller, ...config.groups]) {
    const left = replicas.filter(({ storeId }) => cluster.store(storeId).isRunning);
    expect(left.length * 2).toBeGreaterThan(replicas.length);
  }
  const client = cluster.addClient('c1');
  const running = stores.filter((store) => !core.frozen.has(store)).slice(0, 3);
  const params = { plan: false, groups: [{ gid: 50, stores: running }] };
  expect(cluster.ask(client, 'join', params, 30_000)).toBeUndefined();
  core.end();
  for (const store of cluster.stores) expect(store.isRunning).toBe(true);
});

test('a store that stays broken is mended when a config gives it a group that needs it', () => {
  const cluster = founded();
  const core = new HealedCore(cluster);
  core.begin([{ store: 's5', harm: 'crash' }]);
  expect([...core.frozen]).toEqual(['s5']);
  const client = cluster.addClient('c1');
  const params = { plan: false, groups: [{ gid: 50, stores: ['s5'] }] };
  expect(cluster.ask(client, 'join', params, 30_000)).toBeUndefined();
  cluster.world.time.advance(100);
  expect(core.frozen.size).toBe(0);
  expect(cluster.store('s5').isRunning).toBe(true);
});

test('a replica that its disk has cost counts for no majority', () => {
  const cluster = founded();
  const config = must(cluster.newestConfig(), 'a config');
  const [lost, other] = must(config.groups[0], 'a group').replicas;
  cluster.store(must(lost, 'a replica').storeId).replaceDisk();
  const core = new HealedCore(cluster);
  core.begin([{ store: must(other, 'a replica').storeId, harm: 'pause' }]);
  expect(core.frozen.size).toBe(0);
});
