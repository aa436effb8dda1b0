import { type Shard, ShardState } from './shard.ts';

/** A shard as others see it: a copy of what is known as the last entry was applied. */
export interface ShardStatus {
  readonly shard: number;
  readonly state: ShardState;
  readonly fence: number;
  /** Where clients are sent instead; 0 while unknown. */
  readonly hintGid: number;
  readonly hintEpoch: number;
  readonly moveId: number;
  readonly epoch: number;
  readonly generation: number;
  readonly revision: number;
  readonly timeFloor: number;
  readonly recordCount: number;
  /** Keys and values, without overhead. */
  readonly recordBytes: number;
  readonly rowCount: number;
  readonly openExport: ExportStatus | undefined;
  readonly staging: StagingStatus | undefined;
}

/** Also of a frozen shard, until it is forgotten. */
export interface ExportStatus {
  readonly moveId: number;
  readonly r0: number;
  /** What the whole change index weighs. */
  readonly bytes: number;
}

export interface StagingStatus {
  readonly sourceGid: number;
  readonly sourceIncarnation: number;
  readonly cursor: Uint8Array;
  readonly isComplete: boolean;
  readonly pos: number;
}

/** Counted by this replica since it was loaded: reads and commands that it executed or answered from a row. */
export interface ShardLoad {
  readonly shard: number;
  readonly operations: number;
  /** Keys and values, in and out. */
  readonly bytes: number;
}

/** Absent with fence 0 is how every shard begins: nothing is known of it. */
export function isKnown(shard: Shard): boolean {
  return shard.state !== ShardState.absent || shard.fence > 0;
}

export function statusOf(shard: Shard): ShardStatus {
  const { openExport: open, staging } = shard;
  return {
    shard: shard.number,
    state: shard.state,
    fence: shard.fence,
    hintGid: shard.hintGid,
    hintEpoch: shard.hintEpoch,
    moveId: shard.moveId,
    epoch: shard.epoch,
    generation: shard.generation,
    revision: shard.revision,
    timeFloor: shard.timeFloor,
    recordCount: shard.recordCount,
    recordBytes: shard.recordBytes,
    rowCount: shard.rowCount,
    openExport: open && { moveId: open.moveId, r0: open.r0, bytes: open.bytes },
    staging: staging && { ...staging },
  };
}
