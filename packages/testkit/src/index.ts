export { ConsensusChecker } from './checkers/consensus.ts';
export { checkAppends, checkCounter, type SplitIds, splitAtSemicolons } from './checkers/exactly-once.ts';
export { CheckFailure } from './checkers/failure.ts';
export type { GroupWatch } from './checkers/group-watch.ts';
export type { Call, Condition, Operation, Outcome, ScanObservation } from './checkers/history.ts';
export { operationWords } from './checkers/history.ts';
export { parseHistory } from './checkers/history-text.ts';
export { checkKey, checkLinearizability, type LinearizabilityOptions } from './checkers/linearizability.ts';
export type { ReplicaWatch, SurvivingLog } from './checkers/replica-watch.ts';
export { checkScans } from './checkers/scans.ts';
export { FaultHand } from './fault-hand.ts';
export { Finale, type FinaleParts } from './finale.ts';
export { checkPatches, type Patch, patched } from './model/patches.ts';
export { replayCommand, report, summary } from './report.ts';
export { type ClusterOptions, SimCluster } from './sim-cluster.ts';
export { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts';
export type { StormKind } from './user/storm.ts';
export {
  type RunOptions,
  type TestClientOptions,
  TestCluster,
  type TestClusterOptions,
  testCluster,
} from './user/test-cluster.ts';
export { SimRead, SimWrite } from './workload/calls.ts';
export { allKeys, type KeySpace, keySpace } from './workload/keys.ts';
export { Recorder } from './workload/recorder.ts';
export { Worker, type WorkerParts } from './workload/worker.ts';
export { EventLog } from './world/event-log.ts';
export { actionWords } from './world/fault-words.ts';
export { type FaultAction, type FaultKind, faultKinds, makeSchedule } from './world/faults.ts';
export { type MemoryLine, MemoryLogSink, MemoryMeter } from './world/memory-observers.ts';
export { SimClient } from './world/sim-client.ts';
export { type DiskQuality, SimStore, type SimStoreOptions } from './world/sim-store.ts';
export { SimWorld } from './world/sim-world.ts';
export { replicaOf } from './world/state-keys.ts';
