export { assert, InvariantError, isCount, must, unreachable } from './assert.ts';
export { BoundedQueue } from './bounded-queue.ts';
export {
  compareBytes,
  concatBytes,
  EMPTY_BYTES,
  equalBytes,
  hexDecode,
  hexEncode,
  prefixEnd,
  startsWithBytes,
  utf8Decode,
  utf8Encode,
  utf8EncodeInto,
} from './bytes.ts';
export { Reader, Writer } from './codec.ts';
export type { ErrorDetails, Outcome, Retry } from './errors.ts';
export { CorruptionError, DecodeError, FlotillaError, UsageError } from './errors.ts';
export type { GroupName, StoreId } from './ids.ts';
export {
  CONTROLLER_GID,
  GID_MAX,
  groupNameText,
  isStoreId,
  parseGid,
  parseStoreId,
  sameGroup,
} from './ids.ts';
export { putU32, putU32Big, putU53, putU53Big, u32At, u32BigAt, u64BigAt } from './integers.ts';
export { Prng } from './prng.ts';
export type { ConfState, Entry, HardState, Message, RaftId, SnapshotMeta } from './raft-values.ts';
export { APPEND_THREAD, APPLY_THREAD, EntryKind, MessageKind } from './raft-values.ts';
export { VirtualTime } from './virtual-time.ts';
export { Xxh64 } from './xxh64.ts';
