import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const follower = changeOf('raft/follower.ts');
const inflights = changeOf('raft/inflights.ts');
const leader = changeOf('raft/leader.ts');
const log = changeOf('raft/log.ts');
const progress = changeOf('raft/progress.ts');
const proposals = changeOf('raft/proposals.ts');
const replication = changeOf('raft/replication.ts');
const storage = changeOf('raft/storage.ts');

/** How a leader sends: probing, windows, limits, what a follower has been told. */
export const flow: readonly Mutant[] = mutantsOf('raft', [
  [
    'late-rejection-while-replicating',
    'a rejection of what is known to match is late, and ignored',
    "etcd's raft",
    progress('      if (rejected <= this.match) return false;\n', ''),
  ],
  [
    'late-rejection-while-probing',
    'a rejection of another probe than the last is late, and ignored',
    "etcd's raft",
    progress('    if (this.next - 1 !== rejected) return false;\n', ''),
  ],
  [
    'probe-below-the-match',
    'no rejection moves the next index to or below what is known to match',
    'paper 5.3',
    progress(
      'Math.max(Math.min(rejected, hint + 1), this.match + 1)',
      'Math.max(Math.min(rejected, hint + 1), 1)',
    ),
  ],
  [
    'follower-hints-one-back',
    'a follower skips all its entries above the term of the leader there in one step',
    'paper 5.3',
    follower(
      'log.findConflictByTerm(Math.min(previous, log.lastIndex), logTerm)',
      '{ index: Math.min(previous - 1, log.lastIndex), term: log.term(Math.min(previous - 1, log.lastIndex)) ?? 0 }',
    ),
  ],
  [
    'leader-believes-the-hint',
    'a leader skips all its entries above the term of the hint in one step',
    'paper 5.3',
    replication('  if (logTerm > 0) hint =', '  if (logTerm < 0) hint ='),
  ],
  [
    'rejection-keeps-replicating',
    'after a genuine rejection a leader probes',
    "etcd's raft",
    replication("  if (progress.state === 'replicate') progress.becomeProbe();\n", ''),
  ],
  [
    'unreachable-keeps-replicating',
    'what could not be delivered is probed for',
    "etcd's raft",
    leader("  if (progress.state === 'replicate') progress.becomeProbe();\n", ''),
  ],
  [
    'probing-never-ends',
    'a follower that answered a probe is sent entries ahead',
    "etcd's raft",
    replication(
      "  if (progress.state === 'probe') {\n    progress.becomeReplicate();",
      "  if (progress.state === 'probe') {",
    ),
  ],
  [
    'acknowledgement-frees-one',
    'an acknowledgement frees everything in flight up to it',
    "etcd's raft",
    inflights('while (this.#count > 0 && (this', 'if (this.#count > 0 && (this'),
  ],
  [
    'empty-append-pauses-a-probe',
    'a probe without entries does not pause',
    "etcd's raft",
    progress('if (count > 0) this.flowPaused = true;', 'this.flowPaused = true;'),
  ],
  [
    'probe-without-a-pause',
    'one probe with entries at a time',
    "etcd's raft",
    progress('      if (count > 0) this.flowPaused = true;\n', ''),
  ],
  [
    'full-window-takes-entries',
    'no entries go while the window is full',
    'thesis 10.2.2',
    replication("if (progress.state !== 'replicate' || !progress.inflights.full) {", '{'),
  ],
  [
    'window-counts-no-messages',
    'the window is limited by messages',
    "etcd's raft",
    inflights('this.#count >= this.#countMax || ', ''),
  ],
  [
    'window-counts-no-bytes',
    'the window is limited by bytes',
    "etcd's raft",
    inflights(' || this.#bytes >= this.#bytesMax', ''),
  ],
  [
    'message-without-a-limit',
    'the entries of a message are limited by bytes',
    "etcd's raft",
    replication('core.config.messageBytesMax', 'Number.MAX_SAFE_INTEGER'),
  ],
  [
    'large-entry-never-goes',
    'one entry goes, however large it is',
    "etcd's raft",
    storage('if (bytes > bytesMax && at > begin)', 'if (bytes > bytesMax)'),
  ],
  [
    'heartbeat-answer-resumes-nothing',
    'an answer to a heartbeat lets one more message go to a member that is paused',
    "etcd's raft",
    leader('  progress.flowPaused = false;\n', ''),
  ],
  [
    'heartbeat-answer-sends-nothing',
    'an answer to a heartbeat brings what is missing there',
    'paper 5.3',
    leader("progress.match < core.log.lastIndex || progress.state === 'probe'", 'false'),
  ],
  [
    'one-message-per-answer',
    'an answer that makes room releases as many messages as fit',
    "etcd's raft",
    leader('while (sendAppend(core, progress, false)) {', 'if (sendAppend(core, progress, false)) {'),
  ],
  [
    'commit-told-again-and-again',
    'a commit index is told again only to a member that was told less',
    "etcd's raft",
    progress('commit > this.sentCommit && ', ''),
  ],
  [
    'commit-told-in-vain',
    'a commit index is told only to a member that was sent entries beyond what it was told',
    "etcd's raft",
    progress(' && this.sentCommit < this.next - 1', ''),
  ],
  [
    'lost-commit-taken-for-told',
    'what was lost with the messages behind it was not told',
    "etcd's raft",
    progress('    if (this.sentCommit > this.next - 1) this.sentCommit = this.next - 1;\n', ''),
  ],
  [
    'heartbeat-commit-not-noted',
    'what a heartbeat told is what the member was told',
    "etcd's raft",
    replication('    progress.sentCommit = message.commit;\n', ''),
  ],
  [
    'uncommitted-without-a-limit',
    'a leader takes payload up to a limit of what is not applied',
    "etcd's raft",
    replication('if (held > 0 && bytes > 0 &&', 'if (false && bytes > 0 &&'),
  ],
  [
    'large-proposal-never-fits',
    'one proposal always fits, however large it is',
    "etcd's raft",
    replication('if (held > 0 && bytes > 0 &&', 'if (bytes > 0 &&'),
  ],
  [
    'empty-proposal-over-the-limit',
    'empty entries pass every limit',
    "etcd's raft",
    replication('if (held > 0 && bytes > 0 &&', 'if (held > 0 &&'),
  ],
  [
    'quota-never-returned',
    'what is applied makes room for proposals',
    "etcd's raft",
    replication('core.uncommittedBytes - bytes', 'core.uncommittedBytes'),
  ],
  [
    'quota-returned-for-what-took-none',
    'entries of earlier terms took no room, and give none back',
    'this project',
    replication(
      'if (index >= core.termFirstIndex) bytes += data.length;',
      'if (index > 0) bytes += data.length;',
    ),
  ],
  [
    'pages-without-a-pause',
    'what is handed out for application is limited by bytes',
    "etcd's raft",
    log('if (this.#applyingPaused || this', 'if (this'),
  ],
  [
    'cut-page-does-not-pause',
    'after a page that was cut the next one waits for its acknowledgement',
    "etcd's raft",
    log(' || index < this.appliableIndex(allowUnstable)', ''),
  ],
  [
    'forwarded-though-switched-off',
    'where forwarding is switched off a follower refuses proposals',
    "etcd's raft",
    proposals('if (!core.config.disableProposalForwarding) return', 'if (core.leaderId !== 0) return'),
  ],
]);
