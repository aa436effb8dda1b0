export { checkHistory } from './checkers/check-history.ts';
export { CheckFailure } from './checkers/failure.ts';
export type { Call, Condition, Operation, Outcome, ScanObservation } from './checkers/history.ts';
export { operationWords } from './checkers/history.ts';
export { HistoryReader, operationLine, type RecordedHistory } from './checkers/history-lines.ts';
export { parseHistory } from './checkers/history-text.ts';
export { checkLinearizability, type LinearizabilityOptions } from './checkers/linearizability.ts';
export { InputError } from './input.ts';
export { report } from './report.ts';
export { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts';
export type { StormKind } from './user/storm.ts';
export {
  type RunOptions,
  type TestClientOptions,
  type TestCluster,
  type TestClusterOptions,
  testCluster,
} from './user/test-cluster.ts';
export { type FaultKind, faultKinds } from './world/faults.ts';
