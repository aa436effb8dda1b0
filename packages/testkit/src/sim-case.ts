import { rarePoints } from '@flotilla/ports';
import { moveTuning } from '@flotilla/store';
import type { Shape } from './cluster-shape.ts';
import { type FrozenStore, frozenHarms } from './healed-core.ts';
import { fieldsOf, InputError, listOf, numberOf, oneOf, partOf, textOf, wholeOf } from './input.ts';
import type { Schedule } from './schedule.ts';
import type { SimulationOptions } from './simulation.ts';
import { readFaults } from './world/fault-fields.ts';
import type { OpenPoints } from './world/rare-dice.ts';

/** A run kept in a file: everything that it depends on, and what it once found. */
export interface SimCase {
  readonly found: Found;
  readonly options: Pick<SimulationOptions, 'seed' | 'seconds' | 'movesMs' | 'clients' | 'workersPerClient'>;
  readonly schedule: Schedule;
}

export interface Found {
  /** Why the file is kept, for people. */
  readonly story: string;
  readonly checker: string;
  readonly message: string;
  /** The sources that failed. */
  readonly commit: string;
}

const SECONDS_MAX = 3_600;
const STORES_MAX = 9;
const CHANCE_MAX = 0.5;

type ShapeRow = { readonly [F in keyof Shape]: (value: unknown, place: string) => Shape[F] };

const whole =
  (least: number, most?: number) =>
  (value: unknown, place: string): number =>
    wholeOf(value, place, least, most);
const pause = (value: unknown, place: string): number => numberOf(value, place, 0);

const shapeRow: ShapeRow = {
  stores: whole(1, STORES_MAX),
  groups: whole(1, 64),
  shards: whole(1, 4_096),
  logKeepBytes: whole(0),
  pieceBytes: whole(1),
  moveTuning: (value, place) => {
    const names = Object.keys(moveTuning);
    const fields = Object.entries(fieldsOf(value, place, names));
    return Object.fromEntries(fields.map(([name, each]) => [name, wholeOf(each, `${place}.${name}`, 1)]));
  },
  thinkMs: pause,
  // Who has nothing to do looks again at once, for ever.
  operatorPauseMs: (value, place) => numberOf(value, place, 1),
  moveBytesPerSecond: whole(0),
  registers: whole(1),
  lists: whole(1),
  counters: whole(1),
};

/** Throws {@link InputError} that names the place of what is wrong. */
export function readCase(text: string): SimCase {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError('', `this is no JSON: ${(error as Error).message}`);
  }
  const fields = fieldsOf(value, '', ['found', 'options', 'schedule']);
  return {
    found: readFound(fields.found),
    options: readOptions(fields.options),
    schedule: readSchedule(fields.schedule, 'schedule'),
  };
}

function readFound(value: unknown): Found {
  const fields = fieldsOf(value, 'found', ['story', 'checker', 'message', 'commit']);
  return {
    story: textOf(fields.story, 'found.story'),
    checker: textOf(fields.checker, 'found.checker'),
    message: textOf(fields.message, 'found.message'),
    commit: textOf(fields.commit, 'found.commit'),
  };
}

function readOptions(value: unknown): SimCase['options'] {
  const names = ['seed', 'seconds', 'movesMs', 'clients', 'workersPerClient'];
  const { seed, seconds, movesMs, clients, workersPerClient } = fieldsOf(value, 'options', names);
  return {
    seed: wholeOf(seed, 'options.seed', 0, 0xffff_ffff),
    seconds: wholeOf(seconds, 'options.seconds', 1, SECONDS_MAX),
    ...(movesMs === undefined ? {} : { movesMs: wholeOf(movesMs, 'options.movesMs', 1) }),
    ...(clients === undefined ? {} : { clients: wholeOf(clients, 'options.clients', 0, 64) }),
    ...(workersPerClient === undefined
      ? {}
      : { workersPerClient: wholeOf(workersPerClient, 'options.workersPerClient', 0, 64) }),
  };
}

/** Throws {@link InputError}. */
export function readSchedule(value: unknown, place: string): Schedule {
  const fields = fieldsOf(value, place, ['shape', 'founding', 'faults', 'rare', 'frozen']);
  const names = Object.keys(shapeRow) as (keyof Shape)[];
  const given = fieldsOf(fields.shape, `${place}.shape`, names);
  const entries = names.map((name) => [name, shapeRow[name](given[name], `${place}.shape.${name}`)]);
  const shape = Object.fromEntries(entries) as Shape;
  const stores = Array.from({ length: shape.stores }, (_, at) => `s${at + 1}`);
  return {
    shape,
    founding: readFaults(fields.founding, `${place}.founding`, stores),
    faults: readFaults(fields.faults, `${place}.faults`, stores),
    rare: readPoints(fields.rare, `${place}.rare`),
    frozen: readFrozen(fields.frozen, `${place}.frozen`, stores),
  };
}

function readFrozen(value: unknown, place: string, stores: readonly string[]): readonly FrozenStore[] {
  return listOf(value, place).map((each, at) => {
    const { store, harm } = fieldsOf(each, `${place}[${at}]`, ['store', 'harm']);
    return {
      store: oneOf(store, `${place}[${at}].store`, stores),
      harm: oneOf(harm, `${place}[${at}].harm`, frozenHarms),
    };
  });
}

function readPoints(value: unknown, place: string): OpenPoints {
  const fields = Object.entries(fieldsOf(value, place, Object.keys(rarePoints)));
  return Object.fromEntries(fields.map(([name, each]) => [name, chanceOf(each, `${place}.${name}`)]));
}

/** What is put off each time that it is looked at never comes. */
function chanceOf(value: unknown, place: string): number {
  if (partOf(value, place) <= CHANCE_MAX) return value as number;
  throw new InputError(place, `a rare branch has a chance of ${CHANCE_MAX} at most, not ${value}`);
}

/** As people like to read it: one action a line. */
export function caseText({ found, options, schedule }: SimCase): string {
  const lines = (actions: readonly unknown[]): string => {
    return actions.length === 0
      ? '[]'
      : `[\n${actions.map((each) => `      ${JSON.stringify(each)}`).join(',\n')}\n    ]`;
  };
  const indented = (value: unknown, by: string): string =>
    JSON.stringify(value, undefined, 2).replaceAll('\n', `\n${by}`);
  return `{
  "found": ${indented(found, '  ')},
  "options": ${indented(options, '  ')},
  "schedule": {
    "shape": ${indented(schedule.shape, '    ')},
    "founding": ${lines(schedule.founding)},
    "faults": ${lines(schedule.faults)},
    "rare": ${indented(schedule.rare, '    ')},
    "frozen": ${lines(schedule.frozen)}
  }
}
`;
}

/** The run that the file describes. */
export function caseOptions({ options, schedule }: SimCase): SimulationOptions {
  return { ...options, schedule };
}
