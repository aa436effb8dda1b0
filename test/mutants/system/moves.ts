import { changeOf } from '../named/mutant.ts';
import { type Row, sabotagesOf } from './sabotage.ts';
import { hot, idle, moving, movingLong } from './worlds.ts';

const batch = changeOf('kv/batch.ts');
const copyReader = changeOf('kv/copy-reader.ts');
const dataGroup = changeOf('kv/data-group.ts');
const applier = changeOf('kv/move-applier.ts');
const sessions = changeOf('kv/session-table.ts');
const driver = changeOf('store/moves/move-driver.ts');
const duties = changeOf('store/moves/move-duties.ts');
const shard = changeOf('kv/shard.ts');
const source = changeOf('kv/move-source.ts');
const target = changeOf('kv/move-target.ts');

const notServing = 'if (shard?.state !== ShardState.serving || shard.epoch !== command.epoch) {';
const readNotHere = '} else if (shard?.state !== ShardState.serving || shard.epoch !== read.epoch) {';
const pageOfRows = 'if (next === undefined && kind <= ItemKind.row) {';
const comparesNothing = target(
  'if (!shard.records.equals(digests.records) || !shard.rows.equals(digests.rows)) {',
  'if (false) {',
);

const rows: readonly Row[] = [
  [
    'writes-after-the-freeze',
    'a frozen shard executes nothing',
    ['one owner'],
    moving,
    batch(
      notServing,
      `const isHere = shard?.state === ShardState.serving || shard?.state === ShardState.frozen;
    if (!isHere || shard.epoch !== command.epoch) {`,
    ),
  ],
  [
    'writes-before-the-activation',
    'a shard that is being imported executes nothing',
    ['one owner', 'move steps'],
    moving,
    batch(
      notServing,
      `const isHere = shard?.state === ShardState.serving || shard?.state === ShardState.importing;
    if (!isHere || shard.epoch !== command.epoch) {`,
    ),
  ],
  [
    'reads-after-the-freeze',
    'a frozen shard answers no reads',
    ['linearizability', 'scans'],
    { ...hot, faults: ['deaf', 'move-leader'] },
    dataGroup(
      readNotHere,
      '} else if ((shard?.state !== ShardState.serving && shard?.state !== ShardState.frozen) || shard.epoch !== read.epoch) {',
    ),
  ],
  [
    'reads-before-the-activation',
    'a shard that is being imported answers no reads',
    ['linearizability', 'scans'],
    { ...movingLong, thinkMs: 25 },
    dataGroup(
      readNotHere,
      '} else if ((shard?.state !== ShardState.serving && shard?.state !== ShardState.importing) || shard.epoch !== read.epoch) {',
    ),
  ],
  [
    'rows-left-behind',
    'session rows travel with the records',
    ['digest'],
    moving,
    copyReader(pageOfRows, 'if (false) {'),
  ],
  [
    'rows-left-behind-and-nothing-compared',
    'session rows travel with the records, and a copy is compared with its source',
    ['shard content'],
    moving,
    copyReader(pageOfRows, 'if (false) {'),
    comparesNothing,
  ],
  [
    'rows-and-records-of-different-revisions',
    'a shard is frozen with all its session rows as of that revision',
    ['digest', 'shard content', 'state-machine safety', 'no error'],
    hot,
    applier(
      '      case MoveStep.freeze:\n        this.#sessions.flush();\n',
      '      case MoveStep.freeze:\n',
    ),
  ],
  [
    'rows-not-among-the-changes',
    'changes bring session rows, too',
    ['digest'],
    moving,
    sessions('    if (shard.openExport !== undefined) {', '    if (false) {'),
  ],
  [
    'changes-without-removals',
    'what was removed is named among the changes',
    ['digest'],
    moving,
    copyReader(
      'if (stored === undefined) {',
      'if (stored === undefined) continue;\n      if (stored === undefined) {',
    ),
  ],
  [
    'round-of-changes-lost',
    'all changes that a target takes are in its copy',
    ['digest'],
    moving,
    target(
      '      if (isRecord) this.#takeRecord(shard, item);\n      else this.#takeRow(shard, item);\n',
      '',
    ),
  ],
  [
    'round-of-changes-lost-and-nothing-compared',
    'all changes that a target takes are in its copy, and that is compared with its source',
    ['shard content'],
    moving,
    target(
      '      if (isRecord) this.#takeRecord(shard, item);\n      else this.#takeRow(shard, item);\n',
      '',
    ),
    comparesNothing,
  ],
  [
    'old-item-in-place-of-a-new-one',
    'of two states of an item the one of the higher revision stays',
    ['digest'],
    movingLong,
    target(
      '    if (this.#records.storedRevision >= item.revision) return;\n',
      '    if (this.#records.storedRevision < item.revision) return;\n',
    ),
  ],
  [
    'one-generation-for-all-copies',
    'no two copies of a shard in one group share a generation',
    ['move steps', 'digest', 'shard content', 'no error'],
    moving,
    shard(
      '    this.useGeneration(generation);\n    this.revision = 0;',
      '    this.useGeneration(generation === 0 ? 0 : 1);\n    this.revision = 0;',
    ),
  ],
  [
    'keys-under-one-generation',
    'the keys of each copy lie under a generation of their own',
    ['digest', 'shard content', 'state-machine safety', 'no error'],
    movingLong,
    shard(
      'this.#keys.head(this.number, generation, Kind.record)',
      'this.#keys.head(this.number, 1, Kind.record)',
    ),
  ],
  [
    'cancel-that-closes-nothing',
    'a cancel closes the move in its source: a freeze that comes late finds nothing',
    ['move steps'],
    movingLong,
    source('if (moveId > shard.fence) shard.raiseFence(moveId);', ''),
  ],
  [
    'export-of-a-closed-move',
    'a move that is closed in its source is never opened there again',
    ['move steps', 'no error'],
    { ...idle, faults: ['move-frames'] },
    source('moveId > shard.fence && shard.epoch + 1 === epoch;', 'shard.epoch + 1 === epoch;'),
  ],
  [
    'second-activation-of-nothing',
    'a first assignment that is closed in its target activates nothing any more',
    ['move steps', 'one owner'],
    { ...idle, faults: ['move-frames'] },
    target(
      'shard.state !== ShardState.absent || moveId <= shard.fence) return',
      'shard.state !== ShardState.absent) return',
    ),
    shard(
      '    this.#open(moveId);\n    this.#beginCopy(moveId, epoch, index);\n    this.state = ShardState.serving;',
      '    this.#beginCopy(moveId, epoch, index);\n    this.state = ShardState.serving;',
    ),
    driver(
      'if (!order.isPaused && !order.isCancelling && !isOver) this',
      'if (!order.isPaused && !order.isCancelling) this',
    ),
  ],
  [
    'late-import-throws-the-copy-away',
    'a late BeginImport of the same move keeps the copy',
    ['move steps'],
    moving,
    target(
      'if (shard.moveId === step.moveId) return step.base > (shard.staging?.pos ?? 0);',
      'if (shard.moveId === step.moveId) return true;',
    ),
  ],
  [
    'fence-that-does-not-outlive-the-copy',
    'the fence of a shard outlives everything else of it',
    ['move steps', 'one owner'],
    movingLong,
    shard(
      '    this.#beginCopy(0, 0, 0);\n    this.state = ShardState.absent;',
      '    this.#beginCopy(0, 0, 0);\n    this.fence = 0;\n    this.state = ShardState.absent;',
    ),
  ],
  [
    'time-stays-behind',
    'the time of a shard travels with it',
    ['move steps', 'shard content'],
    moving,
    shard(
      '    this.timeFloor = time;\n    this.#close(this.moveId);',
      '    this.timeFloor = 0;\n    this.#close(this.moveId);',
    ),
  ],
  [
    'forgotten-before-anybody-serves',
    'a source keeps its frozen copy until a config shows that the move has ended',
    ['content is kept'],
    moving,
    duties('if (shard.state === ShardState.frozen && isOver)', 'if (shard.state === ShardState.frozen)'),
  ],
  [
    'never-forgotten',
    'a source forgets its frozen copy when the move has ended',
    ['liveness'],
    { ...moving, seconds: 2 },
    duties('if (shard.state === ShardState.frozen && isOver)', 'if (false)'),
  ],
  [
    'staging-given-up-at-once',
    'a target gives its copy up only when the move has ended in the source',
    ['liveness'],
    { ...moving, seconds: 2 },
    duties(
      'if (shard.state === ShardState.importing && isOver)',
      'if (shard.state === ShardState.importing)',
    ),
  ],
];

/** Moves of shards: their steps, and who drives them. */
export const moves = sabotagesOf(rows);
