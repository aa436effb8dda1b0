import {
  batch,
  copyReader,
  fitsPage,
  keepRow,
  noDigest,
  noRowDigest,
  patch,
  shard,
  target,
  type Variant,
} from './variant.ts';

/** What makes a write happen once, and time go on. */
export const sessions: readonly Variant[] = [
  {
    name: 'old-page',
    rule: 'a page is not older than the changes that were taken already',
    harm: 'executed twice',
    bounds: 'early-changes',
    patches: [patch(target, fitsPage, 'if (!equalBytes(page.cursor, staging.cursor)) return;'), noDigest],
  },
  {
    name: 'failed-condition-not-stamped',
    rule: 'a failed condition stamps the session row that keeps its result',
    harm: 'executed twice',
    bounds: 'conditions',
    patches: [
      patch(
        batch,
        keepRow,
        'row.keep(seq, this.#floor, executor.outcome.status === Status.conflict ? row.revision : shard.revision, executor.outcome);',
      ),
      noRowDigest,
    ],
  },
  {
    name: 'row-not-stamped',
    rule: 'every write stamps its session row',
    harm: 'executed twice',
    bounds: 'one-write',
    patches: [
      patch(batch, keepRow, 'row.keep(seq, this.#floor, row.revision, executor.outcome);'),
      noRowDigest,
    ],
  },
  {
    name: 'rows-not-among-the-changes',
    rule: 'changes bring session rows, too',
    harm: 'executed twice',
    bounds: 'one-write',
    patches: [
      patch(
        copyReader,
        'const isRecord = kind === ItemKind.record;',
        'const isRecord = kind === ItemKind.record;\n      if (!isRecord) continue;',
      ),
      noRowDigest,
    ],
  },
  {
    name: 'rows-left-behind',
    rule: 'session rows travel with the records',
    harm: 'executed twice',
    bounds: 'one-write',
    patches: [
      patch(copyReader, 'if (next === undefined && kind <= ItemKind.row) {', 'if (false) {'),
      noRowDigest,
    ],
  },
  {
    name: 'no-floor',
    rule: 'nothing below the floor of a session is executed',
    harm: 'executed twice',
    bounds: 'two-writes',
    patches: [patch(batch, 'if (seq < row.floor) {', 'if (false) {')],
  },
  {
    name: 'floor-goes-with-its-results',
    rule: 'the floor of a session row outlives the results below it',
    harm: 'executed twice',
    bounds: 'two-writes',
    patches: [
      patch(
        'kv/src/session-row.ts',
        "assert(at === end, 'a stored session row ends inside a result');",
        "assert(at === end, 'a stored session row ends inside a result');\n    this.floor = 0;",
      ),
    ],
  },
  {
    name: 'row-removed-early',
    rule: 'a session row stays until nobody can use the session any more',
    harm: 'executed twice',
    bounds: 'sessions',
    patches: [
      patch(
        'kv/src/session-row.ts',
        'return sessionOpenedAt(session) + sessionLimits.life;',
        'return sessionOpenedAt(session) + sessionLimits.use;',
      ),
    ],
  },
  {
    name: 'session-young-again',
    rule: 'the time of a shard travels with it, so that no session is younger there than its rows were',
    harm: 'executed twice',
    bounds: 'sessions',
    patches: [
      patch(
        shard,
        'this.revision = revision;\n    this.timeFloor = time;',
        'this.revision = revision;\n    this.timeFloor = 0;',
      ),
    ],
  },
  {
    name: 'time-stays-behind',
    rule: 'the time of a shard travels with it',
    harm: 'time goes back',
    bounds: 'ttl',
    patches: [
      patch(
        shard,
        'this.revision = revision;\n    this.timeFloor = time;',
        'this.revision = revision;\n    this.timeFloor = 0;',
      ),
    ],
  },
];
