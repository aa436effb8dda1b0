import type { Patch } from '../patches.ts';
import type { Harm } from './harm.ts';

/**
 * Protocols that are wrong by one rule. Each is the real code with that rule left out, and the search must find
 * what harm comes of it. Assertions are off in all of them, and so are the checks of how things are done: it is
 * the harm itself that has to be found, as clients or operators would meet it.
 */
export interface Variant {
  readonly name: string;
  /** The rule that is left out. */
  readonly rule: string;
  /** What comes of it. */
  readonly harm: Harm;
  /** The search that finds it. */
  readonly bounds: string;
  readonly patches: readonly Patch[];
}

function patch(file: string, find: string, replace: string): Patch {
  return { file: `packages/${file}`, find, replace };
}

/** Everything that is wrong comes to its end. */
export const noAssertions: Patch = patch('base/src/assert.ts', 'if (!condition) throw', 'if (false) throw');

const target = 'kv/src/move-target.ts';
const source = 'kv/src/move-source.ts';
const batch = 'kv/src/batch.ts';
const shard = 'kv/src/shard.ts';
const index = 'kv/src/change-index.ts';
const copyReader = 'kv/src/copy-reader.ts';
const legal = 'testkit/src/model/move/legal.ts';

const digests = 'if (!shard.records.equals(digests.records) || !shard.rows.equals(digests.rows)) {';
/** The digest catches most wrong copies before anybody is served from them; without it they do their harm. */
const noDigest = patch(target, digests, 'if (false) {');
const noRowDigest = patch(target, digests, 'if (!shard.records.equals(digests.records)) {');
const keepRow = 'row.keep(seq, this.#floor, shard.revision, executor.outcome);';
const notServed = 'if (shard?.state !== ShardState.serving || shard.epoch !== command.epoch) {';
const fitsPage = 'if (!equalBytes(page.cursor, staging.cursor) || page.view < staging.pos) return;';
const fitsDelta = 'if (delta.from > staging.pos || delta.to <= staging.pos) return;';
const isReady = 'if (!isComplete || pos !== revision) return';

export const variants: readonly Variant[] = [
  {
    name: 'late-first-assignment',
    rule: 'a first assignment that is closed in the target does not activate any more',
    harm: 'two groups serve',
    bounds: 'first-assignment',
    patches: [
      patch(
        target,
        'shard.state !== ShardState.absent || moveId <= shard.fence',
        'shard.state !== ShardState.absent',
      ),
    ],
  },
  {
    name: 'first-assignment-taken-back-at-once',
    rule: 'the target decides whether a first assignment is cancelled',
    harm: 'two groups serve',
    bounds: 'first-assignment',
    patches: [
      patch(
        'controller/src/intents.ts',
        'if (intent.phase === MovePhase.moving) {\n    if (gid === intent.target)',
        'if (owner === 0) return { ...record, intent: { ...intent, moveId: number, target: gid } };\n  if (intent.phase === MovePhase.moving) {\n    if (gid === intent.target)',
      ),
    ],
  },
  {
    name: 'no-fence',
    rule: 'a group takes no copy for a move that is closed there',
    harm: 'two groups serve',
    bounds: 'no-writes',
    patches: [
      patch(target, 'if (moveId > shard.fence && mayBegin(shard, step)) {', 'if (mayBegin(shard, step)) {'),
    ],
  },
  {
    name: 'fence-goes-with-the-copy',
    rule: 'the fence outlives everything else of a shard',
    harm: 'two groups serve',
    bounds: 'no-writes',
    patches: [
      patch(
        source,
        'shard.moveId === step.moveId) shard.becomeAbsent();',
        'shard.moveId === step.moveId) { shard.becomeAbsent(); shard.fence = 0; }',
      ),
    ],
  },
  {
    name: 'frozen-for-whoever-asks',
    rule: 'a shard that is frozen by one move is not frozen for another',
    harm: 'two groups serve',
    bounds: 'three-groups',
    patches: [
      patch(
        source,
        'const open = exportOf(shard, moveId);\n    if (open === undefined) return notGiven(shard, moveId);\n    if (shard.state === ShardState.serving) {',
        'const open = exportOf(shard, moveId) ?? (shard.state === ShardState.frozen ? shard.openExport : undefined);\n    if (open === undefined) return notGiven(shard, moveId);\n    if (shard.state === ShardState.serving) {',
      ),
    ],
  },
  {
    name: 'staging-of-any-move',
    rule: 'pages, changes and activations fit only the copy of their own move',
    harm: 'two groups serve',
    bounds: 'no-writes',
    patches: [
      patch(target, 'return shard.moveId === moveId ? shard.staging : undefined;', 'return shard.staging;'),
    ],
  },
  {
    name: 'serve-after-freeze',
    rule: 'a frozen shard executes nothing, and that is judged as the command is applied',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [
      patch(
        batch,
        notServed,
        'if ((shard?.state !== ShardState.serving && shard?.state !== ShardState.frozen) || shard.epoch !== command.epoch) {',
      ),
    ],
  },
  {
    name: 'serve-before-activate',
    rule: 'a shard that is being imported executes nothing',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [
      patch(
        batch,
        notServed,
        'if ((shard?.state !== ShardState.serving && shard?.state !== ShardState.importing) || shard.epoch !== command.epoch) {',
      ),
    ],
  },
  {
    name: 'old-page',
    rule: 'a page is not older than the changes that were taken already',
    harm: 'executed twice',
    bounds: 'early-changes',
    patches: [patch(target, fitsPage, 'if (!equalBytes(page.cursor, staging.cursor)) return;'), noDigest],
  },
  {
    name: 'page-anywhere',
    rule: 'a page begins where the copy stands',
    harm: 'wrong content',
    bounds: 'early-changes',
    patches: [patch(target, fitsPage, 'if (page.view < staging.pos) return;'), noDigest],
  },
  {
    name: 'not-all-pages',
    rule: 'a copy is activated when its last page is there',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [patch(target, isReady, 'if (pos !== revision) return'), noDigest],
  },
  {
    name: 'activate-without-the-last-changes',
    rule: 'a copy is activated at exactly the revision at which its source is frozen',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [patch(target, isReady, 'if (!isComplete) return'), noDigest],
  },
  {
    name: 'replayed-commands',
    rule: 'changes are final states, not commands that a known session makes repeats of',
    harm: 'wrong content',
    bounds: 'early-changes',
    patches: [
      patch(
        target,
        'const items = readItems(delta.items, shard, this.#hasher, this.#slab);\n    if (items === undefined) return;',
        `const items = readItems(delta.items, shard, this.#hasher, this.#slab);
    if (items === undefined) return;
    const isRepeat = items.some((item) => {
      const row = item.kind === ItemKind.row ? this.#store.get(keyUnder(shard.rowHead, item.name)) : undefined;
      return row !== undefined && storedRowRevision(row) >= item.revision;
    });
    if (isRepeat) {
      staging.pos = delta.to;
      shard.dirty = true;
      return;
    }`,
      ),
      noDigest,
    ],
  },
  {
    name: 'gap-in-the-changes',
    rule: 'changes begin at or before the place that the copy has reached',
    harm: 'wrong content',
    bounds: 'two-writes',
    patches: [patch(target, fitsDelta, 'if (delta.to <= staging.pos) return;'), noDigest],
  },
  {
    name: 'changes-below-the-trim',
    rule: 'a source does not answer for changes whose names it has dropped',
    harm: 'wrong content',
    bounds: 'trimmed',
    patches: [patch(source, 'if (question.from < open.r0) return', 'if (false) return'), noDigest],
  },
  {
    name: 'index-not-stored',
    rule: 'the change index outlives a change of leader and a restart',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [
      patch(index, 'this.#store.put(entry.subarray(0, length), entry.subarray(length));', ''),
      noDigest,
    ],
  },
  {
    name: 'changes-beyond-the-applied',
    rule: 'a replica speaks only of revisions that it has applied',
    harm: 'wrong content',
    bounds: 'two-writes',
    patches: [
      patch(
        copyReader,
        'const { changes, to = shard.revision } =',
        'const { changes, to = shard.revision + 1 } =',
      ),
      noDigest,
    ],
  },
  {
    name: 'no-tombstones',
    rule: 'what was removed is named in the change index',
    harm: 'wrong content',
    bounds: 'deletes',
    patches: [
      patch(
        'kv/src/record-table.ts',
        'if (shard.openExport !== undefined) this.#note(shard, key, shard.revision, 0);',
        '',
      ),
      noDigest,
    ],
  },
  {
    name: 'cut-inside-a-revision',
    rule: 'changes are cut between revisions only',
    harm: 'wrong content',
    bounds: 'range-deletes',
    patches: [
      patch(index, 'if (last !== revision) whole = changes.length;', 'whole = changes.length;'),
      noDigest,
    ],
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
    name: 'damaged-record',
    rule: 'a page with an item that does not fit its hash is refused, and so is a copy that differs',
    harm: 'wrong content',
    bounds: 'damage',
    patches: [noDigest],
  },
  {
    name: 'damaged-row',
    rule: 'the digest covers session rows, too',
    harm: 'wrong content',
    bounds: 'damage',
    patches: [noRowDigest],
  },
  {
    name: 'forget-names-no-move',
    rule: 'a late Forget takes no copy that a later move froze',
    harm: 'content lost',
    bounds: 'no-writes',
    patches: [
      patch(
        source,
        'if (shard.state === ShardState.frozen && shard.moveId === step.moveId) shard.becomeAbsent();',
        'if (shard.state === ShardState.frozen) shard.becomeAbsent();',
      ),
    ],
  },
  {
    name: 'forget-before-the-flip-is-seen',
    rule: 'the source keeps its copy until a config shows that the move has ended',
    harm: 'content lost',
    bounds: 'no-writes',
    patches: [
      patch(
        legal,
        'forget: (flags: number): boolean => (flags & Flag.removed) !== 0',
        'forget: (_: number): boolean => true',
      ),
    ],
  },
  {
    name: 'dismantled-while-it-owns',
    rule: 'a leaving group ends only when it owns nothing and no intent names it',
    harm: 'content lost',
    bounds: 'leaves',
    patches: [patch('controller/src/dismantle.ts', 'named.add(owner);', '')],
  },
  {
    name: 'keys-by-epoch',
    rule: 'no two copies of a shard in one group share a generation',
    harm: 'wrong content',
    bounds: 'late-removal',
    patches: [
      patch(
        shard,
        'this.useGeneration(generation);\n    this.revision = 0;',
        'this.useGeneration(epoch);\n    this.revision = 0;',
      ),
    ],
  },
  {
    name: 'cancel-drops-the-intent',
    rule: 'the intent of a cancelled move stays until its source has answered',
    harm: 'nobody serves',
    bounds: 'no-writes',
    patches: [
      patch(
        'controller/src/move-orders.ts',
        'return { ...record, pinned: false, intent: { ...intent, phase: MovePhase.cancelling, next: 0 } };',
        'return { ...record, pinned: false, intent: undefined };',
      ),
    ],
  },
  {
    name: 'cancel-not-remembered',
    rule: 'a source that answers `cancelled` remembers it',
    harm: 'nobody serves',
    bounds: 'no-writes',
    patches: [patch(source, 'if (moveId > shard.fence) shard.raiseFence(moveId);', '')],
  },
  {
    name: 'freeze-of-a-closed-move',
    rule: 'Freeze needs an export of its move, and a move that is not closed',
    harm: 'nobody serves',
    bounds: 'no-writes',
    patches: [
      patch(
        source,
        'if (open === undefined) return notGiven(shard, moveId);\n    if (shard.state === ShardState.serving) {',
        `if (open === undefined) {
      if (shard.state !== ShardState.serving || shard.epoch + 1 !== step.epoch) return notGiven(shard, moveId);
      shard.freeze(moveId, step.target, time);
      return { answer: MoveAnswer.frozen, r0: 0, facts: factsOf(shard), delta: EMPTY_BYTES };
    }
    if (shard.state === ShardState.serving) {`,
      ),
    ],
  },
  {
    name: 'abort-when-a-cancel-is-asked',
    rule: 'the target gives its copy up only when the move has ended in the source',
    harm: 'nobody serves',
    bounds: 'no-writes',
    patches: [
      patch(
        legal,
        'abort: (flags: number): boolean => (flags & Flag.removed) !== 0',
        'abort: (flags: number): boolean => (flags & (Flag.removed | Flag.cancelAsked)) !== 0',
      ),
    ],
  },
  {
    name: 'abort-on-an-old-config',
    rule: 'only a config that is newer than the move shows that the move has ended',
    harm: 'nobody serves',
    bounds: 'no-writes',
    patches: [
      patch(
        legal,
        'abort: (flags: number): boolean => (flags & Flag.removed) !== 0',
        'abort: (_: number): boolean => true',
      ),
    ],
  },
  {
    name: 'done-of-any-move',
    rule: 'only the move that is open can be done',
    harm: 'nobody serves',
    bounds: 'no-writes',
    patches: [
      patch(
        'controller/src/settle.ts',
        'if (record.intent?.moveId !== moveId || ended.has(shard)) continue;',
        'if (record.intent === undefined || ended.has(shard)) continue;',
      ),
    ],
  },
  {
    name: 'no-later-base',
    rule: 'a copy begins again when its source has dropped the names of what it has not seen',
    harm: 'nobody serves',
    bounds: 'trimmed',
    patches: [patch(target, 'return step.base > (shard.staging?.pos ?? 0);', 'return false;')],
  },
  {
    name: 'staging-kept-when-it-differs',
    rule: 'a copy whose digest differs is dropped',
    harm: 'nobody serves',
    bounds: 'damage',
    patches: [
      patch(
        target,
        'shard.becomeAbsent();\n      return { answer: MoveAnswer.digest };',
        'return { answer: MoveAnswer.digest };',
      ),
    ],
  },
  {
    name: 'fence-raised-when-it-differs',
    rule: 'a copy whose digest differs may be made again',
    harm: 'nobody serves',
    bounds: 'damage',
    patches: [
      patch(
        target,
        'shard.becomeAbsent();\n      return { answer: MoveAnswer.digest };',
        'shard.raiseFence(moveId);\n      return { answer: MoveAnswer.digest };',
      ),
    ],
  },
  {
    name: 'export-of-a-closed-move',
    rule: 'BeginExport opens nothing for a move that is closed',
    harm: 'never cleaned up',
    bounds: 'no-writes',
    patches: [
      patch(
        source,
        'if (!isGivenBy(shard, moveId, step.epoch) || !isNewer) return notGiven(shard, moveId);',
        'if (shard.state !== ShardState.serving || shard.epoch + 1 !== step.epoch || !isNewer) return notGiven(shard, moveId);',
      ),
    ],
  },
  {
    name: 'fence-keeps-the-export',
    rule: 'raising the fence drops an export',
    harm: 'never cleaned up',
    bounds: 'no-writes',
    patches: [
      patch(
        shard,
        'if (this.state === ShardState.serving && open !== undefined && open.moveId <= moveId) {',
        'if (false) {',
      ),
    ],
  },
  {
    name: 'fence-keeps-older-stagings',
    rule: 'raising the fence drops the staging of an older move',
    harm: 'never cleaned up',
    bounds: 'no-writes',
    patches: [
      patch(
        shard,
        'if (this.state === ShardState.importing && this.moveId <= moveId) this.becomeAbsent();',
        'if (this.state === ShardState.importing && this.moveId === moveId) this.becomeAbsent();',
      ),
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
