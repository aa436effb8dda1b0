import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const core = changeOf('raft/core.ts');
const dispatch = changeOf('raft/dispatch.ts');
const election = changeOf('raft/election.ts');
const follower = changeOf('raft/follower.ts');
const leader = changeOf('raft/leader.ts');
const log = changeOf('raft/log.ts');
const quorum = changeOf('raft/quorum.ts');
const roles = changeOf('raft/roles.ts');
const tracker = changeOf('raft/tracker.ts');

const ANSWER_OF_REQUEST = 'const granted = mayVote && core.log.isUpToDate(index, logTerm);';

/** Who votes for whom, who campaigns, and what ends a term. */
export const elections: readonly Mutant[] = mutantsOf('raft', [
  [
    'vote-twice',
    'a node gives one vote in a term',
    'paper 5.2',
    election('(core.vote === 0 && core.leaderId === 0)', 'core.leaderId === 0'),
  ],
  [
    'vote-not-remembered',
    'a vote is remembered for the whole term',
    'paper figure 2',
    election('      core.vote = from;\n', ''),
  ],
  [
    'vote-freed-within-the-term',
    'falling back within a term frees no vote',
    'paper figure 2',
    roles('  if (core.term !== term) {', '  {'),
  ],
  [
    'vote-of-an-earlier-term-binds',
    'a new term frees the vote',
    'paper figure 2',
    roles('    core.vote = 0;\n', ''),
  ],
  [
    'vote-against-a-known-leader',
    'nobody votes in a term whose leader it knows',
    "etcd's raft",
    election('(core.vote === 0 && core.leaderId === 0)', 'core.vote === 0'),
  ],
  [
    'vote-for-a-shorter-log',
    'a candidate whose log is shorter, with the same last term, gets no vote',
    'paper 5.4.1',
    log('index >= this.lastIndex)', 'true)'),
  ],
  [
    'vote-for-an-older-log',
    'a candidate whose last entry is of an older term gets no vote, however long its log is',
    'paper 5.4.1',
    log('return term > lastTerm || (term === lastTerm && index', 'return term > lastTerm || (index'),
  ],
  [
    'vote-refused-to-an-equal-log',
    'a candidate with the same log may have the vote',
    'paper 5.4.1',
    log('term === lastTerm && index >= this.lastIndex', 'term === lastTerm && index > this.lastIndex'),
  ],
  [
    'vote-before-it-is-durable',
    'a vote leaves when it is durable',
    'paper figure 2',
    core(
      'if (waitsForDurability(kind)) {',
      'if (waitsForDurability(kind) && (message.to === this.id || kind !== MessageKind.voteResp)) {',
    ),
  ],
  [
    'lead-a-term-that-is-not-durable',
    'nobody leads a term that its own disk does not know',
    'decision 18',
    election('} else if (core.tracker.hasAnswered(core.id)) {', '} else {'),
  ],
  [
    'half-of-the-votes-suffice',
    'a leader has the votes of a majority',
    'paper 5.2',
    quorum('(count >> 1) + 1', '(count + 1) >> 1'),
  ],
  [
    'outgoing-majority-ignored-in-votes',
    'while joint, the outgoing majority votes, too',
    'thesis 4.3',
    tracker('this.#conf.votersOutgoing, this.#voteOf)', '[], this.#voteOf)'),
  ],
  [
    'incoming-majority-ignored-in-votes',
    'while joint, the incoming majority votes, too',
    'thesis 4.3',
    tracker(
      'jointVote(this.#conf.voters, this.#conf.votersOutgoing, this.#voteOf)',
      'jointVote(this.#conf.votersOutgoing.length > 0 ? this.#conf.votersOutgoing : this.#conf.voters, [], this.#voteOf)',
    ),
  ],
  [
    'votes-of-learners-count',
    'learners elect nobody',
    'thesis 4.2.1',
    tracker(
      'jointVote(this.#conf.voters, this.#conf.votersOutgoing, this.#voteOf)',
      'jointVote([...this.#conf.voters, ...this.#conf.learners], this.#conf.votersOutgoing, this.#voteOf)',
    ),
  ],
  [
    'second-answer-counts',
    'the first answer of a voter counts',
    "etcd's raft",
    tracker('if (!this.#votes.has(id)) this.#votes.set', 'this.#votes.set'),
  ],
  [
    'pre-votes-count-as-votes',
    'a late answer of the pre-election elects nobody',
    'thesis 9.6',
    election("  if (kind !== expected) return 'ok';\n", ''),
  ],
  [
    'vote-of-an-older-term-counts',
    'a vote of an older term elects nobody',
    'paper 5.1',
    dispatch(
      '} else if (term < core.term && term !== 0) {',
      '} else if (term < core.term && term !== 0 && message.kind !== MessageKind.voteResp) {',
    ),
  ],
  [
    'vote-for-a-log-that-was-lost-counts',
    'a vote counts only for the log that it was given for',
    'this project',
    election('else if (isForAnotherLog(core, message.context)) return', 'else if (false) return'),
  ],
  [
    'lost-election-goes-on',
    'a candidate that a majority refused gives up',
    "etcd's raft",
    election("} else if (result === 'lost') {", '} else if (false) {'),
  ],
  [
    'campaign-over-an-unapplied-change',
    'nobody campaigns over a committed change of membership that it has not applied',
    "etcd's raft",
    election(
      'if (entry.kind !== EntryKind.normal) return true;',
      'if (entry.kind !== EntryKind.normal) break;',
    ),
  ],
  [
    'learner-campaigns',
    'learners do not campaign',
    'thesis 4.2.1',
    core('self !== undefined && !self.isLearner && ', 'self !== undefined && '),
  ],
  [
    'stranger-campaigns',
    'a node that is no member does not campaign',
    'thesis 4.2.2',
    core('self !== undefined && !self.isLearner', 'self?.isLearner !== true'),
  ],
  [
    'campaign-with-a-pending-snapshot',
    'nobody campaigns before its snapshot is installed',
    "etcd's raft",
    core(' && this.log.unstable.snapshot === undefined;', ';'),
  ],
  [
    'leader-campaigns',
    'a leader does not campaign',
    "etcd's raft",
    election("  if (core.role === 'leader') {", '  if (false) {'),
  ],
  [
    'learner-refuses-to-vote',
    'a node votes whatever its own configuration says of itself',
    'thesis 4.1',
    election(ANSWER_OF_REQUEST, `${ANSWER_OF_REQUEST.slice(0, -1)} && core.tracker.isVoter(core.id);`),
  ],
  [
    'unknown-candidate-is-refused',
    'a node votes whatever its own configuration says of the candidate',
    'thesis 4.1',
    election(ANSWER_OF_REQUEST, `${ANSWER_OF_REQUEST.slice(0, -1)} && core.tracker.isVoter(from);`),
  ],
  [
    'refusal-names-no-commit',
    'a refusal tells how far the log is committed',
    'decision 8',
    election('  if (reject) learnCommit(core, message.context);\n', ''),
  ],
  [
    'commit-of-a-refusal-is-believed-blindly',
    'a commit index counts only with the term of its entry',
    'decision 8',
    election(
      'if (position !== undefined) core.log.maybeCommit(position.index, position.term);',
      'if (position !== undefined) core.log.commitTo(Math.min(position.index, core.log.lastIndex));',
    ),
  ],
  [
    'timeout-not-random',
    'election timeouts are random',
    'paper 5.2',
    core('electionTicks + extra;', 'electionTicks;'),
  ],
  [
    'timeout-drawn-once',
    'each election draws its timeout anew',
    'paper 5.2',
    roles(
      '  core.randomizeElectionTicks();',
      '  if (core.randomizedElectionTicks === 0) core.randomizeElectionTicks();',
    ),
  ],
  [
    'vote-restarts-no-timer',
    'who gives its vote waits an election timeout before it campaigns',
    'paper figure 2',
    election('      core.electionElapsed = 0;\n', ''),
  ],
  [
    'leader-restarts-no-timer',
    'who hears the leader waits an election timeout before it campaigns',
    'paper figure 2',
    follower('  core.electionElapsed = 0;\n', ''),
  ],
  [
    'candidate-holds-out',
    'a candidate that hears the leader of its term follows it',
    'paper 5.2',
    follower("  if (core.role !== 'follower') becomeFollower(core, message.term, message.from);\n", ''),
  ],
  [
    'leader-of-an-older-term-stays',
    'whoever hears of a later term follows it',
    'paper 5.1',
    dispatch(
      '  becomeFollower(core, message.term, isLeader ? from : 0);',
      "  if (core.role === 'leader') return false;\n  becomeFollower(core, message.term, isLeader ? from : 0);",
    ),
  ],
  [
    'leader-of-an-older-term-is-never-told',
    'a leader of an older term hears of the later one, so that whoever is there is not stuck',
    "etcd's raft",
    dispatch('    core.send(draft(MessageKind.appResp, from));\n', ''),
  ],
  [
    'second-leader-is-followed',
    'there is one leader in a term',
    'paper figure 3',
    dispatch('[MessageKind.app, handleSecondLeader]', '[MessageKind.app, handleAppend]'),
  ],
  [
    'leader-without-a-majority-stays',
    'a leader that no majority answers for an election timeout steps down',
    'thesis 6.2',
    leader('if (!core.tracker.quorumActive()) {', 'if (false) {'),
  ],
  [
    'activity-never-forgotten',
    'each election timeout a majority has to be heard anew',
    'thesis 6.2',
    leader('if (progress.id !== core.id) progress.recentActive = false;', ''),
  ],
  [
    'learners-keep-a-leader',
    'learners are no part of the majority that a leader has to hear',
    'thesis 4.2.1',
    tracker(
      'jointVote(this.#conf.voters, this.#conf.votersOutgoing, this.#activeOf)',
      'jointVote([...this.#conf.voters, ...this.#conf.learners], this.#conf.votersOutgoing, this.#activeOf)',
    ),
  ],
  [
    'outgoing-majority-ignored-in-the-check',
    'while joint, a leader has to hear both majorities',
    'thesis 4.3',
    tracker('this.#conf.votersOutgoing, this.#activeOf)', '[], this.#activeOf)'),
  ],
]);

/** Pre-votes and the time during which a leader is protected (thesis 4.2.3, 9.6). */
export const preVotes: readonly Mutant[] = mutantsOf('raft', [
  [
    'pre-vote-request-raises-the-term',
    'a request for a pre-vote changes no term',
    'thesis 9.6',
    dispatch('  if (kind === MessageKind.preVote) return true;\n', ''),
  ],
  [
    'granted-pre-vote-raises-the-term',
    'a granted pre-vote changes no term',
    'thesis 9.6',
    dispatch('  if (kind === MessageKind.preVoteResp && !message.reject) return true;\n', ''),
  ],
  [
    'refused-pre-vote-tells-no-term',
    'a refused pre-vote brings the candidate to the later term',
    "etcd's raft",
    dispatch(
      'if (kind === MessageKind.preVoteResp && !message.reject) return',
      'if (kind === MessageKind.preVoteResp) return',
    ),
  ],
  [
    'pre-vote-of-an-older-term-unanswered',
    'a pre-vote of an older term is refused, not ignored, so that its candidate learns the term',
    "etcd's raft",
    dispatch('  if (kind === MessageKind.preVote) {', '  if (false) {'),
  ],
  [
    'pre-vote-binds',
    'a pre-vote is no vote',
    'thesis 9.6',
    election('if (kind === MessageKind.vote) {', '{'),
  ],
  [
    'pre-vote-only-once',
    'a pre-vote may be given to any number of candidates',
    'thesis 9.6',
    election('(kind === MessageKind.preVote && message.term > core.term)', 'false'),
  ],
  [
    'pre-vote-for-a-shorter-log',
    'a candidate behind on its log gets no pre-vote',
    'thesis 9.6',
    election(
      ANSWER_OF_REQUEST,
      'const granted = mayVote && (kind === MessageKind.preVote || core.log.isUpToDate(index, logTerm));',
    ),
  ],
  [
    'pre-vote-skipped',
    'who campaigns asks around before it raises its term',
    'thesis 9.6',
    dispatch("core.config.preVote ? 'pre-election' : 'election'", "'election'"),
  ],
  [
    'pre-candidate-remembers-its-leader',
    'a pre-candidate protects no leader any more',
    'thesis 9.6',
    roles("  core.role = 'pre-candidate';\n  core.leaderId = 0;", "  core.role = 'pre-candidate';"),
  ],
  [
    'pre-candidate-raises-its-term',
    'a pre-candidate stays in its term',
    'thesis 9.6',
    roles("  core.role = 'pre-candidate';", "  core.role = 'pre-candidate';\n  core.term++;"),
  ],
  [
    'vote-inside-the-lease',
    'who has heard a leader within the election timeout ignores requests for votes',
    'thesis 4.2.3',
    dispatch('return core.config.checkQuorum && core.leaderId', 'return false && core.leaderId'),
  ],
  [
    'lease-of-the-random-timeout',
    'a leader is protected for the plain election timeout, not for the random one',
    "etcd's raft",
    dispatch(
      'core.electionElapsed < core.config.electionTicks;',
      'core.electionElapsed < core.randomizedElectionTicks;',
    ),
  ],
  [
    'lease-without-a-leader',
    'who knows no leader protects none',
    'thesis 4.2.3',
    dispatch('core.leaderId !== 0 && core.electionElapsed', 'core.electionElapsed'),
  ],
  [
    'lease-stops-a-transfer',
    'the election that a leader asked for passes the protection of that leader',
    'thesis 4.2.3',
    dispatch(
      'if (isVoteRequest && !isTransferCampaign(message) && inLease(core)) {',
      'if (isVoteRequest && inLease(core)) {',
    ),
  ],
  [
    'leader-forgotten-under-its-lease',
    'where reads rest on a lease, a leader is not forgotten',
    "etcd's raft",
    follower("if (core.config.readOnly === 'lease-based') {", 'if (false) {'),
  ],
  [
    'forgotten-leader-is-known-still',
    'who forgets its leader may vote for another in its term',
    "etcd's raft",
    follower('    core.leaderId = 0;\n', ''),
  ],
]);
