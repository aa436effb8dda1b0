import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const config = changeOf('raft/config.ts');
const leader = changeOf('raft/leader.ts');
const queue = changeOf('raft/read-only.ts');
const reading = changeOf('raft/reads.ts');
const reconfigure = changeOf('raft/reconfigure.ts');
const roles = changeOf('raft/roles.ts');
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
