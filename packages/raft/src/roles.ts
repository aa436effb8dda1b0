import { assert, type RaftId } from '@flotilla/base';
import type { Core } from './core.ts';
import { hex } from './describe.ts';
import { appendEmpty } from './replication.ts';

/**
 * The four transitions between roles; no other code sets role or term. (Within a term a follower learns who leads,
 * and may forget it.) All but the one to pre-candidate begin with the same reset, so that nothing of an old role
 * survives into a new one.
 */

function reset(core: Core, term: number): void {
  assert(term >= core.term, () => `the term goes back from ${core.term} to ${term}`);
  assert(Number.isSafeInteger(term), 'terms are safe integers');
  if (core.term !== term) {
    core.term = term;
    // Only a new term frees the vote. A pre-candidate or leader that falls back within its term has voted:
    // were its vote cleared, it could elect a second leader of the same term.
    core.vote = 0;
  }
  core.leaderId = 0;
  core.electionElapsed = 0;
  core.heartbeatElapsed = 0;
  core.randomizeElectionTicks();
  core.transferee = 0;
  core.tracker.reset(core.id, core.log.lastIndex);
  core.pendingConfIndex = 0;
  core.uncommittedBytes = 0;
  core.termFirstIndex = 0;
  core.reads.reset();
  core.waitingReads = [];
}

export function becomeFollower(core: Core, term: number, leaderId: RaftId): void {
  reset(core, term);
  core.role = 'follower';
  core.leaderId = leaderId;
  core.logger?.log('info', () => `${hex(core.id)} became follower at term ${core.term}`);
}

/**
 * Neither term nor vote change: a pre-candidate promises nothing, it only asks. The timers keep their state,
 * the leader is unknown from here on (otherwise this node would still refuse votes for its sake).
 */
export function becomePreCandidate(core: Core): void {
  assert(core.role !== 'leader', 'a leader does not campaign');
  core.tracker.resetVotes();
  core.role = 'pre-candidate';
  core.leaderId = 0;
  core.logger?.log('info', () => `${hex(core.id)} became pre-candidate at term ${core.term}`);
}

export function becomeCandidate(core: Core): void {
  assert(core.role !== 'leader', 'a leader does not campaign');
  reset(core, core.term + 1);
  core.vote = core.id;
  core.role = 'candidate';
  core.logger?.log('info', () => `${hex(core.id)} became candidate at term ${core.term}`);
}

export function becomeLeader(core: Core): void {
  assert(core.role === 'candidate', () => `a ${core.role} does not become leader`);
  reset(core, core.term);
  core.leaderId = core.id;
  core.role = 'leader';
  const self = core.tracker.get(core.id);
  if (self !== undefined) {
    // Undefined if a change that removed this node was applied during its election.
    self.becomeReplicate();
    self.recentActive = true;
  }
  // A change of membership may lie anywhere in the unapplied log. Instead of looking for it, assume that it
  // is the last entry: that delays a new change a little and needs no scan.
  core.pendingConfIndex = core.log.lastIndex;
  core.termFirstIndex = core.log.lastIndex + 1;
  appendEmpty(core);
  core.logger?.log('info', () => `${hex(core.id)} became leader at term ${core.term}`);
}
