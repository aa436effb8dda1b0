import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const follower = changeOf('raft/follower.ts');
const leader = changeOf('raft/leader.ts');
const membershipRules = changeOf('raft/membership.ts');
const proposals = changeOf('raft/proposals.ts');
const reconfigure = changeOf('raft/reconfigure.ts');
const roles = changeOf('raft/roles.ts');
const timers = changeOf('raft/timers.ts');
const tracker = changeOf('raft/tracker.ts');
const election = changeOf('raft/election.ts');

/** Changes of membership (thesis chapter 4). */
export const membership: readonly Mutant[] = mutantsOf('raft', [
  [
    'two-pending-changes',
    'one change of membership at a time',
    'thesis 4.1',
    proposals('if (core.pendingConfIndex > applied) {', 'if (false) {'),
  ],
  [
    'accepted-change-not-pending',
    'a change is pending from its proposal on',
    'thesis 4.1',
    proposals('  core.pendingConfIndex = core.log.lastIndex;\n', ''),
  ],
  [
    'new-leader-forgets-pending-changes',
    'a new leader takes no change before it has applied the log that it found',
    'thesis 4.1',
    roles('  core.pendingConfIndex = core.log.lastIndex;\n', ''),
  ],
  [
    'change-while-joint',
    'a joint configuration is left before another change',
    'thesis 4.3',
    proposals('} else if (isJoint(conf) && change.changes.length > 0) {', '} else if (false) {'),
  ],
  [
    'leaving-what-is-not-joint',
    'only a joint configuration is left',
    'thesis 4.3',
    proposals('} else if (!isJoint(conf) && change.changes.length === 0) {', '} else if (false) {'),
  ],
  [
    'impossible-change-in-the-log',
    'a change that cannot be applied does not get into the log',
    'this project',
    proposals('    if (!outcome.ok) {', '    if (false) {'),
  ],
  [
    'unreadable-change-in-the-log',
    'a change that replicas cannot read does not get into the log',
    'this project',
    proposals(
      "  if (confChangeProblem(change) !== undefined) return refuse(core, 'conf-change-impossible');\n",
      '',
    ),
  ],
  [
    'refused-change-leaves-nothing',
    'an empty entry takes the place of a refused change',
    "etcd's raft",
    proposals('      appendEmpty(core);\n', ''),
  ],
  [
    'two-voters-in-one-step',
    'a simple change alters one voter at most',
    'thesis 4.1',
    membershipRules('draft.voters) > 1) {', 'draft.voters) > 2) {'),
  ],
  [
    'group-without-voters',
    'no change removes the last voter',
    "etcd's raft",
    membershipRules("return this.voters.size === 0 ? 'removed all voters' : undefined;", 'return undefined;'),
  ],
  [
    'demoted-voter-leaves-at-once',
    'a voter that becomes a learner stays in the outgoing half until that is left',
    'thesis 4.3',
    membershipRules('if (this.outgoing.has(id)) this.#learnersNext.add(id);\n    else this', 'this'),
  ],
  [
    'auto-leave-too-early',
    'a joint configuration is left when all that is pending is applied, and once',
    "etcd's raft",
    reconfigure('  if (core.log.applied < core.pendingConfIndex) return;\n', ''),
  ],
  [
    'auto-leave-never',
    'a joint configuration that leaves by itself is left as its change is applied',
    "etcd's raft",
    reconfigure('bytes);\n  leaveJointIfDue(core);\n', 'bytes);\n'),
  ],
  [
    'auto-leave-lost-by-a-transfer',
    'a joint configuration is left when a transfer stood against it and has ended',
    'this project',
    timers('      leaveJointIfDue(core);\n', ''),
  ],
  [
    'auto-leave-lost-by-a-transfer-called-off',
    'a joint configuration is left when a transfer stood against it and was called off',
    'this project',
    leader('    leaveJointIfDue(core);\n', ''),
  ],
  [
    'explicit-joint-leaves-by-itself',
    'a joint configuration that is to be left explicitly waits for that',
    "etcd's raft",
    membershipRules("change.transition !== 'joint-explicit'", 'true'),
  ],
  [
    'removed-leader-goes-on',
    'a removed leader that stays commits and probes nothing as it switches',
    'thesis 4.2.2',
    reconfigure(
      'becomeFollower(core, core.term, 0);\n    return conf;',
      'becomeFollower(core, core.term, 0);\n    if (core.config.stepDownOnRemoval) return conf;',
    ),
  ],
  [
    'removed-leader-stays',
    'where it is asked for, a removed leader steps down',
    'thesis 4.2.2',
    reconfigure('if (core.config.stepDownOnRemoval) become', 'if (false) become'),
  ],
  [
    'removed-leader-proposes',
    'a removed leader takes no proposals',
    'thesis 4.2.2',
    proposals("  if (core.tracker.get(core.id) === undefined) return 'not-member';\n", ''),
  ],
  [
    'new-member-counts-as-silent',
    'a new member does not fail the next check of the quorum',
    "etcd's raft",
    tracker('Math.max(lastIndex, 1), true)', 'Math.max(lastIndex, 1), false)'),
  ],
  [
    'new-member-waits-for-a-heartbeat',
    'new members are probed at once',
    "etcd's raft",
    reconfigure('    broadcastMissing(core);\n', ''),
  ],
  [
    'old-progress-of-a-new-member',
    'of a member that comes in anew nothing is known',
    "etcd's raft",
    tracker('fresh.includes(id) ? undefined : this.get(id)', 'this.get(id)'),
  ],
  [
    'votes-asked-of-one-half',
    'a candidate asks the voters of both halves',
    'thesis 4.3',
    election('for (const id of core.tracker.voters) {', 'for (const id of core.tracker.conf.voters) {'),
  ],
]);

/** Handing leadership over (thesis 3.10). */
export const transfers: readonly Mutant[] = mutantsOf('raft', [
  [
    'proposals-during-a-transfer',
    'a leader takes no proposals while it hands over',
    'thesis 3.10',
    proposals('  if (core.transferee !== 0) {', '  if (false) {'),
  ],
  [
    'transfer-to-who-lags',
    'the target is caught up before it is told to campaign',
    'thesis 3.10',
    leader('  if (progress.match === core.log.lastIndex) {', '  if (true) {'),
  ],
  [
    'caught-up-target-not-told',
    'a target that has caught up is told to campaign',
    'thesis 3.10',
    leader('progress.id === core.transferee && progress.match', 'progress.id === 0 && progress.match'),
  ],
  [
    'transfer-without-end',
    'a transfer ends with the election timeout',
    'thesis 3.10',
    timers('      core.transferee = 0;\n', ''),
  ],
  [
    'transfer-begins-in-the-middle',
    'a transfer has a whole election timeout',
    'thesis 3.10',
    leader('  core.electionElapsed = 0;\n', ''),
  ],
  [
    'transfer-to-a-learner',
    'a learner is no target',
    "etcd's raft",
    leader('  if (progress.isLearner) {', '  if (false) {'),
  ],
  [
    'transfer-to-itself',
    'a leader is no target of its own',
    "etcd's raft",
    leader('  if (target === core.id) {', '  if (false) {'),
  ],
  [
    'same-transfer-again',
    'a transfer that is asked for again goes on, and gets no new time',
    "etcd's raft",
    leader('    if (previous === target) {', '    if (false) {'),
  ],
  [
    'transfer-to-who-was-removed',
    'a transfer ends as its target stops being a voter',
    "etcd's raft",
    reconfigure(
      '  if (core.transferee !== 0 && !core.tracker.isVoter(core.transferee)) core.transferee = 0;\n',
      '',
    ),
  ],
  [
    'transfer-outlives-the-leadership',
    'a transfer ends with the leadership',
    "etcd's raft",
    roles('  core.transferee = 0;\n', ''),
  ],
  [
    'target-asks-around-first',
    'the target of a transfer campaigns at once, without pre-votes',
    'thesis 9.6',
    follower(
      "campaignIfAllowed(core, 'transfer');",
      "campaignIfAllowed(core, core.config.preVote ? 'pre-election' : 'transfer');",
    ),
  ],
  [
    'target-does-not-say-so',
    'the requests of a transfer say that the leader asked for them',
    'thesis 4.2.3',
    election("campaign === 'transfer' ? CAMPAIGN_TRANSFER : EMPTY_BYTES", 'EMPTY_BYTES'),
  ],
]);
