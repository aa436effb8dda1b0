import { Prng, VirtualTime, Xxh64 } from '@flotilla/base';
import { connectOver } from '../connect.ts';
import type { Db } from '../db.ts';
import type { FlotillaError } from '../index.ts';
import { FakeCluster } from './fake-cluster.ts';
import { FakeNetwork } from './fake-network.ts';
import { jsonCodec } from './json-codec.ts';

/** The facade beside the fake cluster; virtual time goes on while a promise is open. */
export class Bench {
  readonly time: VirtualTime = new VirtualTime();
  readonly network: FakeNetwork = new FakeNetwork(this.time);
  readonly cluster: FakeCluster = new FakeCluster(this.time, this.network, 8, ['s1', 's2', 's3'], [1, 2]);

  connect(): Promise<Db> {
    const ports = {
      network: this.network,
      timers: this.time,
      clock: this.time,
      random: new Prng(3),
      hasher: new Xxh64(),
      coldCodec: jsonCodec,
    };
    return this.run(connectOver(ports, { endpoints: ['s1.test:1', 's2.test:1', 's3.test:1'] }));
  }

  async run<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    work.then(over, over);
    for (let step = 0; step < 100_000 && !isOver; step++) {
      await Promise.resolve();
      this.time.runNext();
    }
    return work;
  }

  async failureOf(work: Promise<unknown>): Promise<FlotillaError> {
    return this.run(work).then(
      () => {
        throw new Error('it should have failed');
      },
      (error) => error,
    );
  }
}
