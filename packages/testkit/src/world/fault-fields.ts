import { MoveStep } from '@flotilla/wire';
import { fieldsOf, flagOf, InputError, listOf, numberOf, oneOf, partOf, textOf, wholeOf } from '../input.ts';
import { type FaultAction, harms, moveEnds, type ScheduledFault } from './faults.ts';

/** How each field of each action is read back from a file; an action without a row here does not compile. */

type Read = (value: unknown, place: string, stores: readonly string[]) => unknown;
type FieldsOf<A> = { readonly [F in Exclude<keyof A, 'kind' | 'atMs'>]: Read };
type Table = { readonly [K in FaultAction['kind']]: FieldsOf<Extract<FaultAction, { readonly kind: K }>> };

const PACES = [0.6, 1.8] as const;

const text: Read = textOf;
const flag: Read = flagOf;
const number: Read = (value, place) => numberOf(value, place);
const duration: Read = (value, place) => numberOf(value, place, 0);
const whole: Read = (value, place) => wholeOf(value, place, 0);
const texts: Read = (value, place) => {
  return listOf(value, place).map((each, at) => textOf(each, `${place}[${at}]`));
};
const part: Read = partOf;
const store: Read = (value, place, stores) => {
  if (stores.includes(textOf(value, place))) return value;
  throw new InputError(place, `there is no store "${value}" among ${stores.join(', ')}`);
};
/** Far beyond what leases allow for; a clock that stands still would never come to an end. */
const pace: Read = (value, place) => {
  if (numberOf(value, place, PACES[0]) <= PACES[1]) return value;
  throw new InputError(place, `a clock goes at ${PACES[0]} to ${PACES[1]} of its speed, not at ${value}`);
};
const oneOfThese =
  (choices: readonly unknown[]): Read =>
  (value, place) =>
    oneOf(value, place, choices);

const onStore = { store };
const named = { name: text };
const onLeader = { name: text, gid: whole };
const losses = { loss: part, doubles: part, late: part };

const table: Table = {
  crash: onStore,
  'power-cut': onStore,
  'fail-commit': onStore,
  restart: onStore,
  pause: onStore,
  resume: onStore,
  cut: { name: text, directions: texts },
  slow: { name: text, left: text, right: text, ms: duration },
  heal: named,
  reset: { left: text, right: text, told: texts },
  lossy: losses,
  damage: { probability: part },
  disk: { store, delayMs: duration },
  stall: onStore,
  unstall: onStore,
  'clock-step': { store, ms: number },
  'leader-crash': onLeader,
  'leader-pause': onLeader,
  'leader-cut': onLeader,
  'leader-drop': onLeader,
  'leader-back': named,
  deaf: { name: text, store },
  hearing: named,
  'move-frames': losses,
  'move-leader': { name: text, end: oneOfThese(moveEnds), harm: oneOfThese(harms), choice: whole },
  'move-step': {
    name: text,
    step: oneOfThese(Object.values(MoveStep)),
    asLeader: flag,
    harm: oneOfThese(harms),
    delayMs: duration,
    forMs: duration,
  },
  bandwidth: { name: text, left: text, right: text, bytesPerMs: duration },
  'torn-frame': { left: text, right: text },
  drift: { store, factor: pace },
  'full-disk': { store, freeBytes: whole },
  room: onStore,
  'fail-state-commit': onStore,
  'fail-read': onStore,
  'blank-disk': onStore,
  'copy-state': onStore,
  'old-state': onStore,
  'bit-flip': { store, choice: whole },
};

const kinds = Object.keys(table) as FaultAction['kind'][];

/** Actions in order of time, on stores of these names. Throws {@link InputError}. */
export function readFaults(value: unknown, place: string, stores: readonly string[]): ScheduledFault[] {
  let last = 0;
  return listOf(value, place).map((each, at) => {
    const action = readFault(each, `${place}[${at}]`, stores);
    if (action.atMs < last) {
      throw new InputError(
        `${place}[${at}].atMs`,
        `${action.atMs} comes after ${last}: write actions in order`,
      );
    }
    last = action.atMs;
    return action;
  });
}

function readFault(value: unknown, place: string, stores: readonly string[]): ScheduledFault {
  const kind = oneOf(fieldsOf(value, place).kind, `${place}.kind`, kinds);
  const row: Readonly<Record<string, Read>> = table[kind];
  const fields = fieldsOf(value, place, ['atMs', 'kind', 'strike', ...Object.keys(row)]);
  const action: Record<string, unknown> = {
    atMs: numberOf(fields.atMs, `${place}.atMs`, 0),
    kind,
  };
  for (const [name, read] of Object.entries(row)) {
    action[name] = read(fields[name], `${place}.${name}`, stores);
  }
  action.strike = textOf(fields.strike, `${place}.strike`);
  return action as unknown as ScheduledFault;
}
