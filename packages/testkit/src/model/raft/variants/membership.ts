import { patch, type Variant } from './variant.ts';

const tracker = 'tracker.ts';
const vote = 'return jointVote(this.#conf.voters, this.#conf.votersOutgoing, this.#voteOf);';
const match = 'return jointIndex(this.#conf.voters, this.#conf.votersOutgoing, this.#matchOf);';

/** Rules of changes of membership. */
export const membership: readonly Variant[] = [
  {
    name: 'incoming-majority-does-not-vote',
    rule: 'a joint election needs a majority of the incoming voters',
    harm: 'two leaders',
    bounds: 'shrink',
    isDeep: true,
    patches: [
      patch(
        tracker,
        vote,
        `return jointVote(this.#conf.votersOutgoing.length > 0 ? this.#conf.votersOutgoing : this.#conf.voters, [], this.#voteOf);`,
      ),
    ],
  },
  {
    name: 'outgoing-majority-does-not-commit',
    rule: 'a joint commit needs a majority of the outgoing voters',
    harm: 'commit unfounded',
    bounds: 'shrink',
    patches: [patch(tracker, match, match.replace('this.#conf.votersOutgoing', '[]'))],
  },
  {
    name: 'incoming-majority-does-not-commit',
    rule: 'a joint commit needs a majority of the incoming voters',
    harm: 'commit unfounded',
    bounds: 'swap-small',
    patches: [
      patch(
        tracker,
        match,
        `return jointIndex(this.#conf.votersOutgoing.length > 0 ? this.#conf.votersOutgoing : this.#conf.voters, [], this.#matchOf);`,
      ),
    ],
  },
  {
    name: 'learner-counts-for-the-commit',
    rule: 'learners count for no majority',
    harm: 'commit unfounded',
    bounds: 'learner',
    patches: [
      patch(
        tracker,
        match,
        match.replace('(this.#conf.voters', '([...this.#conf.voters, ...this.#conf.learners]'),
      ),
    ],
  },
  {
    name: 'no-joint-configuration',
    rule: 'a change of more than one voter goes through a joint configuration',
    harm: 'quorums apart',
    bounds: 'shrink',
    patches: [
      patch(
        'conf-change.ts',
        "return change.transition !== 'auto' || change.changes.length > 1;",
        'return false;',
      ),
      patch('membership.ts', 'if (differenceSize(new Set(conf.voters), draft.voters) > 1) {', 'if (false) {'),
    ],
  },
  {
    name: 'outgoing-majority-does-not-vote',
    rule: 'a joint election needs a majority of the outgoing voters',
    harm: 'two leaders',
    bounds: 'shrink',
    isDeep: true,
    patches: [patch(tracker, vote, vote.replace('this.#conf.votersOutgoing', '[]'))],
  },
  {
    name: 'second-change-before-the-first-is-applied',
    rule: 'one change of membership at a time',
    harm: 'quorums apart',
    bounds: 'unapplied-change',
    isDeep: true,
    patches: [patch('proposals.ts', 'if (core.pendingConfIndex > applied) {', 'if (false) {')],
  },
  {
    name: 'campaign-over-an-unapplied-change',
    rule: 'nobody campaigns before it has applied the changes that it knows to be committed',
    harm: 'quorums apart',
    bounds: 'unapplied-change',
    isDeep: true,
    patches: [patch('election.ts', 'if (hasUnappliedConfChange(core)) {', 'if (false) {')],
  },
];
