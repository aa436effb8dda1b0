import type { ConfState } from '@flotilla/base';
import type { ConfChange } from '@flotilla/raft';
import type { Patch } from '../patches.ts';
import type { Settings } from './replica.ts';

// Only types are imported here: the code itself is loaded behind its patches.

/** How large one search is. */
export interface Bounds extends Settings {
  readonly name: string;
  /** What this search is for. */
  readonly about: string;
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  /** The highest term in which anybody campaigns. */
  readonly terms: number;
  /** Entries that are proposed, beside the empty one with which each leader begins. */
  readonly proposals: number;
  readonly changes: number;
  /** What may be proposed, as far as it fits a configuration. */
  readonly offered: readonly ConfChange[];
  readonly crashes: number;
  /** Elections that begin, of all nodes. */
  readonly campaigns: number;
  /** After the first election nobody campaigns before all changes are proposed. */
  readonly changesFirst: boolean;
  /** Rounds of heartbeats. */
  readonly beats: number;
  /** Writes that a disk is behind at most. */
  readonly writesMax: number;
  /** A follower may forget its leader. */
  readonly forgets: boolean;
  /** Messages of terms that their receiver's disk has left behind are taken away: without pre-vote the core ignores them. */
  readonly dropsOld: boolean;
  /** Events are explored in every order; else one that tells nobody anything comes right before the next one of its node. */
  readonly allOrders: boolean;
  /** Takes minutes. */
  readonly isLarge: boolean;
  readonly walks: boolean;
  readonly patches: readonly Patch[];
}

/** Not counted at all. */
const UNCOUNTED = 15;

export function foundedConf({ voters, learners }: Bounds): ConfState {
  return { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false };
}

/** The least of everything. What disks are behind, refused votes and old messages are left out where that halves the work. */
const least = {
  preVote: false,
  checkQuorum: false,
  entriesOneByOne: false,
  keepsCommit: false,
  voters: [1, 2, 3],
  learners: [],
  terms: 2,
  proposals: 0,
  changes: 0,
  offered: [],
  crashes: 0,
  beats: 0,
  campaigns: UNCOUNTED,
  changesFirst: false,
  writesMax: 1,
  refusals: false,
  forgets: false,
  dropsOld: true,
  allOrders: false,
  isLarge: false,
  walks: false,
  patches: [],
} as const;

const IDS = [1, 2, 3];
const NO_BYTES = new Uint8Array(0);

function change(
  transition: ConfChange['transition'],
  ...changes: ConfChange['changes'][number][]
): ConfChange {
  return { transition, changes, context: NO_BYTES };
}

const pairs = IDS.flatMap((id) => IDS.filter((other) => other !== id).map((other) => [id, other] as const));
const swaps: readonly ConfChange[] = pairs.map(([id, other]) =>
  change('joint-implicit', { kind: 'add-voter', id }, { kind: 'remove', id: other }),
);
const removals: readonly ConfChange[] = IDS.map((id) => change('auto', { kind: 'remove', id }));
const additions: readonly ConfChange[] = IDS.map((id) => change('auto', { kind: 'add-voter', id }));
const demotions: readonly ConfChange[] = IDS.map((id) => change('auto', { kind: 'add-learner', id }));
const shrinks: readonly ConfChange[] = pairs
  .filter(([id, other]) => id < other)
  .map(([id, other]) => change('joint-implicit', { kind: 'remove', id }, { kind: 'remove', id: other }));

/**
 * In the order in which they run; those at even places in one process, the others in a second one. The last two, one in
 * each, have no end.
 */
export const allBounds: readonly Bounds[] = [
  {
    ...least,
    name: 'elections',
    about: 'two terms, refused votes that tell the commit index',
    refusals: true,
  },
  {
    ...least,
    name: 'one-term',
    about: 'one term, one crash, disks up to two writes behind',
    terms: 1,
    crashes: 1,
    writesMax: 2,
    refusals: true,
    dropsOld: false,
  },
  {
    ...least,
    name: 'check-quorum',
    about: 'one term, leaders that step down for want of answers, followers that forget their leader',
    terms: 1,
    checkQuorum: true,
    forgets: true,
    refusals: true,
  },
  {
    ...least,
    name: 'swap-small',
    about: 'two voters, one of them replaced by joint consensus',
    voters: [1, 2],
    changes: 1,
    offered: swaps,
  },
  { ...least, name: 'heartbeats', about: 'two terms, one round of heartbeats', beats: 1 },
  {
    ...least,
    name: 'learner',
    about: 'two voters and a learner, one proposal',
    voters: [1, 2],
    learners: [3],
    proposals: 1,
  },
  {
    ...least,
    name: 'proposal',
    about: 'two terms, one proposal',
    proposals: 1,
  },
  { ...least, name: 'crash', about: 'two terms, one proposal, one crash', proposals: 1, crashes: 1 },
  {
    ...least,
    name: 'crash-two',
    about: 'two terms, two proposals, one crash',
    proposals: 2,
    crashes: 1,
  },
  {
    ...least,
    name: 'swap',
    about: 'two terms, one proposal, one of two voters replaced by joint consensus',
    voters: [1, 2],
    changes: 1,
    proposals: 1,
    offered: swaps,
  },
  {
    ...least,
    name: 'pending-changes',
    about: 'one campaign, two of three voters removed one after the other',
    terms: 1,
    campaigns: 1,
    changes: 2,
    offered: removals,
  },
  {
    ...least,
    name: 'crash-small',
    about: 'two terms, one crash, refused votes, disks up to two writes behind',
    crashes: 1,
    refusals: true,
    writesMax: 2,
  },
  {
    ...least,
    name: 'pre-vote',
    about: 'two terms, three campaigns that begin with pre-votes, followers that forget their leader',
    campaigns: 3,
    forgets: true,
    beats: 1,
    preVote: true,
    refusals: true,
    dropsOld: false,
    isLarge: true,
  },
  {
    ...least,
    name: 'late',
    about: 'two terms, messages of a term that was left arrive',
    dropsOld: false,
    isLarge: true,
  },
  {
    ...least,
    name: 'crash-late',
    about: 'two terms, one crash, messages of a term that was left arrive',
    dropsOld: false,
    crashes: 1,
    isLarge: true,
  },
  {
    ...least,
    name: 'shrink',
    about: 'two terms, three campaigns, two of three voters removed at once by joint consensus',
    campaigns: 3,
    changes: 1,
    offered: shrinks,
    isLarge: true,
  },
  {
    ...least,
    name: 'three-terms',
    about: 'three terms, refused votes',
    terms: 3,
    campaigns: 3,
    refusals: true,
    isLarge: true,
  },
  {
    ...least,
    name: 'figure-8',
    about: 'four terms, entries one by one (paper, figure 8)',
    terms: 4,
    campaigns: 4,
    entriesOneByOne: true,
    isLarge: true,
  },
  {
    ...least,
    name: 'unapplied-change',
    about: 'two campaigns, the second one after two of three voters were to be removed one after the other',
    campaigns: 2,
    changes: 2,
    offered: removals,
    changesFirst: true,
    isLarge: true,
  },
  {
    ...least,
    name: 'two-removals',
    about: 'two campaigns, one proposal, two of three voters removed one after the other',
    campaigns: 2,
    changes: 2,
    proposals: 1,
    offered: removals,
    isLarge: true,
  },
  {
    ...least,
    name: 'wide',
    about:
      'states at three terms, three proposals, two changes, one crash, heartbeats, disks two writes behind',
    terms: 3,
    proposals: 3,
    changes: 2,
    offered: [...swaps, ...removals, ...additions],
    crashes: 1,
    keepsCommit: true,
    beats: 2,
    writesMax: 2,
    refusals: true,
    forgets: true,
  },
  {
    ...least,
    name: 'walks',
    about:
      'random walks: four terms, three proposals, two changes, two crashes, pre-vote and check of the quorum',
    preVote: true,
    checkQuorum: true,
    entriesOneByOne: true,
    terms: 4,
    proposals: 3,
    changes: 2,
    offered: [...swaps, ...removals, ...additions, ...demotions],
    crashes: 2,
    keepsCommit: true,
    beats: 4,
    writesMax: 3,
    refusals: true,
    forgets: true,
    // A walk is no search: whoever may only go on with one node comes to an end there.
    allOrders: true,
    dropsOld: false,
    walks: true,
  },
];
