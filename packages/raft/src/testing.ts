/** For tests, simulations and benchmarks: a storage in memory, and the parts that the data files of etcd's raft test alone. */
export { viewProgress } from './describe.ts';
export { Inflights } from './inflights.ts';
export type { MembershipChange } from './membership.ts';
export { changeMembership, changeSimply, EMPTY_CONF_STATE, enterJoint, leaveJoint } from './membership.ts';
export { MemoryStorage } from './memory-storage.ts';
export type { Draft } from './messages.ts';
export { draft } from './messages.ts';
export type { VoteResult } from './quorum.ts';
export { jointIndex, jointVote, majorityIndex, majorityVote } from './quorum.ts';
export type { ClusterOptions } from './test-cluster.ts';
export {
  bytesOf,
  confOf,
  entryOf,
  messageOf,
  TEST_CONFIG,
  TestCluster,
  TestMember,
  textOf,
  UNLIMITED,
} from './test-cluster.ts';
export { Tracker } from './tracker.ts';
