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
  /** How often people let a group leave or join again. */
  readonly leaves: number;
  readonly trims: number;
  /** How often a client may give up a write whose outcome it does not know. */
  readonly giveUps: number;
  /** What each client writes, one after the other. */
  readonly programs: readonly (readonly Write[])[];
  /** How much a page or delta holds at most; several: either may come. */
  readonly pieceBytes: readonly number[];
  /** Changes are taken between pages as well. */
  readonly changesEarly: boolean;
  /** What is dropped is removed at any time later. */
  readonly removesLate: boolean;
  /** Pages that arrive changed, with a checksum that fits. */
  readonly damages: number;
  /** Log times 0 to this are about, each a unit after the one before. */
  readonly timeMax: number;
  readonly unitMs: number;
  /** Takes minutes. */
  readonly isLarge: boolean;
  /** Too large to be explored: random walks. */
  readonly walks: boolean;
  /** What is switched off, so that what stands behind it has to hold. */
  readonly patches: readonly Patch[];
}

/** One item in each page, one revision in each delta. */
const SMALL_PIECES = [1];
/** Also everything in one page, and any number of revisions in a delta. */
const ALL_PIECES = [1, 4096];

function append(key: string, value: string): Write {
  return { op: 'append', key, value };
}

const x1 = append('x', '1');
const y2 = append('y', '2');
const x3 = append('x', '3');
const deleteX: Write = { op: 'delete', key: 'x' };
const appendXIfAbsent: Write = { op: 'appendIfAbsent', key: 'x', value: '4' };

const least = {
  groups: 2,
  isUnassigned: false,
  moves: 1,
  redirects: false,
  cancels: 0,
  leaves: 0,
  trims: 0,
  giveUps: 0,
  programs: [],
  pieceBytes: SMALL_PIECES,
  changesEarly: false,
  removesLate: false,
  damages: 0,
  timeMax: 0,
  unitMs: 1,
  isLarge: false,
  walks: false,
  patches: [],
};

/** From the least to the largest. */
export const allBounds: readonly Bounds[] = [
  {
    ...least,
    name: 'two-writes',
    about: 'two keys in two pages, and a floor that rises',
    programs: [[x1, y2]],
    pieceBytes: ALL_PIECES,
    changesEarly: true,
  },
  {
    ...least,
    name: 'damage',
    about: 'a page changed on the way, with only the digest to notice',
    damages: 1,
    programs: [[x1]],
    patches: [
      {
        file: 'packages/kv/src/staged-items.ts',
        find: 'if (!isSame) return undefined;',
        replace: '',
      },
    ],
  },
  {
    ...least,
    name: 'deletes',
    about: 'keys that go and come again while they are copied',
    programs: [[x1, deleteX, x3]],
    changesEarly: true,
  },
  {
    ...least,
    name: 'range-deletes',
    about: 'many keys under one revision',
    trims: 1,
    programs: [[x1, y2, { op: 'deleteAll' }]],
    changesEarly: true,
  },
  {
    ...least,
    name: 'one-write',
    about: 'there and back with one write and its retries',
    moves: 2,
    cancels: 1,
    programs: [[x1]],
  },
  {
    ...least,
    name: 'conditions',
    about: 'conditions that fail, whose result must travel',
    programs: [[x1, deleteX], [appendXIfAbsent]],
    changesEarly: true,
  },
  {
    ...least,
    name: 'trimmed',
    about: 'change indexes that are cut before the target has seen them',
    trims: 1,
    cancels: 1,
    programs: [[x1, y2]],
    changesEarly: true,
  },
  {
    ...least,
    name: 'give-ups',
    about: 'a client that gives up and whose write comes late',
    moves: 2,
    giveUps: 1,
    programs: [[x1, y2]],
  },
  {
    ...least,
    name: 'no-writes',
    about: 'fences: messages of old moves, late by any number of moves',
    moves: 3,
    cancels: 2,
  },
  {
    ...least,
    name: 'early-changes',
    about: 'changes between pages, from replicas of any age',
    programs: [[x1], [x3, y2]],
    changesEarly: true,
  },
  {
    ...least,
    name: 'first-assignment',
    about: 'a shard that nobody had, cancelled and sent elsewhere before it was served',
    groups: 2,
    isUnassigned: true,
    moves: 2,
    redirects: true,
    cancels: 2,
  },
  {
    ...least,
    name: 'three-groups',
    about: 'the same with a third group',
    groups: 3,
    moves: 3,
    cancels: 2,
  },
  {
    ...least,
    name: 'leaves',
    about: 'groups that leave, end with their last shard, and are founded anew',
    groups: 3,
    leaves: 3,
    redirects: true,
    cancels: 1,
  },
  {
    ...least,
    name: 'late-removal',
    about: 'leftovers that each replica deletes whenever it likes',
    moves: 2,
    cancels: 1,
    programs: [[x1]],
    removesLate: true,
  },
  {
    ...least,
    name: 'ttl',
    about: 'records that expire, on logs whose times differ',
    programs: [
      [
        { op: 'put', key: 'x', value: '1', ttl: 1 },
        { op: 'putIfAbsent', key: 'x', value: '2', ttl: 1 },
      ],
    ],
    timeMax: 2,
    unitMs: 1000,
  },
  {
    ...least,
    name: 'redirects',
    about: 'moves that are sent elsewhere while they run',
    groups: 3,
    moves: 3,
    redirects: true,
    cancels: 1,
  },
  {
    ...least,
    name: 'sessions',
    about: 'sessions that expire, on logs whose times differ',
    moves: 1,
    programs: [[x1, y2]],
    timeMax: 3,
    unitMs: 900_000,
  },
  {
    ...least,
    name: 'mixed',
    about: 'two clients, deletes, conditions and a trim',
    trims: 1,
    programs: [
      [x1, deleteX],
      [y2, appendXIfAbsent],
    ],
    changesEarly: true,
  },
  {
    ...least,
    name: 'deep',
    about: 'four moves there and back, with a write',
    moves: 4,
    cancels: 2,
    programs: [[x1]],
  },
  {
    ...least,
    name: 'two-writers',
    about: 'two clients through three moves',
    moves: 3,
    cancels: 2,
    trims: 1,
    programs: [[x1], [x3]],
  },
  {
    ...least,
    name: 'two-writers-long',
    about: 'two clients with two writes each through three moves',
    moves: 3,
    cancels: 2,
    programs: [
      [x1, y2],
      [x3, append('y', '4')],
    ],
    isLarge: true,
  },
  {
    ...least,
    name: 'mixed-long',
    about: 'deletes, conditions and a trim through three moves',
    moves: 3,
    cancels: 1,
    trims: 1,
    programs: [
      [x1, deleteX],
      [y2, appendXIfAbsent],
    ],
    changesEarly: true,
    isLarge: true,
  },
  {
    ...least,
    name: 'three-groups-writes',
    about: 'a client that gives up, and a trim, through three groups',
    groups: 3,
    moves: 3,
    cancels: 2,
    trims: 1,
    giveUps: 1,
    programs: [[x1, y2]],
    isLarge: true,
  },
  {
    ...least,
    name: 'wide',
    about: 'random walks: three groups, two clients, everything at once but time',
    groups: 3,
    moves: 6,
    redirects: true,
    cancels: 4,
    trims: 3,
    giveUps: 1,
    programs: [
      [x1, deleteX, y2],
      [x3, appendXIfAbsent, { op: 'deleteAll' }],
    ],
    pieceBytes: ALL_PIECES,
    changesEarly: true,
    removesLate: true,
    walks: true,
  },
  {
    ...least,
    name: 'wide-times',
    about: 'random walks: two clients, sessions and records that expire, logs whose times differ',
    moves: 4,
    cancels: 2,
    trims: 2,
    programs: [
      [x1, { op: 'put', key: 'y', value: '5', ttl: 1 }, deleteX],
      [{ op: 'putIfAbsent', key: 'y', value: '6', ttl: 2 }, x3],
    ],
    pieceBytes: ALL_PIECES,
    changesEarly: true,
    timeMax: 4,
    unitMs: 900_000,
    walks: true,
  },
];
