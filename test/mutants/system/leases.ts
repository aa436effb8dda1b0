import { changeOf } from '../named/mutant.ts';
import { type Row, sabotagesOf } from './sabotage.ts';
import { still } from './worlds.ts';

const departures = changeOf('host/departures.ts');
const queue = changeOf('host/read-queue.ts');
const reads = changeOf('host/reads.ts');
const tuning = changeOf('host/tuning.ts');

const rows: readonly Row[] = [
  [
    'lease-longer-than-its-promises',
    'a lease ends before the promises that it rests on',
    ['leases'],
    still,
    tuning('  leaseMs: 135,', '  leaseMs: 2_000,'),
    tuning('tuning.leaseMs * 1.11 <= tuning.promiseMs', 'true'),
  ],
  [
    'lease-without-end',
    'reads rest on a lease only as long as it lasts',
    ['linearizability'],
    { ...still, thinkMs: 20, faults: ['leader-drop'] },
    reads('return stamp > barrier && now - stamp < this.#tuning.leaseMs;', 'return stamp > barrier;'),
  ],
  [
    'lease-kept-over-a-transfer',
    'TimeoutNow ends the lease for the rest of the term',
    ['leases'],
    { ...still, thinkMs: 200, faults: ['slow'] },
    departures('        replica.lease.forfeit();\n', ''),
  ],
  [
    'read-without-a-round',
    'without a lease a read waits until leadership is confirmed',
    ['linearizability'],
    { ...still, thinkMs: 20, faults: ['leader-drop'] },
    reads(
      'if (replica.isServing && this.#holds(replica, this.#now(), this.#observe())) {',
      'if (replica.isServing) {',
    ),
    reads(
      'if (replica.isServing && replica.raft.term === term && this.#holds(replica, now, barrier)) {',
      'if (replica.isServing && replica.raft.term === term) {',
    ),
  ],
  [
    'read-at-whatever-is-applied',
    'a read at a follower waits until what was committed before is applied there',
    ['linearizability', 'scans'],
    still,
    queue('    round.index = index;', '    round.index = 0;'),
  ],
];

/** Reads, and what lets a leader answer them alone. */
export const leases = sabotagesOf(rows);
