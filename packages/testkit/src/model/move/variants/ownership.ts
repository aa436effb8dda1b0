import { duties, patch, shard, source, target, type Variant } from './variant.ts';

/** Who serves, who has the content, and what is left over. */
export const ownership: readonly Variant[] = [
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
        duties,
        'if (shard.state === ShardState.frozen && isOver)',
        'if (shard.state === ShardState.frozen)',
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
        duties,
        'if (shard.state === ShardState.importing && isOver)',
        'if (shard.state === ShardState.importing && (isOver || config.shards[number]?.intent?.phase === 1))',
      ),
    ],
  },
  {
    name: 'abort-on-an-old-config',
    rule: 'only a config that is newer than the move shows that the move has ended',
    harm: 'nobody serves',
    bounds: 'no-writes',
    patches: [patch(duties, 'const isOver = config.number > moveId && config', 'const isOver = config')],
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
    rule: 'a target lets a copy of the same move begin again from a later base',
    harm: 'nobody serves',
    bounds: 'trimmed',
    patches: [patch(target, 'return step.base > (shard.staging?.pos ?? 0);', 'return false;')],
  },
  {
    name: 'driver-that-never-begins-again',
    rule: 'a driver begins a copy again when its source has dropped the names of what it has not seen',
    harm: 'nobody serves',
    bounds: 'trimmed',
    patches: [
      patch(
        'store/src/moves/next-step.ts',
        'if (view.r0 !== undefined && view.r0 > place.pos && base !== undefined && !isHeldBack) {',
        'if (base === undefined) {',
      ),
    ],
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
];
