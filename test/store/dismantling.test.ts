import { Writer } from '@flotilla/base';
import { Lane } from '@flotilla/ports';
import { BatchStatus, type ClusterConfig, FrameKind, writeConfig } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';

const SHARDS = 16;

/** The config after this one, without group 1. */
function without(config: ClusterConfig): ClusterConfig {
  const shards = config.shards.map((shard) => ({ ...shard, owner: 0 }));
  return { ...config, number: config.number + 1, groups: [], shards };
}

/** Every running store hears of a config, as if the controller had made it. */
function tellAll(bench: Bench, config: ClusterConfig): void {
  const out = new Writer(4096);
  writeConfig(out, config);
  const body = out.take();
  const [first, ...others] = bench.stores.filter((store) => store.isRunning) as [BenchStore, ...BenchStore[]];
  for (const store of others) {
    first.links.send(store.id, Lane.consensus, FrameKind.config, body, 'normal');
  }
  others[0]?.links.send(first.id, Lane.consensus, FrameKind.config, body, 'normal');
  bench.until(() => bench.stores.every((store) => !store.isRunning || isAt(store, config.number)));
}

function isAt(store: BenchStore, number: number): boolean {
  return store.node.config.number >= number;
}

function keysOfGroup1(store: BenchStore): number {
  let count = 0;
  store.state.scan(Uint8Array.of(0, 0, 0, 1), Uint8Array.of(0, 0, 0, 2), () => {
    count++;
    return true;
  });
  return count;
}

function isForgotten(bench: Bench, store: BenchStore): void {
  bench.until(() => store.node.host.replica(1) === undefined && keysOfGroup1(store) === 0);
  expect(store.fatal).toEqual([]);
  expect([...store.node.host.unopened()]).toEqual([]);
}

test('a group that a newer config does not name ends on every store, and its writers are told', () => {
  const bench = new Bench().serving();
  const leader = bench.leader(1);
  const client = bench.client(leader);
  const kept = client.put(['a', 'b'], SHARDS);
  bench.until(() => client.batches.has(kept));
  const inFlight = client.put(['c'], SHARDS);
  bench.run(0.4);
  tellAll(bench, without(leader.node.config));
  for (const store of bench.stores) isForgotten(bench, store);
  bench.until(() => client.batches.has(inFlight));
  const late = client.put(['d'], SHARDS);
  bench.until(() => client.batches.has(late));
  expect(client.batches.get(late)?.status).not.toBe(BatchStatus.results);
  // The controller group goes on, and so does each store after a restart.
  bench.leader(0);
  for (const store of bench.stores) {
    expect(store.events.filter((event) => event.startsWith('group-dismantled'))).toHaveLength(1);
    store.crash();
    store.start();
  }
  bench.run(2_000);
  for (const store of bench.stores) isForgotten(bench, store);
  bench.leader(0);
});

test('a store that was away when its group ended drops its replica as soon as it hears of it', () => {
  const bench = new Bench().serving();
  const away = bench.stores.find((store) => store !== bench.leader(1)) as BenchStore;
  away.crash();
  const config = without(bench.leader(1).node.config);
  tellAll(bench, config);
  away.start();
  expect(away.node.host.replica(1)).toBeDefined();
  bench.until(() => isAt(away, config.number));
  isForgotten(bench, away);
});

test('a replica that could not be opened ends with its group', () => {
  const bench = new Bench().serving();
  const sick = bench.stores.find((store) => store !== bench.leader(1)) as BenchStore;
  const group = sick.node.host.replica(1)?.group;
  if (group === undefined) throw new Error('no replica');
  sick.log.corrupt(group);
  sick.crash();
  sick.start();
  expect([...sick.node.host.unopened()]).toHaveLength(1);
  tellAll(bench, without(bench.leader(1).node.config));
  isForgotten(bench, sick);
});

test('wherever a store crashes while it drops a replica, it has dropped it in the end', () => {
  for (let at = 0; at < 12; at += at < 2 ? 0.1 : 1) {
    const bench = new Bench().serving();
    const victim = bench.store('s2');
    const config = without(victim.node.config);
    tellAll(bench, config);
    bench.run(at);
    victim.crash();
    victim.start();
    bench.until(() => isAt(victim, config.number));
    isForgotten(bench, victim);
  }
});
