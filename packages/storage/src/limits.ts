import type { WriterPace } from './lmdb-writer.ts';

const mebibyte = 1024 * 1024;

export interface StorageTuning {
  /** Deletes of log runs that nothing refers to any more, taken along by each log transaction. */
  readonly garbageDeletesMax: number;
  readonly garbageDelayMs: number;
  /** Recent entries of all groups, kept in memory. */
  readonly entryCacheBytesMax: number;
  /** One transaction of background removal, and the pause between two: a sync of it delays the syncs of the log. */
  readonly releaseKeysMax: number;
  readonly releaseDelayMs: number;
  readonly snapshotsMax: number;
  readonly snapshotLifeMsMax: number;
  /** A snapshot also ends once the file has grown by a quarter and this much since it was opened. */
  readonly snapshotGrowthBytesMax: number;
  readonly snapshotGrowthCheckMs: number;
  readonly diskSampleMs: number;
}

/** Numbers that are safe to change between two starts. */
export const storageTuning: StorageTuning = {
  garbageDeletesMax: 256,
  garbageDelayMs: 100,
  entryCacheBytesMax: 64 * mebibyte,
  releaseKeysMax: 4_096,
  releaseDelayMs: 250,
  snapshotsMax: 2,
  snapshotLifeMsMax: 10 * 60 * 1000,
  snapshotGrowthBytesMax: 256 * mebibyte,
  snapshotGrowthCheckMs: 1_000,
  diskSampleMs: 5_000,
};

/** LMDB takes keys of up to 1,978 bytes. A user key of 1 KiB and its prefix stay well below. */
export const keyBytesMax = 1_900;

/** Log commits begin at once, and stay below both limits (rule L10) unless a single commit is larger by itself. */
export const logPace: WriterPace = { paceMs: 0, bytesMax: 4 * mebibyte, putsMax: 2_000 };

/**
 * State transactions are rare and large: nobody waits for them, and a page that is written once for many records
 * costs less. What they hold is bounded, because a crash replays it and until then it lies in memory.
 */
export const statePace: WriterPace = { paceMs: 4_000, bytesMax: 64 * mebibyte, putsMax: 262_144 };

/** With less free space than this, files get no written room ahead: the space is worth more than the speed. */
export const roomFreeBytesMin: number = 1024 * mebibyte;

/** How long the event loop may be held up by one slice of a state transaction, or of the tidying after it. */
export const stateSliceMs = 1;
