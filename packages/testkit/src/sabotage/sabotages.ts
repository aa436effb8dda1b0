import type { Patch } from '../model/patches.ts';

/** One rule left out of the system's own sources, and the checks of which any may notice it. */
export interface Sabotage {
  readonly patches: readonly Patch[];
  readonly checkers: readonly string[];
}

const kv = (name: string): string => `packages/kv/src/${name}.ts`;

const notServing = 'if (shard?.state !== ShardState.serving || shard.epoch !== command.epoch) {';
const pageOfRows = 'if (next === undefined && kind <= ItemKind.row) {';

export const sabotages: Readonly<Record<string, Sabotage>> = {
  'a source that goes on executing after it froze': {
    patches: [
      {
        file: kv('batch'),
        find: notServing,
        replace: `const isHere = shard?.state === ShardState.serving || shard?.state === ShardState.frozen;
    if (!isHere || shard.epoch !== command.epoch) {`,
      },
    ],
    checkers: ['one owner'],
  },
  'a target that executes before it is active': {
    patches: [
      {
        file: kv('batch'),
        find: notServing,
        replace: `const isHere = shard?.state === ShardState.serving || shard?.state === ShardState.importing;
    if (!isHere || shard.epoch !== command.epoch) {`,
      },
    ],
    checkers: ['one owner', 'move steps'],
  },
  'pages without session rows': {
    patches: [{ file: kv('copy-reader'), find: pageOfRows, replace: 'if (false) {' }],
    checkers: ['digest'],
  },
  'pages without session rows, and a target that compares nothing': {
    patches: [
      { file: kv('copy-reader'), find: pageOfRows, replace: 'if (false) {' },
      {
        file: kv('move-target'),
        find: 'if (!shard.records.equals(digests.records) || !shard.rows.equals(digests.rows)) {',
        replace: 'if (false) {',
      },
    ],
    checkers: ['shard content'],
  },
  'changes that do not tell what was removed': {
    patches: [
      {
        file: kv('copy-reader'),
        find: 'if (stored === undefined) {',
        replace: 'if (stored === undefined) continue;\n      if (stored === undefined) {',
      },
    ],
    checkers: ['digest'],
  },
  'a group that executes below the floor of a session': {
    patches: [{ file: kv('batch'), find: 'if (seq < row.floor) {', replace: 'if (false) {' }],
    checkers: ['no error'],
  },
  'a source that forgets before anybody else serves': {
    patches: [
      {
        file: 'packages/store/src/moves/move-duties.ts',
        find: 'if (shard.state === ShardState.frozen && isOver)',
        replace: 'if (shard.state === ShardState.frozen)',
      },
    ],
    checkers: ['content is kept'],
  },
  'a source that never forgets': {
    patches: [
      {
        file: 'packages/store/src/moves/move-duties.ts',
        find: 'if (shard.state === ShardState.frozen && isOver)',
        replace: 'if (false)',
      },
    ],
    checkers: ['liveness'],
  },
  'a lease that lasts longer than the promises it rests on': {
    patches: [
      { file: 'packages/host/src/tuning.ts', find: 'leaseMs: 135,', replace: 'leaseMs: 2_000,' },
      {
        file: 'packages/host/src/tuning.ts',
        find: 'tuning.leaseMs * 1.11 <= tuning.promiseMs',
        replace: 'true',
      },
    ],
    checkers: ['leases'],
  },
  'a controller that withdraws a move at once': {
    patches: [
      {
        file: 'packages/controller/src/move-orders.ts',
        find: 'return { ...record, pinned: false, intent: { ...intent, phase: MovePhase.cancelling, next: 0 } };',
        replace: 'return { ...record, pinned: false, intent: undefined };',
      },
    ],
    checkers: ['configs'],
  },
};
