import { FaultHand } from '../fault-hand.ts';
import type { SimCluster } from '../sim-cluster.ts';
import { EventKind } from '../world/event-log.ts';
import { actionWords } from '../world/fault-words.ts';
import { makeSchedule } from '../world/faults.ts';

/** What programs of users must live with. Disks that lose what they had kept are left to tests of the stores. */
export const stormKinds = [
  'crash',
  'power-cut',
  'black-out',
  'pause',
  'partition',
  'one-way',
  'slow',
  'reset',
  'half-open',
  'lossy',
  'disk',
  'stall',
  'leader-crash',
  'leader-pause',
  'leader-cut',
  'leader-drop',
] as const;

export type StormKind = (typeof stormKinds)[number];

/** Sets up a random choice of faults for the next so many milliseconds; whoever calls it heals the cluster then. */
export function planStorm(
  cluster: SimCluster,
  number: number,
  durationMs: number,
  kinds: readonly StormKind[],
): void {
  const { world, stores, clients, options } = cluster;
  const hand = new FaultHand(cluster);
  const schedule = makeSchedule(world.random.fork(`storm ${number}`), {
    stores: stores.map((store) => store.id),
    clients: clients.map((client) => client.id),
    groups: options.groups,
    durationMs,
    kinds,
  });
  for (const action of schedule) {
    // What would end later is ended by the healing.
    if (action.atMs >= durationMs) continue;
    world.time.set(action.atMs, () => {
      world.events.mixText(EventKind.fault, action.kind);
      if (hand.apply(action)) world.events.tell(`fault: ${actionWords(action)}`);
    });
  }
}
