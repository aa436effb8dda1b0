import type { Prng } from '@flotilla/base';
import type { FaultAction } from './faults.ts';

/** Faults of single machines, of their disks and of the cables between them. */
export type MachineAction =
  /** Both directions carry so many bytes a millisecond until the heal of that name; what is too much piles up. */
  | {
      readonly kind: 'bandwidth';
      readonly name: string;
      readonly left: string;
      readonly right: string;
      readonly bytesPerMs: number;
    }
  /** The next message between the two breaks off in its middle, and the connection with it. */
  | { readonly kind: 'torn-frame'; readonly left: string; readonly right: string }
  /** The clocks of the machine go faster or slower by this factor; 1 ends it. */
  | { readonly kind: 'drift'; readonly store: string; readonly factor: number }
  /** So little is free; with nothing left every commit fails, and the process must stop. */
  | { readonly kind: 'full-disk'; readonly store: string; readonly freeBytes: number }
  | { readonly kind: 'room'; readonly store: string }
  /** The next commit of the state fails: the process must stop by itself. */
  | { readonly kind: 'fail-state-commit'; readonly store: string }
  /** The next read ends the process, in the middle of whatever it does. */
  | { readonly kind: 'fail-read'; readonly store: string }
  /** The disk is gone, and with it the incarnation of the store. */
  | { readonly kind: 'blank-disk'; readonly store: string }
  | { readonly kind: 'copy-state'; readonly store: string }
  /** The machine dies, and its state comes back as it was at the `copy-state` before. */
  | { readonly kind: 'old-state'; readonly store: string }
  /** In an entry or a value of some replica that the choice names. */
  | { readonly kind: 'bit-flip'; readonly store: string; readonly choice: number };

export type MachineFaultKind = Exclude<MachineAction['kind'], 'room' | 'copy-state'>;

/** Milliseconds between two of a kind that is chosen, shortest and longest. */
export const machinePausesMs: { readonly [kind in MachineFaultKind]: readonly [number, number] } = {
  bandwidth: [4_000, 15_000],
  'torn-frame': [1_500, 8_000],
  drift: [4_000, 15_000],
  'full-disk': [6_000, 25_000],
  'fail-state-commit': [6_000, 25_000],
  'fail-read': [5_000, 20_000],
  'blank-disk': [8_000, 20_000],
  'old-state': [6_000, 20_000],
  'bit-flip': [3_000, 10_000],
};

/** These may cost replicas for good. All of a run hit the same store, so that each group loses a minority. */
export const lossKinds: readonly string[] = ['blank-disk', 'old-state', 'bit-flip'];

/** Leases allow for rates that differ by 11 %; machines differ by 1 % already. */
const DRIFT_MAX = 0.045;
/** From a modem to a cable that only snapshots notice. */
const BYTES_PER_MS = [2, 20, 200, 2_000] as const;
/** None, and less than production wants to see before it takes another write. */
const FREE_BYTES = [0, 200_000_000] as const;

export interface Aim {
  readonly atMs: number;
  readonly name: string;
  readonly store: string;
  /** Whose disk may be lost in this run. */
  readonly victim: string;
  /** Another store, or a client. */
  readonly right: string;
  readonly random: Prng;
  readonly later: (shortest: number, longest: number) => number;
}

export function machineStrike(kind: MachineFaultKind, aim: Aim): FaultAction[] {
  const { atMs, name, store, victim, right, random, later } = aim;
  switch (kind) {
    case 'bandwidth':
      return [
        { atMs, kind, name, left: store, right, bytesPerMs: pick(random, BYTES_PER_MS) },
        { atMs: later(300, 6_000), kind: 'heal', name },
      ];
    case 'torn-frame':
      return [{ atMs, kind, left: store, right }];
    case 'drift':
      return [
        { atMs, kind, store, factor: 1 + (random.unit() - 0.5) * 2 * DRIFT_MAX },
        { atMs: later(500, 10_000), kind, store, factor: 1 },
      ];
    case 'full-disk': {
      const endMs = later(200, 4_000);
      return [
        { atMs, kind, store, freeBytes: pick(random, FREE_BYTES) },
        { atMs: endMs, kind: 'room', store },
        { atMs: endMs + 1 + random.below(500), kind: 'restart', store },
      ];
    }
    case 'fail-state-commit':
    case 'fail-read':
      return [
        { atMs, kind, store },
        { atMs: later(20, 4_000), kind: 'restart', store },
      ];
    case 'blank-disk':
      return [{ atMs, kind, store: victim }];
    case 'old-state': {
      const strikeMs = later(50, 5_000);
      return [
        { atMs, kind: 'copy-state', store: victim },
        { atMs: strikeMs, kind, store: victim },
        { atMs: strikeMs + 1 + random.below(1_000), kind: 'restart', store: victim },
      ];
    }
    case 'bit-flip':
      return [{ atMs, kind, store: victim, choice: random.u32() }];
  }
}

/** One action for people. */
export function machineWords(action: MachineAction): string {
  switch (action.kind) {
    case 'bandwidth':
      return `${action.name}: ${action.left} and ${action.right} exchange ${action.bytesPerMs} bytes a ms at most`;
    case 'torn-frame':
      return `the next message between ${action.left} and ${action.right} breaks off`;
    case 'drift':
      return `the clocks of ${action.store} go at ${action.factor.toFixed(3)} of their speed`;
    case 'full-disk':
      return `the disk of ${action.store} has ${action.freeBytes} bytes left`;
    case 'room':
      return `the disk of ${action.store} has room again`;
    case 'fail-state-commit':
      return `the next state commit of ${action.store} fails`;
    case 'fail-read':
      return `the next read of ${action.store} fails`;
    case 'blank-disk':
      return `the disk of ${action.store} is replaced by a blank one`;
    case 'copy-state':
      return `the state of ${action.store} is copied`;
    case 'old-state':
      return `the state of ${action.store} is as it was at its copy`;
    case 'bit-flip':
      return `a bit flips on the disk of ${action.store}`;
  }
}

function pick<T>(random: Prng, values: readonly T[]): T {
  return values[random.below(values.length)] as T;
}
