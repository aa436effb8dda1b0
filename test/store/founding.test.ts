import { describe, expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';

function founded(bench: Bench): boolean {
  return bench.stores.every((store) => store.isRunning && store.node.config.number > 0);
}

function hasController(store: BenchStore): boolean {
  return store.isRunning && store.node.host.replica(0) !== undefined;
}

describe('a founding', () => {
  test('makes one cluster of blank stores, each with a replica of the controller group', () => {
    const bench = new Bench().bootstrap();
    const ids = new Set(bench.stores.map((store) => store.clusterId));
    expect(ids.size).toBe(1);
    bench.until(() => bench.stores.every(hasController));
    bench.until(() => bench.stores.every((store) => store.node.readiness().ready));
  });

  test('waits for all stores that it names', () => {
    const bench = new Bench();
    const ids = ['s1', 's2', 's3'];
    for (const store of bench.stores) store.bootstrap = ids;
    bench.store('s1').start();
    bench.store('s3').start();
    bench.run(20_000);
    expect(bench.store('s1').clusterId).toBeUndefined();
    expect(bench.store('s1').node.readiness().reasons).toContain('this store belongs to no cluster yet');
    bench.store('s2').start();
    bench.until(() => founded(bench));
  });

  test('that a crash of any store interrupts, at any moment, is finished after its restart', () => {
    const rehearsal = new Bench();
    rehearsal.bootstrap();
    const took = rehearsal.time.monoMs();
    for (const victim of ['s1', 's2', 's3']) {
      for (let at = 1; at < took + 60; at += 7) {
        const bench = new Bench();
        for (const store of bench.stores) {
          store.bootstrap = ['s1', 's2', 's3'];
          store.start();
        }
        bench.run(at);
        bench.store(victim).crash();
        bench.run(150);
        bench.store(victim).start();
        bench.until(() => founded(bench) && bench.stores.every(hasController));
        expect(new Set(bench.stores.map((store) => store.clusterId)).size).toBe(1);
      }
    }
  });

  test('goes on when the founder dies between its cluster id and its replica, and the others have joined', () => {
    const bench = new Bench();
    const founder = bench.store('s1');
    let wasHeld = false;
    founder.holdClusterId = () => {
      wasHeld = true;
    };
    for (const store of bench.stores) {
      store.bootstrap = ['s1', 's2', 's3'];
      store.start();
    }
    bench.until(() => wasHeld);
    founder.crash();
    founder.holdClusterId = undefined;
    founder.start();
    bench.until(() => bench.stores.every((store) => store.clusterId === founder.clusterId));
    expect(bench.stores.some(hasController)).toBe(false);
    bench.until(() => founded(bench) && bench.stores.every(hasController));
  });

  test('reaches a member that joined, and died, before it was told', () => {
    const bench = new Bench();
    const late = bench.store('s3');
    let wasHeld = false;
    late.holdClusterId = () => {
      wasHeld = true;
    };
    for (const store of bench.stores) {
      store.bootstrap = ['s1', 's2', 's3'];
      store.start();
    }
    bench.until(() => wasHeld);
    late.crash();
    late.holdClusterId = undefined;
    bench.run(5_000);
    late.start();
    bench.until(() => founded(bench) && hasController(late));
  });

  test('never happens again: a wiped founder joins, under another incarnation, and votes nowhere', () => {
    const bench = new Bench().bootstrap();
    const founder = bench.store('s1');
    const { clusterId } = founder;
    founder.wipe();
    founder.start();
    bench.until(() => founder.clusterId !== undefined);
    expect(founder.clusterId).toBe(clusterId);
    for (let life = 0; life < 3; life++) {
      bench.run(8_000);
      expect(hasController(founder)).toBe(false);
      founder.crash();
      founder.start();
    }
    bench.until(() => founder.node.config.number > 0);
    expect(bench.store('s2').node.host.replica(0)?.raft.leaderId).not.toBe(0);
  });

  test('a blank store without a list joins whom it meets; one of another cluster is refused', () => {
    const bench = new Bench({ count: 5 });
    const other = bench.store('s5');
    other.clusterId = 'another';
    const members = bench.stores.slice(0, 4);
    for (const store of members) {
      if (store.id !== 's4') store.bootstrap = ['s1', 's2', 's3'];
      store.start();
    }
    const joiner = bench.store('s4');
    bench.until(() => members.every((store) => store.node.config.number > 0));
    other.start();
    expect(joiner.clusterId).toBe(bench.store('s1').clusterId);
    bench.until(() => joiner.node.config.stores.some((store) => store.storeId === 's4'));
    bench.run(5_000);
    expect([...other.node.host.connectedPeers()]).toEqual([]);
    expect(other.node.config.number).toBe(0);
    expect(joiner.node.host.replica(0)).toBeUndefined();
  });
});

describe('the config', () => {
  test('reaches every store, survives its restart, and is asked for by one that was away', () => {
    const bench = new Bench().serving();
    const away = bench.store('s3');
    away.crash();
    const client = bench.client();
    const { number } = bench.store('s1').node.config;
    const reply = client.admin('leave', { requestId: 'l', gids: [1] });
    bench.until(() => reply.value !== undefined);
    away.start();
    expect(away.node.config.number).toBeGreaterThan(0);
    expect(away.node.config.number).toBeLessThanOrEqual(number);
    const newest = bench.store('s1').node.config.number;
    bench.until(() => away.node.config.number >= newest);
  });

  test('assigns every shard once, whoever leads the target in between', () => {
    const bench = new Bench({ shardCount: 64 }).bootstrap();
    const client = bench.client();
    const reply = client.admin('join', { requestId: 'j', groups: [{ gid: 1, stores: ['s1', 's2', 's3'] }] });
    bench.until(() => reply.value?.ok === true);
    const first = bench.leader(1);
    first.crash();
    const second = bench.leader(1);
    first.start();
    bench.run(60);
    second.crash();
    bench.leader(1);
    second.start();
    bench.until(() =>
      bench.stores.every((store) => store.node.config.shards.every(({ owner }) => owner === 1)),
    );
    for (const store of bench.stores) {
      for (const shard of store.node.config.shards)
        expect(shard).toMatchObject({ epoch: 1, intent: undefined });
    }
  });
});
