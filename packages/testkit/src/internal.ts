// For the tests of this repository only: what they arrange single situations with. It changes without notice.
export { checkAppends } from './checkers/exactly-once.ts';
export { checkScans } from './checkers/scans.ts';
export { Finale } from './finale.ts';
export { type Patch, patched } from './model/patches.ts';
export { caseOptions, caseText, readCase } from './sim-case.ts';
export { SimCluster } from './sim-cluster.ts';
export { SimRead, SimWrite } from './workload/calls.ts';
export { keySpace } from './workload/keys.ts';
export { Recorder } from './workload/recorder.ts';
export { Worker } from './workload/worker.ts';
export type { SimClient } from './world/sim-client.ts';
export type { SimStore } from './world/sim-store.ts';
export { replicaOf } from './world/state-keys.ts';
