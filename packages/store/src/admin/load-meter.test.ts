import type { Host } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';
import { expect, test } from 'vitest';
import { LoadMeter } from './load-meter.ts';

/** A replica whose counters a test turns. */
class FakeReplica {
  isServing = true;
  applyMs = 0;
  counts = new Map<number, number>();
  machine = this.fresh();

  /** Another machine counts from zero. */
  fresh(): DataGroup {
    const loads = (): object[] =>
      [...this.counts].map(([shard, operations]) => ({ shard, operations, bytes: 0 }));
    this.counts = new Map();
    return Object.assign(Object.create(DataGroup.prototype), { loads });
  }
}

function meterOf(...replicas: FakeReplica[]) {
  let now = 0;
  const meter = new LoadMeter({ replicas: () => replicas } as unknown as Host, () => now);
  return {
    /** Lets seconds pass, in each of which the work is done. */
    run(seconds: number, work: () => void = () => {}): void {
      for (let second = 0; second < seconds; second++) {
        now += 1_000;
        work();
        meter.tick();
      }
    },
    rate: (replica: FakeReplica, shard: number) => meter.rate(replica as never, shard),
  };
}

function count(replica: FakeReplica, shard: number, operations: number): void {
  replica.counts.set(shard, (replica.counts.get(shard) ?? 0) + operations);
}

test('operations are counted per second, and the time of the group is shared out by them', () => {
  const replica = new FakeReplica();
  const meter = meterOf(replica);
  const work = (): void => {
    count(replica, 1, 300);
    count(replica, 2, 100);
    replica.applyMs += 8;
  };
  meter.run(9, work);
  expect(meter.rate(replica, 1)).toBeUndefined();
  meter.run(1, work);
  expect(meter.rate(replica, 1)).toEqual({ operations: 300, cpuMs: 6 });
  expect(meter.rate(replica, 2)).toEqual({ operations: 100, cpuMs: 2 });
  expect(meter.rate(replica, 3)).toEqual({ operations: 0, cpuMs: 0 });
});

test('a change shows slowly: after half a minute about two thirds of it', () => {
  const replica = new FakeReplica();
  const meter = meterOf(replica);
  meter.run(10, () => count(replica, 1, 100));
  meter.run(30, () => count(replica, 1, 1_100));
  const { operations = 0 } = meter.rate(replica, 1) ?? {};
  expect(operations).toBeGreaterThan(700);
  expect(operations).toBeLessThan(760);
  meter.run(300);
  expect(meter.rate(replica, 1)?.operations).toBeLessThan(1);
});

test('nothing is known of a replica that has just begun to lead, or whose state was replaced', () => {
  const replica = new FakeReplica();
  const meter = meterOf(replica);
  const work = (): void => count(replica, 1, 100);
  meter.run(20, work);
  replica.isServing = false;
  meter.run(5, work);
  expect(meter.rate(replica, 1)).toBeUndefined();
  replica.isServing = true;
  meter.run(5, work);
  expect(meter.rate(replica, 1)).toBeUndefined();
  meter.run(5, work);
  expect(meter.rate(replica, 1)?.operations).toBe(100);
  replica.machine = replica.fresh();
  meter.run(5, work);
  expect(meter.rate(replica, 1)).toBeUndefined();
  meter.run(5, work);
  expect(meter.rate(replica, 1)?.operations).toBe(100);
});
