import type { Prng } from '@flotilla/base';
import { type RareBranches, type RarePoint, rarePoints } from '@flotilla/ports';

/** Points that are open in a run, and the chance of the rare branch at each. */
export type OpenPoints = { readonly [point in RarePoint]?: number };

const allPoints: readonly RarePoint[] = Object.keys(rarePoints) as RarePoint[];

const OPEN_CHANCE = 0.25;
const [TAKE_CHANCE_MIN, TAKE_CHANCE_MAX] = [0.01, 0.1];

/** A quarter of all points, each with a chance of its own: a run in which everything is rare would see nothing else. */
export function drawOpenPoints(random: Prng): OpenPoints {
  const open: { [point in RarePoint]?: number } = {};
  for (const point of allPoints) {
    const stream = random.fork(point);
    if (!stream.chance(OPEN_CHANCE)) continue;
    const chance = TAKE_CHANCE_MIN + stream.unit() * (TAKE_CHANCE_MAX - TAKE_CHANCE_MIN);
    open[point] = Number(chance.toFixed(3));
  }
  return open;
}

/** Decides at the rare points of all processes of one world. Nothing is rare until points are opened. */
export class RareDice {
  /** How often the rare branch was taken, by point. */
  readonly taken: Map<RarePoint, number> = new Map();
  readonly #random: Prng;
  #open = new Map<RarePoint, number>();

  constructor(random: Prng) {
    this.#random = random;
  }

  open(points: OpenPoints): void {
    this.#open = new Map(Object.entries(points) as [RarePoint, number][]);
  }

  /** From now on everything goes its usual way. */
  rest(): void {
    this.#open.clear();
  }

  /** The dice of one process, or of one disk. */
  of(name: string): RareBranches {
    const random = this.#random.fork(name);
    // A stream for each point: leaving one out does not shift the others.
    const streams = new Map<RarePoint, Prng>();
    return {
      take: (point) => {
        const chance = this.#open.get(point);
        if (chance === undefined) return false;
        const stream = streams.get(point) ?? random.fork(point);
        streams.set(point, stream);
        if (!stream.chance(chance)) return false;
        this.taken.set(point, (this.taken.get(point) ?? 0) + 1);
        return true;
      },
    };
  }
}
