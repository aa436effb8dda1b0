import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const arrivals = changeOf('host/arrivals.ts');
const beats = changeOf('host/beats.ts');
const departures = changeOf('host/departures.ts');
const failover = changeOf('host/failover.ts');
const host = changeOf('host/host.ts');
const lease = changeOf('host/lease.ts');
const reader = changeOf('host/reads.ts');
const replica = changeOf('host/replica.ts');
const stallGuard = changeOf('host/stall-guard.ts');

const LEASE = 'thesis 6.4.1';
const OWN = 'decision 15';

/** What guards leases in the host: promises, rounds, clocks (docs/invariants.md, I21 and I22). */
export const leases: readonly Mutant[] = mutantsOf('host', [
  [
    'lease-counted-from-receipt',
    'a lease is counted from before the round was sent',
    LEASE,
    beats(
      'replica.lease.answered(ack.from, ack.term, stamp)',
      'replica.lease.answered(ack.from, ack.term, this.#now())',
    ),
  ],
  [
    'vote-inside-the-promise',
    'who promised a leader gives no vote to anybody else',
    'thesis 4.2.3',
    arrivals(
      'case MessageKind.vote:\n        if (this.#isPromised(replica, message, storeId)) return;\n',
      'case MessageKind.vote:\n',
    ),
  ],
  [
    'pre-vote-inside-the-promise',
    'who promised a leader gives no pre-vote to anybody else',
    'thesis 4.2.3',
    arrivals(
      'case MessageKind.preVote: {\n        if (this.#isPromised(replica, message, storeId)) return;\n',
      'case MessageKind.preVote: {\n',
    ),
  ],
  [
    'campaign-inside-the-promise',
    'who promised a leader does not campaign by its election timeout',
    LEASE,
    host('replica.isLeader || replica.isAlone || !replica.promise.holds(now)', 'true'),
  ],
  [
    'planned-campaign-inside-the-promise',
    'who promised a leader does not campaign because a connection dropped',
    LEASE,
    failover('replica.isAlone ? from : Math.max(from, replica.promise.until)', 'from'),
  ],
  [
    'leader-forgotten-inside-the-promise',
    'who promised a leader does not forget it',
    LEASE,
    failover('Math.max(now, replica.promise.until)', 'now'),
  ],
  [
    'promise-never-given',
    'who accepts a message of its leader promises',
    LEASE,
    arrivals('    replica.promise.give(message.from, this.#clock.monoMs() + this.#tuning.promiseMs);\n', ''),
  ],
  [
    'promise-ends-with-an-older-one',
    'an older promise does not end a later one',
    LEASE,
    lease('    if (until < this.#until) return;\n', ''),
  ],
  [
    'promised-leader-is-refused',
    'the leader that was promised may have the vote',
    LEASE,
    lease('candidate === this.#to ? this.#holdBackUntil : this.until', 'this.until'),
  ],
  [
    'promise-forgotten-by-a-restart',
    'a store that starts keeps back for as long as a promise lasts',
    LEASE,
    host('clock.monoMs() + this.#parts.holdBackMs();', 'clock.monoMs();'),
  ],
  [
    'hold-back-lets-the-leader-pass',
    'after a restart nobody gets a vote, whoever leads now',
    LEASE,
    lease(
      'candidate === this.#to ? this.#holdBackUntil :',
      'candidate === this.#to ? Number.NEGATIVE_INFINITY :',
    ),
  ],
  [
    'lease-after-timeout-now',
    'a leader that told another to campaign has no lease for the rest of its term',
    LEASE,
    departures('        replica.lease.forfeit();\n', ''),
  ],
  [
    'lease-back-after-a-failed-transfer',
    'a lease that was given up does not come back within the term',
    LEASE,
    lease(
      'return this.#forfeited ? Number.NEGATIVE_INFINITY :',
      'return this.#forfeited && this.#answered.size === 0 ? Number.NEGATIVE_INFINITY :',
    ),
  ],
  [
    'timeout-now-of-an-older-term',
    'TimeoutNow counts in the term in which it was sent',
    LEASE,
    arrivals('        if (message.term !== replica.raft.term) return;\n', ''),
  ],
  [
    'promise-stops-a-transfer',
    'the campaign that a leader asked for passes the promises to it',
    'thesis 4.2.3',
    arrivals('    if (equalBytes(message.context, CAMPAIGN_TRANSFER)) return false;\n', ''),
  ],
  [
    'answer-of-an-older-term-extends-a-lease',
    'a lease rests on answers of its own term',
    LEASE,
    lease('    if (term !== this.#term) return;\n', ''),
    beats(' && ack.term === replica.raft.term) {', ') {'),
  ],
  [
    'lease-of-an-earlier-leadership',
    'a new leadership begins without a lease',
    LEASE,
    lease('    this.#answered.clear();\n', ''),
  ],
  [
    'half-of-the-answers-suffice',
    'a lease rests on a majority',
    LEASE,
    lease('stamps[stamps.length >> 1]', 'stamps[(stamps.length - 1) >> 1]'),
  ],
  [
    'lease-of-the-incoming-majority',
    'while joint, a lease rests on both majorities',
    'thesis 4.3',
    replica(
      'return [this.confState.voters, this.confState.votersOutgoing];',
      'return [this.confState.voters];',
    ),
  ],
  [
    'late-answer-shortens-a-lease',
    'the newest round that a member answered counts',
    LEASE,
    lease('if (stamp > (this.#answered.get(from) ?? Number.NEGATIVE_INFINITY)) this', 'this'),
  ],
  [
    'echo-without-a-promise',
    'an answer names a round only if the replica took the promise',
    LEASE,
    beats('      if (!replica.isFromLeader(message)) continue;\n', ''),
  ],
  [
    'echo-to-another-leader',
    'a round is echoed to the leader and the term that it came from',
    LEASE,
    departures('round: isSame ? echo.round : 0', 'round: echo.round'),
  ],
  [
    'round-long-gone',
    'a round whose stamp was overwritten proves nothing',
    LEASE,
    lease(' || round <= this.#last - ROUNDS_KEPT) return', ') return'),
  ],
  [
    'lease-as-long-as-the-promise',
    'a lease is shorter than the promises that it rests on',
    LEASE,
    reader('now - stamp < this.#tuning.leaseMs;', 'now - stamp <= this.#tuning.promiseMs;'),
  ],
  [
    'lease-not-looked-at-again',
    'after the last value of a turn the lease is looked at again',
    LEASE,
    reader(' && this.#holds(replica, now, barrier)) {', ') {'),
  ],
  [
    'term-not-looked-at-again',
    'after the last value of a turn it is the same leadership still',
    LEASE,
    reader('replica.isServing && replica.raft.term === term && this', 'this'),
  ],
  [
    'lease-before-the-first-applied',
    'a leader serves when the first entry of its term is committed and applied',
    'thesis 6.4',
    replica(
      'this.isLeader && this.raft.firstCommitOfTermDone && this.applied.term === this.raft.term',
      'this.isLeader',
    ),
  ],
  [
    'lease-over-a-stall',
    'no lease rests on a round from before the loop or a clock misbehaved',
    LEASE,
    reader('stamp > barrier && ', ''),
  ],
  [
    'stall-not-noticed',
    'a loop that stood still is noticed',
    LEASE,
    stallGuard('if (stalled || stepped) this', 'if (stepped) this'),
  ],
  [
    'clock-step-not-noticed',
    'a step of one clock against the other is noticed',
    LEASE,
    stallGuard('if (stalled || stepped) this', 'if (stalled) this'),
  ],
  [
    'lease-read-of-the-applied',
    'a read by lease sees what was committed as it came',
    OWN,
    reader('reads.holdFresh(replica.raft.commitIndex)', 'reads.holdFresh(replica.applied.index)'),
  ],
  [
    'other-incarnation-is-heard',
    'a store that lost its data speaks for no replica that it had',
    'this project',
    arrivals(' && place.storeIncarnation === this.#incarnationOf(storeId);', ';'),
  ],
]);
