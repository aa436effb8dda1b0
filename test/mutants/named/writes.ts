import { changeOf, type Mutant, mutantsOf } from './mutant.ts';

const core = changeOf('raft/core.ts');
const dispatch = changeOf('raft/dispatch.ts');
const log = changeOf('raft/log.ts');
const ready = changeOf('raft/ready.ts');
const reconfigure = changeOf('raft/reconfigure.ts');
const unstable = changeOf('raft/unstable.ts');

const START = 'at start 0 ≤ first-1 ≤ applied ≤ last and commit ≤ last, or the replica takes no part';

/** What storage has, is told to write, and says that it has written */
export const writes: readonly Mutant[] = mutantsOf('raft', [
  [
    'apply-before-it-is-durable',
    'with asynchronous writes an entry is applied when it is durable here',
    "etcd's raft",
    log('    return Math.min(this.#committed, this.unstable.offset - 1);', '    return this.#committed;'),
  ],
  [
    'notice-of-an-older-term-counts',
    'a write that began in an earlier term makes nothing stable',
    "etcd's raft",
    dispatch(
      '} else if (term < core.term && term !== 0) {',
      '} else if (term < core.term && term !== 0 && message.kind !== MessageKind.storageAppendResp) {',
    ),
  ],
  [
    'notice-of-a-replaced-entry-counts',
    'a write of an entry that was replaced meanwhile makes nothing stable',
    "etcd's raft",
    unstable('    if (own !== term) {', '    if (false) {'),
  ],
  [
    'installed-snapshot-of-an-older-term-is-lost',
    'a snapshot that is installed counts as applied in every term',
    "etcd's raft",
    dispatch(
      '    if (message.snapshot !== undefined) snapshotApplied(core, message.snapshot.index);\n    return;',
      '    return;',
    ),
  ],
  [
    'replaced-entries-are-not-written',
    'entries that replace others under way are written, too',
    "etcd's raft",
    unstable('    this.#offsetInProgress = Math.min(this.#offsetInProgress, from);\n', ''),
  ],
  [
    'entries-written-again',
    'entries are handed out for writing once',
    "etcd's raft",
    unstable('    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.end);\n', ''),
  ],
  [
    'refused-notice-is-never-made-up-for',
    'what a refused notice left unstable becomes stable with a later write',
    "etcd's raft",
    ready(
      'if (core.log.unstable.count > 0 || snapshot !== undefined) held.push',
      'if (entries.length > 0 || snapshot !== undefined) held.push',
    ),
  ],
  [
    'notice-of-no-term',
    'what is durable is told for the term in which it was written',
    "etcd's raft",
    ready('    notice.term = core.term;\n', ''),
  ],
  [
    'vote-without-a-sync',
    'a term and a vote survive a crash before anything depends on them',
    'paper figure 2',
    ready(
      'entries.length > 0 || core.term !== this.#term || core.vote !== this.#vote;',
      'entries.length > 0;',
    ),
  ],
  [
    'vote-not-persisted',
    'a vote is persisted',
    'paper figure 2',
    ready('core.vote !== this.#vote || core.log', 'core.log'),
  ],
  [
    'term-not-persisted',
    'a term is persisted',
    'paper figure 2',
    ready('return core.term !== this.#term || core.vote', 'return core.vote'),
  ],
  [
    'own-messages-before-the-write',
    'in synchronous mode own votes and acknowledgements count with advance',
    "etcd's raft",
    ready(
      'if (message.to === core.id) this.#onAdvance.push(message);',
      'if (message.to === core.id) step(core, message);',
    ),
  ],
  [
    'snapshot-handed-out-twice',
    'a snapshot is handed out for writing once',
    "etcd's raft",
    unstable('this.#snapshotInProgress ? undefined : this.#snapshot', 'this.#snapshot'),
  ],
  [
    'notice-of-another-snapshot',
    'the notice of an older snapshot does not count for a newer one',
    "etcd's raft",
    unstable('if (this.#snapshot?.index !== index) return;', ''),
  ],
  [
    'late-notice-of-application-goes-back',
    'what is applied never goes back',
    'paper figure 2',
    reconfigure('Math.max(index, core.log.applied)', 'index'),
  ],
  [
    'vote-forgotten-by-a-restart',
    'term and vote are those of storage after a restart',
    'paper figure 2',
    core('      this.vote = hardState.vote;\n', ''),
  ],
  [
    'start-below-what-is-applied',
    'what is applied is committed, whatever the hard state says',
    'this project',
    core('Math.max(hardState?.commit ?? 0, applied)', '(hardState?.commit ?? 0)'),
  ],
  ['start-behind-the-compacted', START, 'this project', core('if (applied < first - 1) {', 'if (false) {')],
  ['start-beyond-the-log', START, 'this project', core('  if (applied > last) throw', '  if (false) throw')],
  [
    'start-committed-beyond-the-log',
    START,
    'this project',
    core('hardState !== undefined && hardState.commit > last', 'false'),
  ],
]);
