import { patch, type Variant } from './variant.ts';

const election = 'election.ts';
const log = 'log.ts';
const dispatch = 'dispatch.ts';
const isLower = '} else if (term < core.term && term !== 0) {';

/** Rules of voting and of terms. */
export const elections: readonly Variant[] = [
  {
    name: 'votes-twice',
    rule: 'a node gives one vote in a term',
    harm: 'two leaders',
    bounds: 'elections',
    patches: [patch(election, '(core.vote === 0 && core.leaderId === 0) ||', 'true ||')],
  },
  {
    name: 'half-is-a-majority',
    rule: 'more than half of the voters decide',
    harm: 'two leaders',
    bounds: 'elections',
    patches: [patch('quorum.ts', 'return (count >> 1) + 1;', 'return Math.max(1, count >> 1);')],
  },
  {
    name: 'votes-of-an-older-term',
    rule: 'a candidate counts votes of its own term',
    harm: 'two leaders',
    bounds: 'late',
    patches: [
      patch(dispatch, isLower, isLower.replace('!== 0)', '!== 0 && message.kind !== MessageKind.voteResp)')),
    ],
  },
  {
    name: 'refusal-is-a-vote',
    rule: 'a refused vote does not count',
    harm: 'two leaders',
    bounds: 'elections',
    patches: [
      patch(election, 'core.tracker.recordVote(from, !reject);', 'core.tracker.recordVote(from, true);'),
    ],
  },
  {
    name: 'votes-for-a-shorter-log',
    rule: 'nobody votes for a log that is behind its own',
    harm: 'commit lost',
    bounds: 'elections',
    patches: [
      patch(log, 'return term > lastTerm || (term === lastTerm && index >= this.lastIndex);', 'return true;'),
    ],
  },
  {
    name: 'votes-by-length-alone',
    rule: 'the term of the last entry comes before the length of the log',
    harm: 'commit lost',
    bounds: 'figure-8',
    patches: [
      patch(
        log,
        'return term > lastTerm || (term === lastTerm && index >= this.lastIndex);',
        'return index >= this.lastIndex;',
      ),
    ],
  },
  {
    name: 'votes-by-term-alone',
    rule: 'of two logs that end in the same term the longer one is ahead',
    harm: 'commit lost',
    bounds: 'proposal',
    patches: [
      patch(
        log,
        'return term > lastTerm || (term === lastTerm && index >= this.lastIndex);',
        'return term >= lastTerm;',
      ),
    ],
  },
  {
    name: 'vote-leaves-early',
    rule: 'a vote leaves when it is durable',
    harm: 'two leaders',
    bounds: 'one-term',
    patches: [
      patch(
        'core.ts',
        'if (waitsForDurability(kind)) {',
        'if (waitsForDurability(kind) && (kind !== MessageKind.voteResp || message.to === this.id)) {',
      ),
    ],
  },
  {
    name: 'vote-not-written',
    rule: 'the vote is part of what is written',
    harm: 'ahead of the disk',
    bounds: 'elections',
    patches: [
      patch(
        'ready.ts',
        'return core.term !== this.#term || core.vote !== this.#vote ||',
        'return core.term !== this.#term ||',
      ),
    ],
  },
  {
    name: 'leads-a-term-that-its-disk-forgets',
    rule: 'nobody leads a term that its own disk does not know',
    harm: 'two leaders',
    bounds: 'one-term',
    patches: [patch(election, 'else if (core.tracker.hasAnswered(core.id)) {', 'else {')],
  },
  {
    name: 'vote-for-a-lost-log',
    rule: 'a vote counts for the log that it was given for',
    harm: 'commit lost',
    bounds: 'crash-small',
    isDeep: true,
    patches: [
      patch(election, 'else if (isForAnotherLog(core, message.context)) return', 'else if (false) return'),
    ],
  },
  {
    name: 'commit-of-a-refusal-unchecked',
    rule: 'the commit index of a refusal counts for a log that has that entry',
    harm: 'commit lost',
    bounds: 'three-terms',
    isDeep: true,
    patches: [
      patch(
        election,
        'core.log.maybeCommit(position.index, position.term);',
        'core.log.commitTo(Math.min(position.index, core.log.lastIndex));',
      ),
    ],
  },
];
