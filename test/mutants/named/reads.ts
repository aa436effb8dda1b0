import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const config = changeOf('raft/config.ts');
const core = changeOf('raft/core.ts');
const dispatch = changeOf('raft/dispatch.ts');
const follower = changeOf('raft/follower.ts');
const leader = changeOf('raft/leader.ts');
const queue = changeOf('raft/read-only.ts');
const reading = changeOf('raft/reads.ts');
const reconfigure = changeOf('raft/reconfigure.ts');
const roles = changeOf('raft/roles.ts');
const tickLease = changeOf('raft/tick-lease.ts');
const tracker = changeOf('raft/tracker.ts');

/** Linearizable reads (thesis 6.4). */
export const reads: readonly Mutant[] = mutantsOf('raft', [
  [
    'read-before-the-first-commit',
    'reads wait until an entry of the term is committed',
    'thesis 6.4',
    reading('  if (core.firstCommitOfTermDone) {', '  {'),
  ],
  [
    'waiting-reads-never-begin',
    'reads that waited begin with the first commit of the term',
    'thesis 6.4',
    leader('    startWaitingReads(core);\n', ''),
  ],
  [
    'read-without-a-round',
    'a read waits for a round of heartbeats',
    'thesis 6.4',
    reading("if (core.config.readOnly === 'lease-based') {", '{'),
  ],
  [
    'old-heartbeat-confirms-a-new-read',
    'an answer to a heartbeat confirms only reads that came before the heartbeat',
    'thesis 6.4',
    queue(
      'if (round > (this.#acknowledged.get(id) ?? 0)) this.#acknowledged.set(id, round);',
      'this.#acknowledged.set(id, this.#round);',
    ),
  ],
  [
    'round-that-was-never-asked',
    'nobody confirms a round that was never asked',
    'this project',
    queue(
      '    if (round > this.#round) return; // Not ours: nobody can answer a round that was never asked.\n',
      '',
    ),
  ],
  [
    'read-at-what-is-applied',
    'a read sees what was committed as it came',
    'thesis 6.4',
    reading('core.reads.add(core.log.committed, from', 'core.reads.add(core.log.applied, from'),
  ],
  [
    'reads-confirmed-by-one-majority',
    'while joint, both majorities confirm a read',
    'thesis 4.3',
    tracker(
      'jointIndex(this.#conf.voters, this.#conf.votersOutgoing, numberOf)',
      'jointIndex(this.#conf.voters, [], numberOf)',
    ),
  ],
  [
    'reads-confirmed-by-learners',
    'learners confirm no read',
    'thesis 4.2.1',
    tracker(
      'jointIndex(this.#conf.voters, this.#conf.votersOutgoing, numberOf)',
      'jointIndex([...this.#conf.voters, ...this.#conf.learners], this.#conf.votersOutgoing, numberOf)',
    ),
  ],
  [
    'answers-of-an-earlier-leadership',
    'answers to the rounds of an earlier leadership confirm nothing',
    'thesis 6.4',
    queue('    this.#acknowledged.clear();\n', ''),
  ],
  [
    'reads-outlive-the-leadership',
    'reads end with the leadership',
    'thesis 6.4',
    roles('  core.reads.reset();\n', ''),
  ],
  [
    'waiting-reads-outlive-the-leadership',
    'reads that wait for the first commit end with the leadership',
    'thesis 6.4',
    roles('  core.waitingReads = [];\n', ''),
  ],
  [
    'reads-wait-for-a-quorum-that-is-gone',
    'a smaller quorum confirms at once what it has answered',
    'this project',
    reconfigure('  releaseConfirmedReads(core);\n', ''),
  ],
  [
    'lease-without-the-check-of-the-quorum',
    'reads by lease need a leader that checks its quorum',
    'thesis 6.4.1',
    config("config.readOnly === 'lease-based' && !config.checkQuorum", 'false'),
  ],
]);

/** Reads that trust ticks instead of rounds (thesis 6.4.1). Stores use them in no group; their leases are the host's. */
export const tickLeases: readonly Mutant[] = mutantsOf('raft', [
  [
    'tick-lease-of-an-unanswered-round',
    'a lease is counted from a round that a majority has answered',
    'thesis 6.4.1',
    tickLease('this.#sent.findLast((each) => each.round <= round)?.tick', 'this.#sent.at(-1)?.tick'),
  ],
  [
    'tick-lease-without-end',
    'a lease ends before the promises that it rests on',
    'thesis 6.4.1',
    tickLease(' && this.#now - tick < electionTicks - 1;', ';'),
  ],
  [
    'tick-lease-as-long-as-the-promise',
    'a lease is a tick shorter than the promises that it rests on',
    'thesis 6.4.1',
    tickLease('this.#now - tick < electionTicks - 1;', 'this.#now - tick < electionTicks;'),
  ],
  [
    'tick-lease-after-timeout-now',
    'a leader that told another to campaign has no lease for the rest of its term',
    'thesis 6.4.1',
    core('    if (kind === MessageKind.timeoutNow) this.reads.lease.giveUp();\n', ''),
  ],
  [
    'tick-promise-forgotten-by-a-restart',
    'who restarts gives no vote for an election timeout',
    'thesis 6.4.1',
    core(
      "      if (config.readOnly === 'lease-based') this.reads.lease.promise(config.electionTicks);\n",
      '',
    ),
  ],
  [
    'tick-promise-never-given',
    'who hears its leader gives nobody else a vote for an election timeout, whatever its role becomes',
    'thesis 6.4.1',
    follower(
      "  if (core.config.readOnly === 'lease-based') core.reads.lease.promise(core.config.electionTicks);\n",
      '',
    ),
  ],
  [
    'vote-inside-the-tick-promise',
    'a promise outlives that the leader is known',
    'thesis 6.4.1',
    dispatch('  if (core.reads.lease.promisedTicks > 0) return true;\n', ''),
  ],
]);
