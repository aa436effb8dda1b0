import { assert, type ConfState, type RaftId } from '@flotilla/base';
import { type ConfChange, type ConfChangeSingle, entersJoint, isLeaveJoint } from './conf-change.ts';

/**
 * The rules of membership change (thesis chapter 4) as functions from one configuration to the next. A change
 * works on a draft, so that one that fails leaves nothing half done.
 *
 * Simple changes alter at most one voter, because then every old majority shares a member with every new one.
 * Anything else goes through a joint configuration, in which both majorities decide; a voter demoted there
 * stays a voter of the outgoing half until the end, and waits in `learnersNext`.
 */

export type MembershipChange =
  | {
      readonly ok: true;
      readonly conf: ConfState;
      /** Members that come in new and of whose log nothing is known, even if their id was a member before. */
      readonly fresh: readonly RaftId[];
    }
  | { readonly ok: false; readonly reason: string };

export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

/** Every id of the configuration, ascending. */
export function membersOf(conf: ConfState): RaftId[] {
  return ascending(new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners]));
}

/** Voters of both halves, ascending. */
export function votersOf(conf: ConfState): RaftId[] {
  return ascending(new Set([...conf.voters, ...conf.votersOutgoing]));
}

export function isMember(conf: ConfState, id: RaftId): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id) || conf.learners.includes(id);
}

export function isVoter(conf: ConfState, id: RaftId): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id);
}

/** The configuration after a proposed change, by the way that its transition asks for. */
export function changeMembership(conf: ConfState, change: ConfChange): MembershipChange {
  if (isLeaveJoint(change)) return leaveJoint(conf);
  if (entersJoint(change)) return enterJoint(conf, change.transition !== 'joint-explicit', change.changes);
  return changeSimply(conf, change.changes);
}

/** A change of at most one voter, and of any number of learners, in one step. */
export function changeSimply(conf: ConfState, changes: readonly ConfChangeSingle[]): MembershipChange {
  if (isJoint(conf)) return refuse("can't apply simple config change in joint config");
  const draft = new Draft(conf);
  const problem = draft.apply(changes);
  if (problem !== undefined) return refuse(problem);
  if (differenceSize(new Set(conf.voters), draft.voters) > 1) {
    return refuse('more than one voter changed without entering joint config');
  }
  return draft.finish();
}

/** Opens a joint configuration: the voters of now go out, the changed ones come in. */
export function enterJoint(
  conf: ConfState,
  autoLeave: boolean,
  changes: readonly ConfChangeSingle[],
): MembershipChange {
  if (isJoint(conf)) return refuse('config is already joint');
  if (conf.voters.length === 0) return refuse("can't make a zero-voter config joint");
  const draft = new Draft(conf);
  draft.outgoing = new Set(conf.voters);
  draft.autoLeave = autoLeave;
  const problem = draft.apply(changes);
  return problem === undefined ? draft.finish() : refuse(problem);
}

/** Closes a joint configuration: the incoming voters decide alone. */
export function leaveJoint(conf: ConfState): MembershipChange {
  if (!isJoint(conf)) return refuse("can't leave a non-joint config");
  const draft = new Draft(conf);
  draft.leave();
  return draft.finish();
}

/** What is wrong with a configuration that came from outside; undefined if nothing is. */
export function confStateProblem(conf: ConfState): string | undefined {
  for (const ids of [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext]) {
    for (let at = 0; at < ids.length; at++) {
      const id = ids[at] as RaftId;
      if (!Number.isSafeInteger(id) || id <= 0) return `${id} is not a raft id`;
      if (at > 0 && id <= (ids[at - 1] as RaftId)) return 'ids are not ascending';
    }
  }
  for (const id of conf.learners) if (isVoter(conf, id)) return `${id} is a learner and a voter`;
  for (const id of conf.learnersNext) {
    if (!conf.votersOutgoing.includes(id)) return `${id} is to become a learner but is no outgoing voter`;
    if (conf.voters.includes(id)) return `${id} is to become a learner and a voter`;
  }
  if (!isJoint(conf) && conf.autoLeave) return 'auto-leave outside a joint configuration';
  if (isJoint(conf) && conf.voters.length === 0) return 'a joint configuration without incoming voters';
  return undefined;
}

class Draft {
  readonly voters: Set<RaftId>;
  outgoing: Set<RaftId>;
  readonly #learners: Set<RaftId>;
  readonly #learnersNext: Set<RaftId>;
  readonly #members: Set<RaftId>;
  readonly #fresh = new Set<RaftId>();
  autoLeave: boolean;

  constructor(conf: ConfState) {
    const problem = confStateProblem(conf);
    assert(problem === undefined, () => `a change begins from a broken configuration: ${problem}`);
    this.voters = new Set(conf.voters);
    this.outgoing = new Set(conf.votersOutgoing);
    this.#learners = new Set(conf.learners);
    this.#learnersNext = new Set(conf.learnersNext);
    this.#members = new Set(membersOf(conf));
    this.autoLeave = conf.autoLeave;
  }

  /** Applies the operations in order; the text is the reason why the outcome is not acceptable. */
  apply(changes: readonly ConfChangeSingle[]): string | undefined {
    for (const { kind, id } of changes) {
      // Id 0 stands for an operation that the application crossed out after it was proposed.
      if (id === 0) continue;
      if (kind === 'add-voter') this.#makeVoter(id);
      else if (kind === 'add-learner') this.#makeLearner(id);
      else if (kind === 'remove') this.#remove(id);
    }
    return this.voters.size === 0 ? 'removed all voters' : undefined;
  }

  leave(): void {
    for (const id of this.#learnersNext) this.#learners.add(id);
    this.#learnersNext.clear();
    for (const id of this.outgoing) {
      if (!this.voters.has(id) && !this.#learners.has(id)) this.#members.delete(id);
    }
    this.outgoing.clear();
    this.autoLeave = false;
  }

  finish(): MembershipChange {
    const conf: ConfState = {
      voters: ascending(this.voters),
      votersOutgoing: ascending(this.outgoing),
      learners: ascending(this.#learners),
      learnersNext: ascending(this.#learnersNext),
      autoLeave: this.autoLeave,
    };
    const problem = confStateProblem(conf);
    assert(problem === undefined, () => `a change ends in a broken configuration: ${problem}`);
    assert(differenceSize(this.#members, new Set(membersOf(conf))) === 0, 'members and roles disagree');
    return { ok: true, conf, fresh: ascending(this.#fresh) };
  }

  #makeVoter(id: RaftId): void {
    this.#join(id);
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    this.voters.add(id);
  }

  #makeLearner(id: RaftId): void {
    if (this.#learners.has(id)) return;
    this.#join(id);
    this.voters.delete(id);
    this.#learnersNext.delete(id);
    // Still an outgoing voter: were it a learner at once, the outgoing majority would shrink before its time.
    if (this.outgoing.has(id)) this.#learnersNext.add(id);
    else this.#learners.add(id);
  }

  #remove(id: RaftId): void {
    this.voters.delete(id);
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    if (this.outgoing.has(id)) return;
    this.#members.delete(id);
    this.#fresh.delete(id);
  }

  #join(id: RaftId): void {
    if (this.#members.has(id)) return;
    this.#members.add(id);
    this.#fresh.add(id);
  }
}

function refuse(reason: string): MembershipChange {
  return { ok: false, reason };
}

function ascending(ids: ReadonlySet<RaftId>): RaftId[] {
  return [...ids].sort((left, right) => left - right);
}

function differenceSize(left: ReadonlySet<RaftId>, right: ReadonlySet<RaftId>): number {
  let size = 0;
  for (const id of left) if (!right.has(id)) size++;
  for (const id of right) if (!left.has(id)) size++;
  return size;
}
