export { Host } from './host.ts';
export type { HostOptions, HostPorts } from './host-ports.ts';
export { generationPrefix, groupPrefix } from './layout.ts';
export type { GroupMachine, MachineFactory, Proposal, ReadBatch, Refusal } from './machine.ts';
export { Replica } from './replica.ts';
export type { HostTuning } from './tuning.ts';
export { checkTuning, hostTuning, wanTuning } from './tuning.ts';
