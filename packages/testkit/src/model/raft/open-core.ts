import { assert, type ConfState, type Entry, type RaftId } from '@flotilla/base';
import type { ProgressState, Role } from '@flotilla/raft';

/**
 * The fields of the core as the model reads and restores them. The sources keep most of them private; the process
 * that searches loads them with every `#name` turned into `$name` (`opened-source.ts`), and nothing else changed.
 */

export interface OpenProgress {
  readonly id: RaftId;
  isLearner: boolean;
  state: ProgressState;
  match: number;
  next: number;
  flowPaused: boolean;
  pendingSnapshot: number;
  recentActive: boolean;
  sentCommit: number;
  readonly inflights: { reset(): void };
}

export interface OpenTracker {
  readonly conf: ConfState;
  readonly members: readonly OpenProgress[];
  readonly $votes: Map<RaftId, boolean>;
  configure(conf: ConfState, fresh: readonly RaftId[], lastIndex: number): void;
}

export interface OpenLog {
  $committed: number;
  $applying: number;
  $applied: number;
  $applyingBytes: number;
  $applyingPaused: boolean;
  readonly lastIndex: number;
  readonly unstable: {
    $snapshot: unknown;
    $snapshotInProgress: boolean;
    $offset: number;
    $offsetInProgress: number;
    $entries: Entry[];
    $head: number;
  };
  slice(lo: number, hi: number, bytesMax: number): readonly Entry[] | undefined;
}

export interface OpenCore {
  role: Role;
  term: number;
  vote: RaftId;
  leaderId: RaftId;
  transferee: RaftId;
  confBeforeSnapshot: ConfState | undefined;
  pendingConfIndex: number;
  termFirstIndex: number;
  uncommittedBytes: number;
  electionElapsed: number;
  heartbeatElapsed: number;
  readonly log: OpenLog;
  readonly tracker: OpenTracker;
  readonly readStates: readonly unknown[];
  readonly waitingReads: readonly unknown[];
  readonly outbox: readonly unknown[];
  readonly outboxAfterAppend: readonly unknown[];
}

export interface OpenReady {
  $leaderId: RaftId;
  $role: Role;
  $term: number;
  $vote: RaftId;
  $commit: number;
  readonly $onAdvance: readonly unknown[];
}

export interface OpenNode {
  readonly $core: OpenCore;
  readonly $ready: OpenReady;
}

/** All fields there are. One more would be part of the state of a node without the model knowing it. */
const SHAPES: readonly (readonly [string, (node: OpenNode) => object, string])[] = [
  ['RaftNode', (node) => node, '$core $ready'],
  [
    'Core',
    (node) => node.$core,
    'confBeforeSnapshot config electionElapsed heartbeatElapsed id leaderId log logger outbox outboxAfterAppend ' +
      'pendingConfIndex randomizedElectionTicks readStates reads role term termFirstIndex tracker transferee ' +
      'uncommittedBytes vote waitingReads',
  ],
  [
    'RaftLog',
    (node) => node.$core.log,
    '$applied $applying $applyingBytes $applyingBytesMax $applyingPaused $committed $logger storage unstable',
  ],
  [
    'UnstableLog',
    (node) => node.$core.log.unstable,
    '$entries $head $logger $offset $offsetInProgress $snapshot $snapshotInProgress',
  ],
  [
    'Tracker',
    (node) => node.$core.tracker,
    '$activeOf $conf $inflightBytesMax $inflightCountMax $matchOf $members $voteOf $voters $votes',
  ],
  [
    'Progress',
    (node) => node.$core.tracker.members[0] as OpenProgress,
    'flowPaused id inflights isLearner match next pendingSnapshot recentActive sentCommit state',
  ],
  [
    'ReadyMaker',
    (node) => node.$ready,
    '$advanceDue $async $commit $core $leaderId $onAdvance $role $term $vote',
  ],
];

/** A field that nobody told the model of would let states pass for equal that are not. */
export function checkShape(node: OpenNode): void {
  for (const [name, part, fields] of SHAPES) {
    const found = Object.keys(part(node)).sort().join(' ');
    assert(
      found === fields,
      () =>
        `the model of the core does not know all fields of ${name}: it expects\n${fields}\nand there are\n${found}`,
    );
  }
}
