import { connect } from '@flotilla/client';
import { afterAll, expect, test } from 'vitest';
import { Appenders } from './harness/appenders.ts';
import { Cluster } from './harness/cluster.ts';
import { removeDirectories } from './harness/places.ts';
import { ends } from './harness/processes.ts';
import { endAll, type Running, runShell } from './harness/running.ts';

// The promise of the whole thing: stores die without warning, and nothing that was acknowledged is lost,
// doubled or out of order.

afterAll(async () => {
  await endAll();
  removeDirectories();
});

test('every acknowledged append survives kill -9 of each store in turn and of all at once', async () => {
  const cluster = await Cluster.start();
  await using db = await connect({ endpoints: [...cluster.endpoints], timeoutMs: 30_000 });
  const keys = Array.from({ length: 64 }, (_, at) => `append/${at}`);
  const appenders = new Appenders(db, { writers: 8, keys });
  await appenders.more(500);

  const pids = new Map(cluster.stores.map(({ id, pid }) => [id, pid]));
  const byHand = new Map<string, Running>();
  const commands = new Map<string, string>();

  const kill = async (id: string): Promise<void> => {
    const started = byHand.get(id);
    if (started !== undefined) {
      await started.stop('SIGKILL');
      return;
    }
    process.kill(pids.get(id) as number, 'SIGKILL');
    const { command } = await cluster.dev.event('store-ended', commands.size);
    commands.set(id, command as string);
    await ends(pids.get(id) as number);
  };
  const startAgain = (id: string): Promise<string> => {
    const running = runShell(commands.get(id) as string);
    byHand.set(id, running);
    return running.line(new RegExp(`^store ${id} is ready`));
  };

  for (const { id } of cluster.stores) {
    await kill(id);
    // Two of three go on without it.
    await appenders.more(500);
    await startAgain(id);
    await appenders.more(500);
  }
  await Promise.all(cluster.stores.map(({ id }) => kill(id)));
  await Promise.all(cluster.stores.map(({ id }) => startAgain(id)));
  await appenders.more(500);
  await appenders.stop();

  expect(await appenders.check()).toEqual([]);
  // Each outage is shorter than the deadline, so callers wait and nobody hears of it.
  expect([...appenders.refusals]).toEqual([]);
  expect(appenders.acknowledged).toBeGreaterThan(4_000);
  expect(await cluster.health('Healthy')).toMatch(/^Healthy: 3 stores up/);
});
