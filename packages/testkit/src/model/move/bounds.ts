import type { Patch } from '../patches.ts';
import type { Write } from './writes.ts';

/** How large one search is: small enough to be finished, large enough for what it is after. */
export interface Bounds {
  readonly name: string;
  /** What this search is for. */
  readonly about: string;
  readonly groups: number;
  /** The search begins before the first assignment of the shard, else with a first owner that serves. */
  readonly isUnassigned: boolean;
  /** Moves that people order. */
  readonly moves: number;
  /** A move may be ordered while another is open. */
  readonly redirects: boolean;
  readonly cancels: number;
  readonly trims: number;
  /** How often a client may give up a write whose outcome it does not know. */
  readonly giveUps: number;
  /** What each client writes, one after the other. */
  readonly programs: readonly (readonly Write[])[];
  /** How much a page or delta holds at most; several: either may come. */
  readonly pieceBytes: readonly number[];
  /** Deltas are taken between pages as well. */
  readonly deltasEarly: boolean;
  /** What is dropped is removed at any time later. */
  readonly removesLate: boolean;
  /** Pages that arrive changed, with a checksum that fits. */
  readonly damages: number;
  /** Log times 0 to this are about, each a unit after the one before. */
  readonly timeMax: number;
  readonly unitMs: number;
  /** What is switched off, so that what stands behind it has to hold. */
  readonly patches: readonly Patch[];
}

function appends(...keys: readonly string[]): readonly Write[] {
  return keys.map((key, at) => ({ op: 'append', key, value: String(at + 1) }));
}

const small: Bounds = {
  name: 'small',
  about: '',
  groups: 2,
  isUnassigned: false,
  moves: 1,
  redirects: false,
  cancels: 0,
  trims: 0,
  giveUps: 0,
  programs: [appends('x')],
  pieceBytes: [1],
  deltasEarly: false,
  removesLate: false,
  damages: 0,
  timeMax: 0,
  unitMs: 1,
  patches: [],
};

export const allBounds: readonly Bounds[] = [small];
