import { ShardState, type ShardStatus } from '@flotilla/kv';
import { type ClusterConfig, type MoveEntry, type MoveIntent, MovePhase, MoveStep } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { dutyOf as dutyUnder } from './move-duties.ts';
import { moveTuning } from './move-tuning.ts';

const empty: ShardStatus = {
  ...{ shard: 0, state: ShardState.absent, fence: 0, hintGid: 0, hintEpoch: 0, moveId: 17, epoch: 3 },
  ...{ generation: 5, revision: 90, timeFloor: 0, recordCount: 0, recordBytes: 0, rowCount: 0 },
  ...{ openExport: undefined, staging: undefined },
};

const dutyOf = (shard: ShardStatus, config: ClusterConfig): MoveEntry | undefined =>
  dutyUnder(shard, config, moveTuning.indexBytesMax);

function config(number: number, moveId?: number): ClusterConfig {
  const intent: MoveIntent | undefined =
    moveId === undefined ? undefined : { moveId, target: 2, phase: MovePhase.moving, paused: false, next: 0 };
  const shards = [{ owner: 1, epoch: 3, intent, pinned: false }];
  return { number, shards } as unknown as ClusterConfig;
}

describe.each([
  ['a copy that arrives', ShardState.importing, MoveStep.abort],
  ['a frozen copy', ShardState.frozen, MoveStep.forget],
] as const)('%s', (_what, state, step) => {
  const shard = { ...empty, state };

  test('goes once a newer config has no intent for its move', () => {
    expect(dutyOf(shard, config(18))).toEqual({ step, moveId: 17, shard: 0 });
    expect(dutyOf(shard, config(40, 30))).toEqual({ step, moveId: 17, shard: 0 });
  });

  test('stays while the intent is there, in whatever phase', () => {
    expect(dutyOf(shard, config(18, 17))).toBeUndefined();
    expect(dutyOf(shard, config(400, 17))).toBeUndefined();
  });

  test('stays under a config that cannot have heard of its move', () => {
    expect(dutyOf(shard, config(16))).toBeUndefined();
    expect(dutyOf(shard, config(17))).toBeUndefined();
  });
});

test('an index that nobody takes from is dropped when it is too large, and not before', () => {
  const open = { moveId: 30, r0: 40, bytes: moveTuning.indexBytesMax };
  const serving = { ...empty, state: ShardState.serving, openExport: open };
  expect(dutyOf(serving, config(31, 30))).toBeUndefined();
  const heavy = { ...serving, openExport: { ...open, bytes: moveTuning.indexBytesMax + 1 } };
  expect(dutyOf(heavy, config(31, 30))).toEqual({ step: MoveStep.trimExport, moveId: 30, shard: 0, to: 90 });
  expect(dutyOf({ ...heavy, openExport: { ...heavy.openExport, r0: 90 } }, config(31, 30))).toBeUndefined();
});

test('a shard that is served owes nothing', () => {
  expect(dutyOf({ ...empty, state: ShardState.serving }, config(50))).toBeUndefined();
  expect(dutyOf({ ...empty, state: ShardState.absent, fence: 17 }, config(50))).toBeUndefined();
});
