import type { Prng } from '@flotilla/base';
import { MoveStep } from '@flotilla/wire';
import { lossKinds, type MachineAction, machinePausesMs, machineStrike } from './machine-faults.ts';

/**
 * Faults are data, made before the run: a list that can be printed, cut down and replayed. Times are
 * milliseconds after the cluster was ready.
 */
export type FaultAction = { readonly atMs: number } & (
  | MachineAction
  | { readonly kind: 'crash'; readonly store: string }
  | { readonly kind: 'power-cut'; readonly store: string }
  /** The next log commit fails: the process must stop by itself. */
  | { readonly kind: 'fail-commit'; readonly store: string }
  | { readonly kind: 'restart'; readonly store: string }
  | { readonly kind: 'pause'; readonly store: string }
  | { readonly kind: 'resume'; readonly store: string }
  /** Directions `from>to` that carry nothing until the heal of that name. */
  | { readonly kind: 'cut'; readonly name: string; readonly directions: readonly string[] }
  | {
      readonly kind: 'slow';
      readonly name: string;
      readonly left: string;
      readonly right: string;
      readonly ms: number;
    }
  | { readonly kind: 'heal'; readonly name: string }
  | {
      readonly kind: 'reset';
      readonly left: string;
      readonly right: string;
      readonly told: readonly string[];
    }
  /** Consensus frames are lost, doubled or late inside working connections. */
  | { readonly kind: 'lossy'; readonly loss: number; readonly doubles: number; readonly late: number }
  | { readonly kind: 'damage'; readonly probability: number }
  | { readonly kind: 'disk'; readonly store: string; readonly delayMs: number }
  | { readonly kind: 'stall'; readonly store: string }
  | { readonly kind: 'unstall'; readonly store: string }
  | { readonly kind: 'clock-step'; readonly store: string; readonly ms: number }
  /** Whoever leads the group then: named only when it happens, so that a schedule need not know the run. */
  | { readonly kind: 'leader-crash'; readonly name: string; readonly gid: number }
  | { readonly kind: 'leader-pause'; readonly name: string; readonly gid: number }
  /** From all other stores, while clients still reach it. */
  | { readonly kind: 'leader-cut'; readonly name: string; readonly gid: number }
  /** The same, and its connections break: others need not wait for its silence. */
  | { readonly kind: 'leader-drop'; readonly name: string; readonly gid: number }
  /** Undoes the action of that name. */
  | { readonly kind: 'leader-back'; readonly name: string }
  /** What belongs to moves is lost, doubled or late, some of it by seconds: any age must do no harm. */
  | { readonly kind: 'move-frames'; readonly loss: number; readonly doubles: number; readonly late: number }
  /** No config reaches the store until the `hearing` of that name: it acts on what it believes. */
  | { readonly kind: 'deaf'; readonly name: string; readonly store: string }
  | { readonly kind: 'hearing'; readonly name: string }
  /** Whoever leads one end of some open move then, or the controller; ended by a `leader-back`. */
  | {
      readonly kind: 'move-leader';
      readonly name: string;
      readonly end: MoveEnd;
      readonly harm: Harm;
      /** Chooses among the open moves. */
      readonly choice: number;
    }
  /** The next store that applies such a step, as leader or as follower, right after it did. */
  | {
      readonly kind: 'move-step';
      readonly name: string;
      readonly step: MoveStep;
      readonly asLeader: boolean;
      readonly harm: Harm;
      readonly delayMs: number;
      readonly forMs: number;
    }
);

/** One action of a schedule. Its strike names what belongs together: a start and its end. */
export type ScheduledFault = FaultAction & { readonly strike: string };

function strikeName(kind: FaultKind, number: number): string {
  return `${kind} ${number}`;
}

/** The kind of fault that a strike belongs to. */
export function kindOf(strike: string): string {
  return strike.slice(0, strike.lastIndexOf(' '));
}

export const moveEnds = ['source', 'target', 'controller'] as const;
export type MoveEnd = (typeof moveEnds)[number];

/** What happens to one store. */
export const harms = ['crash', 'power-cut', 'pause', 'cut'] as const;
export type Harm = (typeof harms)[number];

export const faultKinds = [
  'crash',
  'power-cut',
  'black-out',
  'fail-commit',
  'pause',
  'partition',
  'one-way',
  'slow',
  'reset',
  'half-open',
  'lossy',
  'damage',
  'disk',
  'stall',
  'clock-step',
  'leader-crash',
  'leader-pause',
  'leader-cut',
  'leader-drop',
  'deaf',
  'move-frames',
  'move-leader',
  'move-step',
  'bandwidth',
  'torn-frame',
  'drift',
  'full-disk',
  'fail-state-commit',
  'fail-read',
  'blank-disk',
  'old-state',
  'bit-flip',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** These find something to hit only while shards move. */
export const moveFaultKinds: readonly FaultKind[] = ['deaf', 'move-frames', 'move-leader', 'move-step'];

/** How often each kind strikes when it is chosen, in milliseconds between two of them. */
const pauseBetweenMs: { readonly [kind in FaultKind]: readonly [number, number] } = {
  crash: [2_500, 12_000],
  'power-cut': [2_500, 12_000],
  'black-out': [8_000, 40_000],
  'fail-commit': [8_000, 30_000],
  pause: [3_000, 12_000],
  partition: [2_500, 12_000],
  'one-way': [3_000, 12_000],
  slow: [3_000, 12_000],
  reset: [800, 5_000],
  'half-open': [3_000, 12_000],
  lossy: [5_000, 20_000],
  damage: [6_000, 20_000],
  disk: [4_000, 15_000],
  stall: [6_000, 20_000],
  'clock-step': [3_000, 12_000],
  'leader-crash': [4_000, 15_000],
  'leader-pause': [4_000, 15_000],
  'leader-cut': [4_000, 15_000],
  'leader-drop': [1_500, 8_000],
  deaf: [2_000, 8_000],
  'move-frames': [3_000, 12_000],
  'move-leader': [2_000, 8_000],
  'move-step': [1_500, 6_000],
  ...machinePausesMs,
};

/** What is aimed at moves is chosen more often than the rest: there is little else in which a move goes wrong. */
const AIMED_CHANCE = 0.7;
const CHANCE = 0.35;
/** What is lost stays lost: too much of it, and little else happens. */
const LOSS_CHANCE = 0.25;
/** A store has only so many replicas in which a bit can flip. */
const FLIP_CHANCE = 0.45;
/** With fewer stores than this a minority is nobody. */
const LOSS_STORES_MIN = 3;

export interface ScheduleOptions {
  readonly stores: readonly string[];
  readonly clients: readonly string[];
  /** Groups 0 to this one. */
  readonly groups: number;
  readonly durationMs: number;
  /** Choose only among these. */
  readonly kinds?: readonly FaultKind[];
}

/** A random subset of kinds at random rates: some runs meet one kind often, some all kinds at once. */
export function makeSchedule(random: Prng, options: ScheduleOptions): ScheduledFault[] {
  const kinds = (options.kinds ?? faultKinds).filter(
    (kind) => options.stores.length >= LOSS_STORES_MIN || !lossKinds.includes(kind),
  );
  const victim = pick(random.fork('victim'), options.stores);
  const chanceOf = (kind: FaultKind): number => {
    if (moveFaultKinds.includes(kind)) return AIMED_CHANCE;
    if (kind === 'bit-flip') return FLIP_CHANCE;
    return lossKinds.includes(kind) ? LOSS_CHANCE : CHANCE;
  };
  const chosen = kinds.filter((kind) =>
    random.fork(`choose ${kind}`).chance(kinds.length > 3 ? chanceOf(kind) : 1),
  );
  const actions: ScheduledFault[] = [];
  for (const kind of chosen) {
    const stream = random.fork(kind);
    const [shortest, longest] = pauseBetweenMs[kind];
    const meanMs = shortest + stream.unit() * (longest - shortest);
    let number = 0;
    for (
      let atMs = stream.unit() * meanMs;
      atMs < options.durationMs;
      atMs += meanMs * (0.3 + 1.4 * stream.unit())
    ) {
      const name = strikeName(kind, ++number);
      for (const action of strike(kind, Math.round(atMs), name, stream, { ...options, victim })) {
        actions.push({ ...action, strike: name });
      }
    }
  }
  return actions.sort((left, right) => left.atMs - right.atMs);
}

function strike(
  kind: FaultKind,
  atMs: number,
  name: string,
  random: Prng,
  { stores, clients, groups, victim }: ScheduleOptions & { readonly victim: string },
): FaultAction[] {
  const store = pick(random, stores);
  const other = pick(random, stores.length > 1 ? stores.filter((each) => each !== store) : stores);
  /** Mostly short, sometimes long. */
  const later = (shortest: number, longest: number): number =>
    atMs + Math.round(shortest + (longest - shortest) * random.unit() ** 2);
  switch (kind) {
    case 'crash':
    case 'power-cut':
    case 'fail-commit':
      return [
        { atMs, kind, store },
        // Some processes are back before anybody has noticed.
        { atMs: random.chance(0.3) ? later(1, 120) : later(20, 4_000), kind: 'restart', store },
      ];
    case 'black-out':
      return stores.flatMap((each) => [
        { atMs: atMs + random.below(5), kind: 'power-cut' as const, store: each },
        { atMs: later(50, 1_500), kind: 'restart' as const, store: each },
      ]);
    case 'pause':
      return [
        { atMs, kind, store },
        { atMs: later(60, 4_000), kind: 'resume', store },
      ];
    case 'partition': {
      const side = stores.filter(() => random.chance(0.4));
      const inside = side.length === 0 || side.length === stores.length ? [store] : side;
      const withThem = random.chance(0.5) ? [] : clients.filter(() => random.chance(0.5));
      const left = [...inside, ...withThem];
      const outside = random.chance(0.5) ? [...stores, ...clients] : [...stores];
      const right = outside.filter((each) => !left.includes(each));
      return cutAndHeal(name, atMs, later(100, 8_000), [
        ...directions(left, right),
        ...directions(right, left),
      ]);
    }
    case 'one-way': {
      const others = random.chance(0.5) ? [other] : stores.filter((each) => each !== store);
      const away = random.chance(0.5);
      const cut = away ? directions([store], others) : directions(others, [store]);
      return cutAndHeal(name, atMs, later(100, 8_000), cut);
    }
    case 'slow':
      return [
        { atMs, kind, name, left: store, right: other, ms: 2 + random.below(300) },
        { atMs: later(200, 6_000), kind: 'heal', name },
      ];
    case 'reset': {
      const right = pick(random, [other, other, ...clients]);
      return [{ atMs, kind, left: store, right, told: [store, right] }];
    }
    case 'half-open': {
      const right = pick(random, [other, other, ...clients]);
      return [{ atMs, kind: 'reset', left: store, right, told: pick(random, [[], [store], [right]]) }];
    }
    case 'lossy': {
      const [loss, doubles, late] = [random.unit() * 0.3, random.unit() * 0.3, random.unit() * 0.3];
      return [
        { atMs, kind, loss, doubles, late },
        { atMs: later(300, 8_000), kind, loss: 0, doubles: 0, late: 0 },
      ];
    }
    case 'damage':
      return [
        { atMs, kind, probability: 0.002 },
        { atMs: later(200, 3_000), kind, probability: 0 },
      ];
    case 'disk':
      return [
        { atMs, kind, store, delayMs: 5 + random.below(200) },
        { atMs: later(300, 6_000), kind, store, delayMs: 0 },
      ];
    case 'stall':
      return [
        { atMs, kind, store },
        { atMs: later(200, 6_000), kind: 'unstall', store },
      ];
    case 'clock-step': {
      const size = pick(random, [20, 100, 600, 3_000, 30_000]);
      return [{ atMs, kind, store, ms: Math.round((random.unit() - 0.5) * 2 * size) }];
    }
    case 'leader-drop':
      return [
        { atMs, kind, name, gid: random.below(groups + 1) },
        { atMs: later(150, 1_500), kind: 'leader-back', name },
      ];
    case 'leader-crash':
    case 'leader-pause':
    case 'leader-cut':
      return [
        { atMs, kind, name, gid: random.below(groups + 1) },
        { atMs: later(200, 5_000), kind: 'leader-back', name },
      ];
    case 'deaf':
      return [
        { atMs, kind, name, store },
        { atMs: later(300, 6_000), kind: 'hearing', name },
      ];
    case 'move-frames': {
      const [loss, doubles, late] = [random.unit() * 0.3, random.unit() * 0.5, random.unit() * 0.5];
      return [
        { atMs, kind, loss, doubles, late },
        { atMs: later(500, 8_000), kind, loss: 0, doubles: 0, late: 0 },
      ];
    }
    case 'move-leader':
      return [
        {
          atMs,
          kind,
          name,
          end: pick(random, moveEnds),
          harm: pick(random, harms),
          choice: random.u32(),
        },
        { atMs: later(100, 4_000), kind: 'leader-back', name },
      ];
    case 'move-step':
      return [
        {
          atMs,
          kind,
          name,
          step: pick(random, aimedSteps),
          asLeader: random.chance(0.8),
          harm: pick(random, harms),
          delayMs: random.chance(0.6) ? 0 : random.below(20),
          forMs: later(20, 3_000) - atMs,
        },
      ];
    default: {
      const right = pick(random, [other, other, ...clients]);
      return machineStrike(kind, { atMs, name, store, victim, right, random, later });
    }
  }
}

const aimedSteps: readonly MoveStep[] = Object.values(MoveStep);

function cutAndHeal(name: string, atMs: number, untilMs: number, cut: readonly string[]): FaultAction[] {
  return [
    { atMs, kind: 'cut', name, directions: cut },
    { atMs: untilMs, kind: 'heal', name },
  ];
}

function directions(from: readonly string[], to: readonly string[]): string[] {
  return from.flatMap((each) => to.map((other) => `${each}>${other}`));
}

function pick<T>(random: Prng, values: readonly T[]): T {
  return values[random.below(values.length)] as T;
}
