export type { DataGroupOptions, ShardDigest, ShardStatus } from './data-group.ts';
export { DataGroup, moveEntry, timeEntry } from './data-group.ts';
export type { Digest } from './digest.ts';
export { NewerFormatError } from './errors.ts';
export { GROUP_SHARD } from './keys.ts';
export type { Placement } from './prepare.ts';
export { prepareBatch } from './prepare.ts';
export { ShardState } from './shard.ts';
