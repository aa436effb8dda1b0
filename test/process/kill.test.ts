import { connect } from '@flotilla/client';
import { afterAll, expect, test } from 'vitest';
import { Appenders } from './harness/appenders.ts';
import { Fleet } from './harness/fleet.ts';
import { removeDirectories } from './harness/places.ts';
import { endAll } from './harness/running.ts';
import { health } from './harness/waits.ts';

// The promise of the whole thing: stores die without warning, and nothing that was acknowledged is lost,
// doubled or out of order.

afterAll(async () => {
  await endAll();
  removeDirectories();
});

test('every acknowledged append survives kill -9 of each store in turn and of all at once', async () => {
  const fleet = await Fleet.around({ more: 0 });
  await using db = await connect({ endpoints: fleet.endpoints, timeoutMs: 30_000 });
  const keys = Array.from({ length: 64 }, (_, at) => `append/${at}`);
  const appenders = new Appenders(db, { writers: 8, keys });
  await appenders.more(500);

  for (const id of fleet.ids) {
    await fleet.kill(id);
    // Two of three go on without it.
    await appenders.more(500);
    await fleet.revive(id);
    await appenders.more(500);
  }
  await fleet.kill(...fleet.ids);
  await fleet.revive(...fleet.ids);
  await appenders.more(500);
  await appenders.stop();

  expect(await appenders.check()).toEqual([]);
  // Each outage is shorter than the deadline, so callers wait and nobody hears of it.
  expect([...appenders.refusals]).toEqual([]);
  expect(appenders.acknowledged).toBeGreaterThan(4_000);
  expect(await health(fleet, 'Healthy')).toMatch(/^Healthy: 3 stores up/);
});
