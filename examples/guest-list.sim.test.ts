import { type TestCluster, testCluster } from '@flotilla/testkit';
import { expect, test } from 'vitest';
import { invite, inviteCarelessly } from './guest-list.ts';

// How the simulator finds a mistake that depends on timing: the same evening is played with many seeds, each with other
// delays of network and disks and other moments at which guests ask; and the seed at which it goes wrong goes
// wrong every time.

const SEATS = 6;
const SEEDS = [1, 2, 3, 4, 5];

type Invite = typeof invite;

/** Eight guests ask at two doors while a store is restarted; returns who was promised a seat, and who has one. */
async function evening(cluster: TestCluster, ask: Invite): Promise<{ promised: string[]; seated: string[] }> {
  return cluster.run(async () => {
    const promised: string[] = [];
    const door = async (name: string): Promise<void> => {
      const db = cluster.client({ name });
      for (let number = 1; number <= 4; number++) {
        await cluster.advance(40 * cluster.random());
        const guest = `${name} ${number}`;
        if (await ask(db, 'opening', guest, SEATS)) promised.push(guest);
      }
    };
    const doors = [door('north'), door('south')];
    cluster.restart('s2');
    await Promise.all(doors);
    const list = await cluster.client().get('opening');
    return { promised, seated: JSON.parse(list?.text() ?? '[]') as string[] };
  });
}

test('a careless program promises seats that are gone, and the seed that shows it shows it again', async () => {
  const failing: number[] = [];
  for (const seed of SEEDS) {
    using cluster = testCluster({ seed });
    const { promised, seated } = await evening(cluster, inviteCarelessly);
    if (promised.length !== seated.length) failing.push(seed);
    // The store did nothing wrong.
    cluster.check();
  }
  expect(failing.length).toBeGreaterThan(0);

  const [seed = 0] = failing;
  using once = testCluster({ seed });
  using again = testCluster({ seed });
  expect(await evening(again, inviteCarelessly)).toEqual(await evening(once, inviteCarelessly));
  expect(again.hash).toBe(once.hash);
});

test('with a condition on its write the program keeps its promises at every seed', async () => {
  for (const seed of SEEDS) {
    using cluster = testCluster({ seed });
    const { promised, seated } = await evening(cluster, invite);
    expect([seed, seated.toSorted()]).toEqual([seed, promised.toSorted()]);
    expect(seated).toHaveLength(SEATS);
    cluster.check();
  }
});
