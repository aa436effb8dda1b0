import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const follower = changeOf('raft/follower.ts');
const leader = changeOf('raft/leader.ts');
const log = changeOf('raft/log.ts');
const progress = changeOf('raft/progress.ts');
const reconfigure = changeOf('raft/reconfigure.ts');
const replication = changeOf('raft/replication.ts');

/** Snapshots: when one is sent, what is sent meanwhile, what a follower makes of it. */
export const snapshots: readonly Mutant[] = mutantsOf('raft', [
  [
    'snapshot-to-the-silent',
    'a member that does not answer gets no snapshot',
    "etcd's raft",
    replication('if (!progress.recentActive) {', 'if (false) {'),
  ],
  [
    'snapshot-without-the-member',
    'a member gets no snapshot that does not name it',
    "etcd's raft",
    replication(' || !isMember(snapshot.confState, progress.id)) {', ') {'),
  ],
  [
    'entries-beside-a-snapshot',
    'while a snapshot is under way nothing else is sent',
    "etcd's raft",
    progress("this.state === 'snapshot' || this.flowPaused", 'this.flowPaused'),
  ],
  [
    'failed-snapshot-taken-for-sent',
    'after a failed snapshot a member is probed from what it is known to have',
    "etcd's raft",
    leader('  if (message.reject) progress.pendingSnapshot = 0;\n', ''),
  ],
  [
    'sent-snapshot-is-forgotten',
    'after a snapshot a member is probed from behind it',
    "etcd's raft",
    progress(
      "this.state === 'snapshot' ? Math.max(this.match, this.pendingSnapshot) : this.match",
      'this.match',
    ),
  ],
  [
    'sent-snapshot-taken-for-installed',
    'after a snapshot a leader waits for the acknowledgement or the next heartbeat',
    "etcd's raft",
    leader('  progress.flowPaused = true;\n', ''),
  ],
  [
    'waits-for-that-snapshot',
    'a member that reaches the log by another way than its snapshot is sent entries',
    "etcd's raft",
    replication('progress.match + 1 >= core.log.firstIndex', 'progress.match >= progress.pendingSnapshot'),
  ],
  [
    'snapshot-of-the-past',
    'a snapshot of what is committed already is ignored',
    'paper figure 13',
    follower('snapshot === undefined || snapshot.index <= log.committed', 'snapshot === undefined'),
  ],
  [
    'snapshot-drops-a-log-that-matches',
    'a snapshot of an entry that the log has keeps the entries behind it',
    'paper figure 13',
    follower('if (log.matches(index, term)) {', 'if (false) {'),
  ],
  [
    'snapshot-without-us',
    'a snapshot that does not name the node is ignored',
    "etcd's raft",
    follower('if (!isMember(confState, core.id)) {', 'if (false) {'),
  ],
  [
    'snapshot-without-its-configuration',
    'a snapshot brings the configuration of its index',
    'paper figure 13',
    follower('  switchToSnapshot(core, confState);\n', ''),
  ],
  [
    'ignored-snapshot-acknowledges-the-end',
    'a snapshot that is ignored acknowledges what is committed, and no more',
    "etcd's raft",
    follower('restored ? core.log.lastIndex : core.log.committed', 'core.log.lastIndex'),
  ],
  [
    'entries-applied-before-a-snapshot',
    'nothing is applied while a snapshot waits for its installation',
    "etcd's raft",
    log(' || this.unstable.snapshot !== undefined) return false;', ') return false;'),
  ],
  [
    'overtaken-change-comes-back',
    'a change that a snapshot overtook goes to the configuration from before it',
    'this project',
    reconfigure('  core.confBeforeSnapshot ??= core.tracker.conf;\n', ''),
  ],
]);
