import { Prng } from '@flotilla/base';
import { CLIENTS, type Shape, shapeOf } from './cluster-shape.ts';
import { type FrozenHarm, type FrozenStore, frozenHarms } from './healed-core.ts';
import type { SimulationOptions } from './simulation.ts';
import {
  type FaultKind,
  faultKinds,
  makeSchedule,
  moveFaultKinds,
  type ScheduledFault,
} from './world/faults.ts';
import { drawOpenPoints, type OpenPoints } from './world/rare-dice.ts';

/**
 * Everything of a run that is decided before it begins, as data: what was drawn can be printed, written to a
 * file, cut down and run again, whatever later versions would draw from that seed. From the seed itself come
 * only the small things: delays, clocks, what each caller does next.
 */
export interface Schedule {
  readonly shape: Shape;
  /** The storm around the founding; times count from the start of the stores. Empty in most clusters. */
  readonly founding: readonly ScheduledFault[];
  /** Times count from half a second after the cluster was ready. */
  readonly faults: readonly ScheduledFault[];
  /** Points of the sources at which the rare branch may be taken, each with its chance. */
  readonly rare: OpenPoints;
  /** Stores that may stay broken when the faults end, in the order in which they are chosen. Empty in half of all runs. */
  readonly frozen: readonly FrozenStore[];
}

/** What may happen to stores that are just about to meet, and for how long. */
const FOUNDING_FAULTS: readonly FaultKind[] = [
  'crash',
  'power-cut',
  'black-out',
  'reset',
  'one-way',
  'slow',
  'disk',
];
export const FOUNDING_STORM_MS = 3_000;
const FOUNDING_STORM_CHANCE = 0.2;
const FROZEN_CHANCE = 0.5;

/** What the seed makes of these options. */
export function drawSchedule(options: SimulationOptions): Schedule {
  const { seed, seconds, movesMs, clients = CLIENTS } = options;
  const shape = shapeOf(options);
  const random = new Prng(seed);
  const stores = Array.from({ length: shape.stores }, (_, at) => `s${at + 1}`);
  const draw = (
    name: string,
    durationMs: number,
    kinds: readonly FaultKind[],
    callers: readonly string[],
  ): ScheduledFault[] =>
    makeSchedule(random.fork(name), {
      stores,
      clients: callers,
      groups: shape.groups,
      durationMs,
      kinds,
    }).filter((action) => action.atMs < durationMs);
  const isStormy = random.fork('founding').chance(FOUNDING_STORM_CHANCE);
  const early = (options.faults ?? FOUNDING_FAULTS).filter((kind) => FOUNDING_FAULTS.includes(kind));
  const fitting = faultKinds.filter((kind) => movesMs !== undefined || !moveFaultKinds.includes(kind));
  const callers = Array.from({ length: clients }, (_, at) => `c${at + 1}`);
  return {
    shape,
    founding: isStormy ? draw('founding faults', FOUNDING_STORM_MS, early, []) : [],
    faults: draw('faults', seconds * 1_000, options.faults ?? fitting, callers),
    rare: drawOpenPoints(random.fork('rare points')),
    frozen: random.fork('frozen?').chance(FROZEN_CHANCE) ? drawFrozen(random.fork('frozen'), stores) : [],
  };
}

function drawFrozen(random: Prng, stores: readonly string[]): FrozenStore[] {
  const left = [...stores];
  const drawn: FrozenStore[] = [];
  while (left.length > 0) {
    const [store] = left.splice(random.below(left.length), 1) as [string];
    drawn.push({ store, harm: frozenHarms[random.below(frozenHarms.length)] as FrozenHarm });
  }
  return drawn;
}
