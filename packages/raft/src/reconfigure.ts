import { assert, type ConfState, EntryKind, type RaftId } from '@flotilla/base';
import { type ConfChange, LEAVE_JOINT } from './conf-change.ts';
import type { Core } from './core.ts';
import { describeConfChange, describeConfState, hex } from './describe.ts';
import { changeMembership } from './membership.ts';
import { proposeChange } from './proposals.ts';
import { releaseConfirmedReads, startWaitingReads } from './reads.ts';
import { broadcastAppend, broadcastMissing, maybeCommit } from './replication.ts';
import { becomeFollower } from './roles.ts';

/** What follows from applying: new configurations, and the step out of a joint one. */

/**
 * Takes a committed change into effect, as its entry is applied. With asynchronous storage writes a snapshot may
 * get in between:
 *
 * 1. Entry 5 (add voter 4) is handed out for application, and waits in the queue of the apply thread.
 * 2. A snapshot of index 9 arrives. From here on its configuration is in force, in which 4 was removed again.
 * 3. The host applies entry 5, because the snapshot is not installed yet. It needs the configuration as of
 *    entry 5, to persist with its state; the one in force must not get voter 4 back.
 *
 * So while a snapshot waits for its installation, what is applied goes to the configuration from before it.
 */
export function applyConfChange(core: Core, change: ConfChange): ConfState {
  const overtaken = core.confBeforeSnapshot;
  const outcome = changeMembership(overtaken ?? core.tracker.conf, change);
  // Every replica meets it in the same place, so going on without it would not even be wrong alone.
  assert(
    outcome.ok,
    () =>
      `committed change ${describeConfChange(change)} cannot be applied: ${outcome.ok ? '' : outcome.reason}`,
  );
  if (overtaken === undefined) return switchTo(core, outcome.conf, outcome.fresh);
  core.confBeforeSnapshot = outcome.conf;
  return outcome.conf;
}

/** The configuration of a snapshot replaces ours; nothing that was known of the members' logs is kept. */
export function switchToSnapshot(core: Core, conf: ConfState): void {
  core.confBeforeSnapshot ??= core.tracker.conf;
  core.tracker.configure(
    conf,
    [...conf.voters, ...conf.votersOutgoing, ...conf.learners],
    core.log.lastIndex,
  );
  announce(core);
}

function announce(core: Core): void {
  core.logger?.log(
    'info',
    () => `${hex(core.id)} switched to configuration ${describeConfState(core.tracker.conf)}`,
  );
}

function switchTo(core: Core, conf: ConfState, fresh: readonly RaftId[]): ConfState {
  core.tracker.configure(conf, fresh, core.log.lastIndex);
  announce(core);
  if (core.role !== 'leader') return conf;
  const self = core.tracker.get(core.id);
  if (self === undefined || self.isLearner) {
    // A leader that leaves may stay in charge until somebody else is elected: it does not count itself, and
    // keeps heartbeats and replication going. It does nothing more here, so as not to commit or probe on
    // behalf of a group that it is no part of.
    if (core.config.stepDownOnRemoval) becomeFollower(core, core.term, 0);
    return conf;
  }
  // A smaller quorum may have what the larger one had not yet.
  if (maybeCommit(core)) {
    startWaitingReads(core);
    broadcastAppend(core);
  } else {
    // New members are probed at once, not with the next heartbeat.
    broadcastMissing(core);
  }
  releaseConfirmedReads(core);
  if (core.transferee !== 0 && !core.tracker.isVoter(core.transferee)) core.transferee = 0;
  return conf;
}

/** The state machine stands at `index`. Repeated and late notices do no harm. */
export function appliedTo(core: Core, index: number, bytes: number): void {
  core.log.appliedTo(Math.max(index, core.log.applied), bytes);
  leaveJointIfDue(core);
}

export function snapshotApplied(core: Core, index: number): void {
  core.log.unstable.stableSnapshotTo(index);
  if (core.log.unstable.snapshot === undefined) core.confBeforeSnapshot = undefined;
  appliedTo(core, index, 0);
}

/**
 * Proposes the way out of a joint configuration that is to be left automatically. Not before everything up to
 * `pendingConfIndex` is applied: a change may be in there, and the way out itself, proposed already, is too.
 */
export function leaveJointIfDue(core: Core): void {
  if (core.role !== 'leader' || !core.tracker.conf.autoLeave) return;
  if (core.log.applied < core.pendingConfIndex) return;
  const outcome = proposeChange(core, EntryKind.confChangeV2, LEAVE_JOINT);
  const conf = core.tracker.conf;
  if (outcome.accepted) {
    core.logger?.log(
      'info',
      () => `initiating automatic transition out of joint configuration ${describeConfState(conf)}`,
    );
  } else {
    core.logger?.log(
      'debug',
      () =>
        `not initiating automatic transition out of joint configuration ${describeConfState(conf)}: raft proposal dropped`,
    );
  }
}
