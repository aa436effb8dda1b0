import type { SimCluster } from '@flotilla/testkit/internal';

/**
 * A bad network for the whole cluster. What a course of datagrams loses, a stream cannot: towards clients a
 * request or reply that is lost is a connection that breaks, with all that was on its way. Between stores
 * connections hold, and what no stream rests on (consensus, moves) is lost one by one.
 */

/** Every message takes from nothing to so long. */
export const DELAY_MS_MAX = 26;
/** One request in ten never arrives, and one reply in ten. */
export const LOSS = 0.1;
/** Two replies in three are held … */
export const HELD = 2 / 3;
/** … for 200 ms to 2.2 s. */
const HELD_MS_MIN = 200;
const HELD_MS_MAX = 2_200;

export const networks = ['reliable', 'unreliable', 'reordering'] as const;
export type NetworkKind = (typeof networks)[number];

/** Until the cluster is healed. */
export function spoil({ world, clients }: SimCluster, kind: NetworkKind): void {
  if (kind === 'reliable') return;
  const { links, frames, moveFrames } = world;
  const random = world.random.fork('weather');
  const isReordering = kind === 'reordering';
  links.quality = { ...world.quality, delayMs: 0, jitterMs: DELAY_MS_MAX };
  Object.assign(frames, { loss: LOSS, late: isReordering ? HELD : 0 });
  Object.assign(moveFrames, { loss: LOSS, late: isReordering ? HELD : 0 });
  const isCaller = (node: string): boolean => clients.some((client) => client.id === node);
  links.weather = (from, to, bytes) => {
    // Nothing is on its way while a connection opens or closes.
    const isReply = isCaller(to);
    if (bytes === 0 || !(isReply || isCaller(from))) return 0;
    if (random.chance(LOSS)) return undefined;
    if (!isReordering || !isReply || !random.chance(HELD)) return 0;
    return HELD_MS_MIN + random.unit() * (HELD_MS_MAX - HELD_MS_MIN);
  };
}

export function clear({ world }: SimCluster): void {
  world.links.weather = () => 0;
}
