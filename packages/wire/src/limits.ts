import { assert } from '@flotilla/base';

/**
 * Hard values: part of the wire and entry formats. Changing one needs a new format number and a decision
 * record, because replicas decide by them at apply.
 */
export const limits = {
  keyBytes: 1024,
  valueBytes: 1_048_576,
  /** All commands of one batch together, which is also the largest entry. */
  batchBytes: 4_194_304,
  batchCommands: 4096,
  scanPageRecords: 1000,
  scanPageBytes: 1_048_576,
  rangeDeleteKeys: 1000,
  /** Records and session rows that one time entry may remove, over all its shards. */
  timeEntryItems: 1000,
  inFlightRequests: 4096,
  peerFrameBytes: 8_388_608,
  clientFrameBytes: 5_242_880,
  connections: 4096,
  replicasPerGroup: 7,
  shardCountMax: 4096,
  groupsMax: 4096,
  storesMax: 1024,
  addressBytes: 256,
  snapshotChunkBytes: 262_144,
  /** Items of one page or delta of a move, unless a single item or revision is larger: 256 KiB with all around it. */
  importPieceBytes: 258_048,
  /** The largest page or delta: a session row with all results of range deletes is the largest item. */
  importBytes: 6_291_456,
  /** A source freezes when at most so much is open: the last changes travel with the answer. */
  freezeBytes: 262_144,
  /** Entries of a change index that one `TrimExport` drops, and the rest of their last revision. */
  trimEntries: 4096,
  movesPerStoreMax: 64,
} as const;

/** Sessions and time: constants of the entry format, not settings. Times in ms. */
export const sessionLimits = {
  /** Life of a session. */
  life: 1_800_000,
  /** How long a client opens new sequence numbers under one session. */
  use: 900_000,
  /** How much longer it may retry old ones. */
  retry: 300_000,
  skewMax: 10_000,
  rowsPerShard: 65_536,
  /** Sequence numbers above the floor that may be open. */
  window: 4096,
} as const;

export const protocol = { min: 1, max: 1 } as const;
export const entryFormats = { min: 1, max: 1 } as const;

assert(
  sessionLimits.life > sessionLimits.use + sessionLimits.retry + 2 * sessionLimits.skewMax,
  'a live write must never expire',
);
assert(limits.batchBytes + 64 * 1024 < limits.clientFrameBytes, 'a full batch must fit a client frame');
assert(limits.importBytes + 4096 < limits.peerFrameBytes, 'a page of a move must fit a peer frame');
assert(limits.clientFrameBytes < limits.peerFrameBytes, 'an entry must fit a peer frame');
assert(limits.valueBytes + limits.keyBytes + 1024 < limits.batchBytes, 'the largest record must fit a batch');
