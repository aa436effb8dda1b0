import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const core = changeOf('raft/core.ts');
const dispatch = changeOf('raft/dispatch.ts');
const follower = changeOf('raft/follower.ts');
const leader = changeOf('raft/leader.ts');
const log = changeOf('raft/log.ts');
const reconfigure = changeOf('raft/reconfigure.ts');
const replication = changeOf('raft/replication.ts');
const roles = changeOf('raft/roles.ts');
const tracker = changeOf('raft/tracker.ts');

/** What is appended, what counts for a commit, and who hears of it. */
export const commits: readonly Mutant[] = mutantsOf('raft', [
  [
    'commit-old-terms-by-counting',
    'a leader commits by counting only entries of its own term',
    'paper 5.4.2, figure 8',
    replication(
      'core.log.maybeCommit(core.tracker.quorumMatch(), core.term)',
      'core.log.maybeCommit(core.tracker.quorumMatch(), core.log.term(core.tracker.quorumMatch()) ?? 0)',
    ),
  ],
  [
    'no-empty-entry',
    'a leader begins its term with an empty entry',
    'thesis 6.4',
    roles('  appendEmpty(core);\n', ''),
  ],
  [
    'outgoing-majority-ignored-in-commits',
    'while joint, what is committed is on the outgoing majority, too',
    'thesis 4.3',
    tracker('this.#conf.votersOutgoing, this.#matchOf)', '[], this.#matchOf)'),
  ],
  [
    'incoming-majority-ignored-in-commits',
    'while joint, what is committed is on the incoming majority, too',
    'thesis 4.3',
    tracker(
      'jointIndex(this.#conf.voters, this.#conf.votersOutgoing, this.#matchOf)',
      'jointIndex(this.#conf.votersOutgoing.length > 0 ? this.#conf.votersOutgoing : this.#conf.voters, [], this.#matchOf)',
    ),
  ],
  [
    'learners-commit',
    'learners commit nothing',
    'thesis 4.2.1',
    tracker(
      'jointIndex(this.#conf.voters, this.#conf.votersOutgoing, this.#matchOf)',
      'jointIndex([...this.#conf.voters, ...this.#conf.learners], this.#conf.votersOutgoing, this.#matchOf)',
    ),
  ],
  [
    'own-entry-counts-before-it-is-durable',
    "a leader's own entry counts when it is durable",
    'thesis 10.2.1',
    replication(
      '  core.log.append(entries);\n',
      '  core.log.append(entries);\n  core.tracker.get(core.id)?.advance(index);\n',
    ),
  ],
  [
    'acknowledgement-before-it-is-durable',
    'an acknowledgement leaves when what it speaks of is durable',
    'paper figure 2',
    core(
      'if (waitsForDurability(kind)) {',
      'if (waitsForDurability(kind) && (message.to === this.id || kind !== MessageKind.appResp)) {',
    ),
  ],
  [
    'acknowledgement-of-an-older-term-counts',
    'an acknowledgement of an older term commits nothing',
    'paper 5.1',
    dispatch(
      '} else if (term < core.term && term !== 0) {',
      '} else if (term < core.term && term !== 0 && message.kind !== MessageKind.appResp) {',
    ),
  ],
  [
    'append-of-an-older-term',
    'an append of an older term changes nothing',
    'paper 5.1',
    dispatch(
      '} else if (term < core.term && term !== 0) {',
      '} else if (term < core.term && term !== 0 && message.kind !== MessageKind.app) {',
    ),
  ],
  [
    'heartbeat-of-an-older-term',
    'a heartbeat of an older term changes nothing',
    'paper 5.1',
    dispatch(
      '} else if (term < core.term && term !== 0) {',
      '} else if (term < core.term && term !== 0 && message.kind !== MessageKind.heartbeat) {',
    ),
  ],
  [
    'acknowledgement-beyond-the-log',
    'nobody has more of a leader than its log',
    'paper figure 3',
    leader('if (!message.reject && message.index > core.log.lastIndex) {', 'if (false) {'),
  ],
  [
    'append-anywhere',
    'a follower takes entries only where the entry before them is the same',
    'paper 5.3',
    follower('if (log.matches(previous, logTerm)) {', 'if (previous <= log.lastIndex) {'),
  ],
  [
    'append-below-the-commit',
    'what is committed is not looked at again',
    'paper 5.3',
    follower('if (previous < log.committed) {', 'if (false) {'),
  ],
  [
    'truncate-what-is-contained',
    'an append that is contained already cuts nothing off',
    'paper 5.3',
    follower(
      'if (conflict !== 0) log.append(entries.slice(conflict - previous - 1));',
      'if (entries.length > 0) log.append(entries);',
    ),
  ],
  [
    'conflict-not-replaced',
    'an entry of another term is replaced, and all behind it',
    'paper 5.3',
    log('if (own === entry.term) continue;', 'if (own !== undefined) continue;'),
  ],
  [
    'commit-beyond-what-was-verified',
    'a follower commits no further than the message went',
    'paper figure 2',
    follower('Math.min(message.commit, last)', 'Math.min(message.commit, log.lastIndex)'),
  ],
  [
    'acknowledge-the-own-end',
    'a follower acknowledges no further than the message went',
    'paper 5.3',
    follower('    answer.index = last;', '    answer.index = log.lastIndex;'),
  ],
  [
    'commit-goes-back',
    'a commit index never goes back',
    'paper figure 2',
    log('    if (index <= this.#committed) return; // Never goes back.\n', ''),
  ],
  [
    'heartbeat-tells-the-whole-commit',
    'a heartbeat tells a commit index only as far as the member is known to match',
    "etcd's raft",
    replication('Math.min(progress.match, core.log.committed)', 'core.log.committed'),
  ],
  [
    'heartbeat-beyond-the-log',
    'a commit index beyond the own log shows that acknowledged entries were lost',
    'this project',
    follower('if (message.commit > core.log.lastIndex) {', 'if (false) {'),
  ],
  [
    'commit-not-told',
    'followers hear of a commit at once',
    "etcd's raft",
    leader('    broadcastAppend(core);\n  } else if', '  } else if'),
  ],
  [
    'commit-told-late',
    'a follower that has entries of whose commit nobody told it is told with the next answer',
    "etcd's raft",
    leader('} else if (!isSelf && progress.wantsCommit(core.log.committed)) {', '} else if (false) {'),
  ],
  [
    'smaller-quorum-not-counted',
    'a smaller quorum commits at once what it has',
    "etcd's raft",
    reconfigure('if (maybeCommit(core)) {', 'if (false) {'),
  ],
  [
    'member-of-a-removed-change-acknowledges',
    'acknowledgements count from members only',
    'paper figure 2',
    dispatch("core.tracker.get(from) === undefined) return 'unknown-peer';", "false) return 'unknown-peer';"),
  ],
  [
    'gap-in-the-entries',
    'entries without gaps, of terms that never fall and never pass the term of the message',
    'paper figure 3',
    dispatch(
      'if (entry.index !== index || entry.term < logTerm || entry.term > term) return false;',
      'if (entry.term > term) return false;',
    ),
  ],
  [
    'numbers-that-are-no-counts',
    'terms and indexes of others are safe integers',
    'this project',
    dispatch('  if (!hasSafeNumbers(message)) return false;\n', ''),
  ],
  [
    'local-message-from-outside',
    'nobody else orders a node to campaign, or tells it what is durable',
    "etcd's raft",
    dispatch("if (isLocalKind(kind) && !fromThread) return 'local-message';", ''),
  ],
]);
