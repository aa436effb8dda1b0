import type { ConfState, RaftId } from '@flotilla/base';
import type { ConfChange, ConfChangeKind, ConfChangeTransition } from './conf-change.ts';
import type { Progress, ProgressState } from './progress.ts';

/**
 * Texts of values in log lines. They follow the wording of etcd's raft word for word, because its data files
 * compare them: ids are hexadecimal here.
 */

export type Role = 'follower' | 'candidate' | 'leader' | 'pre-candidate';

const ROLE_NAMES: Readonly<Record<Role, string>> = {
  follower: 'StateFollower',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
  'pre-candidate': 'StatePreCandidate',
};

export function describeRole(role: Role): string {
  return ROLE_NAMES[role];
}

export function hex(id: RaftId): string {
  return id.toString(16);
}

function idList(ids: readonly RaftId[]): string {
  return `(${ids.map(hex).join(' ')})`;
}

export function describeConfState(conf: ConfState): string {
  let text = `voters=${idList(conf.voters)}`;
  if (conf.votersOutgoing.length > 0) text += `&&${idList(conf.votersOutgoing)}`;
  if (conf.learners.length > 0) text += ` learners=${idList(conf.learners)}`;
  if (conf.learnersNext.length > 0) text += ` learners_next=${idList(conf.learnersNext)}`;
  if (conf.autoLeave) text += ' autoleave';
  return text;
}

const PROGRESS_NAMES: Readonly<Record<ProgressState, string>> = {
  probe: 'StateProbe',
  replicate: 'StateReplicate',
  snapshot: 'StateSnapshot',
};

/** What a description of progress needs; both {@link Progress} and a status row have it. */
export interface ProgressView {
  readonly state: ProgressState;
  readonly match: number;
  readonly next: number;
  readonly isLearner: boolean;
  readonly paused: boolean;
  readonly pendingSnapshot: number;
  readonly recentActive: boolean;
  readonly inflightCount: number;
  readonly inflightFull: boolean;
}

export function viewProgress(progress: Progress): ProgressView {
  return {
    state: progress.state,
    match: progress.match,
    next: progress.next,
    isLearner: progress.isLearner,
    paused: progress.paused,
    pendingSnapshot: progress.pendingSnapshot,
    recentActive: progress.recentActive,
    inflightCount: progress.inflights.count,
    inflightFull: progress.inflights.full,
  };
}

export function describeProgress(view: ProgressView): string {
  let text = `${PROGRESS_NAMES[view.state]} match=${view.match} next=${view.next}`;
  if (view.isLearner) text += ' learner';
  if (view.paused) text += ' paused';
  if (view.pendingSnapshot > 0) text += ` pendingSnap=${view.pendingSnapshot}`;
  if (!view.recentActive) text += ' inactive';
  if (view.inflightCount > 0) text += ` inflight=${view.inflightCount}${view.inflightFull ? '[full]' : ''}`;
  return text;
}

const TRANSITION_NAMES: Readonly<Record<ConfChangeTransition, string>> = {
  auto: 'ConfChangeTransitionAuto',
  'joint-implicit': 'ConfChangeTransitionJointImplicit',
  'joint-explicit': 'ConfChangeTransitionJointExplicit',
};

const KIND_NAMES: Readonly<Record<ConfChangeKind, string>> = {
  'add-voter': 'ConfChangeAddNode',
  'add-learner': 'ConfChangeAddLearnerNode',
  remove: 'ConfChangeRemoveNode',
  update: 'ConfChangeUpdateNode',
};

export function describeConfChange(change: ConfChange): string {
  let text = `transition:${TRANSITION_NAMES[change.transition]}`;
  for (const { kind, id } of change.changes) text += ` changes:{type:${KIND_NAMES[kind]} node_id:${id}}`;
  if (change.context.length > 0) {
    text += ' context:"';
    for (const byte of change.context) text += String.fromCharCode(byte);
    text += '"';
  }
  return text;
}
