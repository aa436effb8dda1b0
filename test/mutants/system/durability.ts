import { changeOf } from '../named/mutant.ts';
import { type Row, sabotagesOf } from './sabotage.ts';
import { still } from './worlds.ts';

const applier = changeOf('host/applier.ts');
const appends = changeOf('host/appends.ts');
const committer = changeOf('host/committer.ts');
const host = changeOf('host/host.ts');
const quorum = changeOf('raft/quorum.ts');
const replication = changeOf('raft/replication.ts');
const receiver = changeOf('host/snapshot-receiver.ts');
const burials = changeOf('host/burials.ts');

const rows: readonly Row[] = [
  [
    'log-commit-not-awaited',
    'what a log commit releases waits until it is durable',
    ['durable before sent', 'durability'],
    still,
    committer(
      '        if (failure === undefined) this.#durable(work);\n        else this.#failed(failure);',
      '        if (failure !== undefined) this.#failed(failure);',
    ),
    committer(
      '      // Reads of the log may show a part of these writes already: only a new start knows what is there.\n      this.#failed(cause);\n    }',
      '      this.#failed(cause);\n    }\n    this.#durable(work);',
    ),
  ],
  [
    'answers-before-the-commit',
    'votes and acknowledgements leave when what they rest on is durable',
    ['durable before sent'],
    still,
    host(
      'this.#parts.committer.add({ replica, write, responses: message.responses });',
      `for (const response of message.responses) {
      if (response.to !== replica.raftId) this.#parts.departures.send(replica, response);
    }
    const responses = message.responses.filter((response) => response.to === replica.raftId);
    this.#parts.committer.add({ replica, write, responses });`,
    ),
  ],
  [
    'own-write-counts-at-once',
    'a leader counts its own entries when they are durable',
    ['durability'],
    still,
    replication(
      '  const ack = draft(MessageKind.appResp, core.id);',
      '  core.tracker.get(core.id)?.advance(index);\n  const ack = draft(MessageKind.appResp, core.id);',
    ),
  ],
  [
    'own-vote-counts-twice',
    'every voter has one vote',
    ['election safety', 'leader completeness'],
    still,
    quorum('    else if (vote) granted++;', '    else if (vote) granted += id === voters[0] ? 2 : 1;'),
  ],
  [
    'vote-not-written',
    'a vote is written before it is given',
    ['durable before sent'],
    still,
    appends(
      'return term === 0 && vote === 0 && commit === 0 ? undefined : { term, vote, commit };',
      'return term === 0 && vote === 0 && commit === 0 ? undefined : { term, vote: 0, commit };',
    ),
  ],
  [
    'log-dropped-beyond-the-durable-state',
    'a log is kept up to what the state has durable',
    ['durability'],
    still,
    applier('Math.min(replica.durableIndex, most)', 'Math.min(replica.applied.index, last)'),
  ],
  [
    'state-called-durable-as-its-commit-begins',
    'a commit of the state counts when it has ended',
    ['durability'],
    { ...still, faults: ['disk', 'stall', 'crash', 'power-cut'] },
    applier(
      '    this.#bytesPending += bytes;\n    this.#pendingSince.push(this.#now());',
      `    this.#bytesPending += bytes;
    for (const { replica, index } of stands) {
      replica.durableIndex = Math.max(replica.durableIndex, index);
      this.#compact(replica);
    }
    this.#pendingSince.push(this.#now());`,
    ),
  ],
  [
    'snapshot-into-the-living-state',
    'a snapshot is staged apart from the state that is in use',
    ['durability', 'state-machine safety', 'no error'],
    still,
    receiver('generation: replica.generationsUsed,', 'generation: replica.generation,'),
  ],
  [
    'snapshot-installed-before-its-log-commit',
    'the pointer to a snapshot moves with the log commit, and the old state goes behind that',
    ['durability', 'no error', 'state-machine safety'],
    { ...still, seconds: 12, faults: ['disk', 'stall', 'crash', 'power-cut', 'pause'] },
    host(
      '    if (write === undefined && message.responses.length === 0) return;',
      `    if (write === undefined && message.responses.length === 0) return;
    if (write?.replica !== undefined && replica.staged !== undefined) this.#install(replica);`,
    ),
  ],
  [
    'state-given-up-before-the-tombstone',
    'the state of a removed replica goes when its tombstone is durable',
    ['no error', 'durability'],
    { seconds: 12, movesMs: 400, groups: 3, faults: ['crash', 'power-cut', 'disk', 'stall'] },
    burials(
      '    this.#ports.logStore.commit([{ group, replica: tombstone }], (failure) => {',
      `    this.releaseRemains(group);
    this.#ports.stateStore.commit(() => {});
    this.#ports.logStore.commit([{ group, replica: tombstone }], (failure) => {`,
    ),
  ],
];

/** What is durable, and when. */
export const durability = sabotagesOf(rows);
