import { EntryKind, type Message, MessageKind, type RaftId } from '@flotilla/base';
import { type ConfChange, confChangeProblem, decodeConfChange, encodeConfChange } from './conf-change.ts';
import type { Core } from './core.ts';
import { describeConfChange, describeConfState, hex } from './describe.ts';
import { changeMembership, isJoint } from './membership.ts';
import { draft } from './messages.ts';
import { appendEmpty, appendOwn, broadcastAppend } from './replication.ts';
import type { StepResult } from './step-result.ts';

/**
 * Why a proposal was not taken. `forwarded`: it is on its way to the leader, its fate is unknown. The reasons
 * that begin with `conf-change` say that the change does not fit the configuration or one still under way.
 */
export type ProposalRefusal =
  | 'no-leader'
  | 'not-leader'
  | 'forwarded'
  | 'transferring'
  | 'overloaded'
  | 'not-member'
  | 'conf-change-pending'
  | 'conf-change-joint'
  | 'conf-change-not-joint'
  | 'conf-change-impossible';

export type Proposal =
  | {
      readonly accepted: true;
      /** Of the last entry of the proposal; its entries are consecutive. */
      readonly index: number;
      readonly term: number;
    }
  | {
      readonly accepted: false;
      readonly reason: ProposalRefusal;
      /** Whom this node follows; 0 if it knows no leader. */
      readonly leader: RaftId;
    };

/** Proposes entries of data, on any node. */
export function proposeData(core: Core, data: readonly Uint8Array[]): Proposal {
  if (core.role !== 'leader') return passOn(core, EntryKind.normal, data);
  const refusal = refusalOfLeader(core);
  if (refusal !== undefined) return refuse(core, refusal);
  if (!appendOwn(core, EntryKind.normal, data)) return refuse(core, 'overloaded');
  broadcastAppend(core);
  return accepted(core);
}

/** Proposes a change of membership, on any node. */
export function proposeChange(core: Core, kind: EntryKind, change: ConfChange): Proposal {
  // Replicas would stop at an entry that they cannot read.
  if (confChangeProblem(change) !== undefined) return refuse(core, 'conf-change-impossible');
  if (core.role !== 'leader') return passOn(core, kind, [encodeConfChange(change)]);
  const refusal = refusalOfLeader(core);
  if (refusal !== undefined) return refuse(core, refusal);
  const outcome = appendChange(core, kind, change);
  if (outcome !== 'conf-change-impossible' && outcome !== 'overloaded') broadcastAppend(core);
  return outcome === undefined ? accepted(core) : refuse(core, outcome);
}

function accepted(core: Core): Proposal {
  return { accepted: true, index: core.log.lastIndex, term: core.term };
}

function refuse(core: Core, reason: ProposalRefusal): Proposal {
  return { accepted: false, reason, leader: core.leaderId };
}

function refusalOfLeader(core: Core): ProposalRefusal | undefined {
  // A leader that was removed replicates what it has, so that its own removal gets through, and no more.
  if (core.tracker.get(core.id) === undefined) return 'not-member';
  if (core.transferee !== 0) {
    // Otherwise the target would never catch up, and what is proposed now would most likely be lost.
    core.logger?.log(
      'debug',
      () =>
        `${hex(core.id)} [term ${core.term}] transfer leadership to ${hex(core.transferee)} is in progress; dropping proposal`,
    );
    return 'transferring';
  }
  return undefined;
}

function passOn(core: Core, kind: EntryKind, data: readonly Uint8Array[]): Proposal {
  const reason = refusalToPassOn(core);
  if (reason !== undefined) return refuse(core, reason);
  const message = draft(MessageKind.prop, core.leaderId);
  message.entries = data.map((bytes) => ({ index: 0, term: 0, kind, data: bytes }));
  core.send(message);
  return refuse(core, 'forwarded');
}

function refusalToPassOn(core: Core): ProposalRefusal | undefined {
  if (core.leaderId === 0) {
    core.logger?.log('info', () => `${hex(core.id)} no leader at term ${core.term}; dropping proposal`);
    return 'no-leader';
  }
  if (!core.config.disableProposalForwarding) return undefined;
  core.logger?.log(
    'info',
    () =>
      `${hex(core.id)} not forwarding to leader ${hex(core.leaderId)} at term ${core.term}; dropping proposal`,
  );
  return 'not-leader';
}

/**
 * Appends a change if it may follow what is under way, and an empty entry if not. One at a time (thesis 4.1):
 * with a second change on top of an unapplied one, the leader would count majorities of a configuration from
 * which the other changes the distance by two, and old and new majorities need not meet.
 */
function appendChange(core: Core, kind: EntryKind, change: ConfChange): ProposalRefusal | undefined {
  const { conf } = core.tracker;
  const { applied } = core.log;
  let refusal: ProposalRefusal | undefined;
  let text = '';
  if (core.pendingConfIndex > applied) {
    refusal = 'conf-change-pending';
    text = `possible unapplied conf change at index ${core.pendingConfIndex} (applied to ${applied})`;
  } else if (isJoint(conf) && change.changes.length > 0) {
    refusal = 'conf-change-joint';
    text = 'must transition out of joint config first';
  } else if (!isJoint(conf) && change.changes.length === 0) {
    refusal = 'conf-change-not-joint';
    text = 'not in joint state; refusing empty conf change';
  }
  if (!core.config.disableConfChangeValidation) {
    if (refusal !== undefined) {
      core.logger?.log(
        'info',
        () =>
          `${hex(core.id)} ignoring conf change ${describeConfChange(change)} at config ${describeConfState(conf)}: ${text}`,
      );
      appendEmpty(core);
      return refusal;
    }
    // All earlier changes are applied, so this is the configuration that the change will meet. One that cannot
    // be applied would stop every replica that reaches it; it must not get into the log.
    const outcome = changeMembership(conf, change);
    if (!outcome.ok) {
      core.logger?.log(
        'info',
        () =>
          `${hex(core.id)} refusing conf change ${describeConfChange(change)} at config ${describeConfState(conf)}: ${outcome.reason}`,
      );
      return 'conf-change-impossible';
    }
  }
  if (!appendOwn(core, kind, [encodeConfChange(change)])) return 'overloaded';
  core.pendingConfIndex = core.log.lastIndex;
  return undefined;
}

/** A forwarded proposal, on a leader. Its entries may be of different kinds. */
export function handleForwardedProposal(core: Core, message: Message): StepResult {
  if (refusalOfLeader(core) !== undefined) return 'proposal-dropped';
  const { entries } = message;
  const changes: (ConfChange | undefined)[] = [];
  for (const { kind, data } of entries) {
    if (kind === EntryKind.normal) {
      changes.push(undefined);
      continue;
    }
    try {
      changes.push(decodeConfChange(data));
    } catch {
      return 'malformed';
    }
  }
  let result: StepResult = 'ok';
  let run: Uint8Array[] = [];
  const appendRun = (): void => {
    if (run.length > 0 && !appendOwn(core, EntryKind.normal, run)) result = 'proposal-dropped';
    run = [];
  };
  for (let at = 0; at < entries.length && result === 'ok'; at++) {
    const change = changes[at];
    const entry = entries[at];
    if (entry === undefined) break;
    if (change === undefined) {
      run.push(entry.data);
      continue;
    }
    appendRun();
    const refusal = appendChange(core, entry.kind, change);
    if (refusal === 'conf-change-impossible' || refusal === 'overloaded') result = 'proposal-dropped';
  }
  if (result === 'ok') appendRun();
  broadcastAppend(core);
  return result;
}

/** A forwarded proposal that reached a node which is not the leader either. */
export function handleStrayProposal(core: Core, message: Message): StepResult {
  if (core.role !== 'follower' || refusalToPassOn(core) !== undefined) {
    if (core.role !== 'follower') {
      core.logger?.log('info', () => `${hex(core.id)} no leader at term ${core.term}; dropping proposal`);
    }
    return 'proposal-dropped';
  }
  const onward = draft(MessageKind.prop, core.leaderId);
  onward.from = message.from;
  onward.entries = message.entries;
  core.send(onward);
  return 'ok';
}
