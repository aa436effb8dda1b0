import { assert, type ConfState, type RaftId } from '@flotilla/base';
import { EMPTY_CONF_STATE, isVoter, membersOf, votersOf } from './membership.ts';
import { Progress } from './progress.ts';
import { jointIndex, jointVote, type VoteResult } from './quorum.ts';

/**
 * The members of the group as one node sees them: the configuration, what it knows about each member's log,
 * and the votes of the election under way. Members lie in an array by ascending id: every broadcast goes in
 * that order, and for the handful of members that a group has a linear search beats a map.
 */
export class Tracker {
  readonly #inflightCountMax: number;
  readonly #inflightBytesMax: number;
  #conf: ConfState = EMPTY_CONF_STATE;
  #voters: readonly RaftId[] = [];
  #members: Progress[] = [];
  readonly #votes = new Map<RaftId, boolean>();
  // Made once: these run for every acknowledgement.
  readonly #matchOf = (id: RaftId): number | undefined => this.get(id)?.match;
  readonly #voteOf = (id: RaftId): boolean | undefined => this.#votes.get(id);
  readonly #activeOf = (id: RaftId): boolean => this.get(id)?.recentActive === true;

  constructor(inflightCountMax: number, inflightBytesMax: number) {
    this.#inflightCountMax = inflightCountMax;
    this.#inflightBytesMax = inflightBytesMax;
  }

  get conf(): ConfState {
    return this.#conf;
  }

  /** Voters of both halves, ascending. */
  get voters(): readonly RaftId[] {
    return this.#voters;
  }

  /** All members, ascending by id. */
  get members(): readonly Progress[] {
    return this.#members;
  }

  get(id: RaftId): Progress | undefined {
    for (const progress of this.#members) if (progress.id === id) return progress;
    return undefined;
  }

  isVoter(id: RaftId): boolean {
    return isVoter(this.#conf, id);
  }

  /**
   * Takes over a configuration. Members that stay keep their progress, except `fresh` ones; new ones are
   * probed from the end of our log, and count as active so that adding one does not fail the next quorum check.
   */
  configure(conf: ConfState, fresh: readonly RaftId[], lastIndex: number): void {
    const members: Progress[] = [];
    for (const id of membersOf(conf)) {
      const isLearner = conf.learners.includes(id);
      let progress = fresh.includes(id) ? undefined : this.get(id);
      if (progress === undefined) progress = this.#create(id, isLearner, 0, Math.max(lastIndex, 1), true);
      progress.isLearner = isLearner;
      members.push(progress);
    }
    this.#conf = conf;
    this.#voters = votersOf(conf);
    this.#members = members;
  }

  /** Forgets all that was known about the members' logs: it belonged to another leadership. */
  reset(selfId: RaftId, lastIndex: number): void {
    this.resetVotes();
    this.#members = this.#members.map((progress) =>
      this.#create(
        progress.id,
        progress.isLearner,
        progress.id === selfId ? lastIndex : 0,
        lastIndex + 1,
        false,
      ),
    );
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** The first answer of a voter counts; repeated and changed ones do not. */
  recordVote(id: RaftId, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  hasAnswered(id: RaftId): boolean {
    return this.#votes.has(id);
  }

  /** Votes of members that are no learners, for the log. The decision is {@link voteResult}'s. */
  countVotes(): { granted: number; rejected: number } {
    let granted = 0;
    let rejected = 0;
    for (const progress of this.#members) {
      if (progress.isLearner) continue;
      const vote = this.#votes.get(progress.id);
      if (vote === true) granted++;
      else if (vote === false) rejected++;
    }
    return { granted, rejected };
  }

  voteResult(): VoteResult {
    return jointVote(this.#conf.voters, this.#conf.votersOutgoing, this.#voteOf);
  }

  /** The highest index that is durable on a majority (on both, while joint). Infinity without voters. */
  quorumMatch(): number {
    return jointIndex(this.#conf.voters, this.#conf.votersOutgoing, this.#matchOf);
  }

  /** As {@link quorumMatch} for any other number per member. */
  quorumOf(numberOf: (id: RaftId) => number | undefined): number {
    return jointIndex(this.#conf.voters, this.#conf.votersOutgoing, numberOf);
  }

  /** True if a majority was heard from since the flags were cleared. Learners do not help. */
  quorumActive(): boolean {
    return jointVote(this.#conf.voters, this.#conf.votersOutgoing, this.#activeOf) === 'won';
  }

  #create(id: RaftId, isLearner: boolean, match: number, next: number, active: boolean): Progress {
    assert(id > 0, 'members have positive ids');
    return new Progress(id, isLearner, match, next, active, this.#inflightCountMax, this.#inflightBytesMax);
  }
}
