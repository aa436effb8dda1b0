import { type TestCluster, testCluster } from '@flotilla/testkit';
import { expect, test } from 'vitest';
import { JobQueue } from './job-queue.ts';

// The queue is tested against a cluster that fails: real stores and the real client in this process, on a simulated
// network with simulated disks and clocks. A minute there takes well under a second, and a seed that fails fails again.

const JOBS = 12;
const LEASE_MS = 2_000;

/** Takes jobs until all are done; returns how often each was finished by this worker. */
async function work(cluster: TestCluster, name: string, workMs: () => number): Promise<string[]> {
  const db = cluster.client({ name, timeout: 30_000 });
  const queue = new JobQueue(db, { leaseMs: LEASE_MS, now: () => cluster.now() });
  const finished: string[] = [];
  for (;;) {
    const job = await queue.take();
    if (job === undefined) {
      const results = [...(await queue.results()).values()];
      if (results.every((result) => result !== undefined)) return finished;
      await cluster.advance(100);
      continue;
    }
    await cluster.advance(workMs());
    if (await queue.finish(job, `${job.task} by ${name}`)) finished.push(job.task);
  }
}

for (const seed of [1, 2]) {
  test(`every job is done once, through a power cut and a partition (seed ${seed})`, async () => {
    using cluster = testCluster({ seed, stores: 3 });
    await cluster.run(async () => {
      const queue = new JobQueue(cluster.client(), { leaseMs: LEASE_MS, now: () => cluster.now() });
      for (let number = 1; number <= JOBS; number++) await queue.add(`${number}`, `task ${number}`);

      const workers = ['anna', 'bert', 'cleo'].map((name) =>
        // Now and then a worker takes longer than it may keep a job, and somebody else does it meanwhile.
        work(cluster, name, () => (cluster.random() < 0.1 ? 2 * LEASE_MS : 200 * cluster.random())),
      );

      await cluster.advance(200);
      cluster.powerCut(cluster.leaderOf('job/1') ?? 's1');
      await cluster.advance(1_000);
      cluster.recover();
      cluster.partition(['s2', 'bert']);
      await cluster.advance(3_000);
      cluster.heal();

      const finished = (await Promise.all(workers)).flat();
      expect(finished.toSorted()).toEqual(
        Array.from({ length: JOBS }, (_, at) => `task ${at + 1}`).toSorted(),
      );
      for (const [name, result] of await queue.results()) expect(result).toMatch(`task ${name} by `);
    });
    // Not about the queue, but about the cluster: the calls of all clients have one order that explains them.
    cluster.check();
  });
}
