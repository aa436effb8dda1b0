import { changeOf } from '../named/mutant.ts';
import { type Row, sabotagesOf } from './sabotage.ts';
import { moving, outrun, still } from './worlds.ts';

const batch = changeOf('kv/batch.ts');
const clientAnswers = changeOf('client/core/answers.ts');
const clientBatch = changeOf('client/core/batch.ts');
const dataGroup = changeOf('kv/data-group.ts');
const row = changeOf('kv/session-row.ts');
const storeNode = changeOf('store/store-node.ts');
const writeBatch = changeOf('store/rpc/write-batch.ts');

const rows: readonly Row[] = [
  [
    'no-floor',
    'nothing below the floor of a session is executed',
    ['exactly once', 'no error'],
    moving,
    batch('      if (seq < row.floor) {', '      if (false) {'),
  ],
  [
    'repeats-are-executed',
    'a repeat gets the first answer and is not executed',
    ['exactly once', 'linearizability', 'no error'],
    still,
    batch('      if (kept !== undefined) {', '      if (kept === undefined && row.floor < 0) {'),
  ],
  [
    'failed-condition-not-remembered',
    'a failed condition is remembered like everything that was executed',
    ['exactly once'],
    moving,
    batch(
      '    row.keep(seq, this.#floor, shard.revision, executor.outcome);\n    this.#sessions.touch(row);',
      `    if (executor.outcome.status !== Status.conflict) {
      row.keep(seq, this.#floor, shard.revision, executor.outcome);
      this.#sessions.touch(row);
    }`,
    ),
  ],
  [
    'session-row-removed-early',
    'a session row stays until nobody can use the session any more',
    ['exactly once'],
    moving,
    row('return sessionOpenedAt(session) + sessionLimits.life;', 'return sessionOpenedAt(session) + 1_000;'),
  ],
  [
    'refused-command-is-executed',
    'what the leader marked as refused is executed by no replica',
    ['exactly once'],
    outrun,
    batch('    if (fault !== undefined || refused) {', '    if (fault !== undefined) {'),
  ],
  [
    'time-of-the-local-clock',
    'time is what the entries say, on every replica',
    ['state-machine safety'],
    still,
    dataGroup(
      '    this.#batches.apply(entry, head, this.#lastStamp, out);',
      '    this.#batches.apply(entry, head, Math.floor(this.#wallMs()), out);',
    ),
    dataGroup(
      '  readonly #gid: number;\n  readonly #store',
      '  readonly #wallMs: () => number;\n  readonly #gid: number;\n  readonly #store',
    ),
    dataGroup(
      '    this.#gid = options.gid;\n',
      '    this.#gid = options.gid;\n    this.#wallMs = (options as any).wallMs;\n',
    ),
    storeNode(
      '          gid: group.gid,\n',
      '          gid: group.gid,\n          ...({ wallMs: () => this.#ports.clock.wallMs() } as object),\n',
    ),
  ],
  [
    'lost-proposal-called-refused',
    'the fate of a proposal whose leader is gone is unknown',
    ['linearizability', 'exactly once'],
    still,
    writeBatch(
      '    writeBare(replies, this.#request, BatchStatus.unknown);',
      `    writeBatchWait(replies, this.#request, BatchStatus.notNow, 1, '');`,
    ),
  ],
  [
    'retry-in-a-new-session',
    'a write of unknown fate is repeated under its own number only',
    ['linearizability', 'exactly once'],
    still,
    clientAnswers(
      'if (operation instanceof WriteOperation) operation.doubtful = true;',
      'if (operation instanceof WriteOperation) operation.session = undefined;',
    ),
  ],
  [
    'doubt-forgotten',
    'a write that was lost once stays in doubt until its session row answers',
    ['linearizability', 'exactly once'],
    still,
    clientAnswers(
      'if (operation instanceof WriteOperation) operation.doubtful = true;',
      'if (operation instanceof WriteOperation) operation.doubtful = false;',
    ),
  ],
  [
    'replies-in-another-order',
    'the results of a batch stand in the order of its commands',
    ['linearizability', 'exactly once', 'client'],
    still,
    clientBatch(
      'const operation = this.list[this.#handled++] as Operation;',
      'const operation = this.list[this.list.length - 1 - this.#handled++] as Operation;',
    ),
  ],
];

/** Sessions, retries and time: each write once, and the right answer to whoever asked. */
export const sessions = sabotagesOf(rows);
