const mebibyte = 1024 * 1024;

export interface StorageTuning {
  /** A transaction stays below both (rule L10), unless a single commit is larger by itself. */
  readonly transactionBytesMax: number;
  readonly transactionPutsMax: number;
  /** Deletes of log runs that nothing refers to any more, taken along by each log transaction. */
  readonly garbageDeletesMax: number;
  readonly garbageDelayMs: number;
  /** Recent entries of all groups, kept in memory. */
  readonly entryCacheBytesMax: number;
  /** One slice of background removal, and the pause between two of them. */
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
  transactionBytesMax: 4 * mebibyte,
  transactionPutsMax: 2_000,
  garbageDeletesMax: 256,
  garbageDelayMs: 100,
  entryCacheBytesMax: 64 * mebibyte,
  releaseKeysMax: 500,
  releaseDelayMs: 10,
  snapshotsMax: 2,
  snapshotLifeMsMax: 10 * 60 * 1000,
  snapshotGrowthBytesMax: 256 * mebibyte,
  snapshotGrowthCheckMs: 1_000,
  diskSampleMs: 5_000,
};

/** LMDB takes keys of up to 1,978 bytes. A user key of 1 KiB and its prefix stay well below. */
export const keyBytesMax = 1_900;

/** Least time between two state transactions: nobody waits for them, and larger ones cost less per record. */
export const stateCommitPaceMs = 20;
