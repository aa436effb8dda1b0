export { FabricLab, LabStore, RecordingHost, text } from './fabric-lab.ts';
export { realLab, TestNetwork, until } from './real-lab.ts';
