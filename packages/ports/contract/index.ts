export { coldCodecContract } from './cold-codec.ts';
export { compressorContract } from './compressor.ts';
export { hasherContract } from './hasher.ts';
export { type LogStoreHarness, logStoreContract } from './log-store.ts';
export { type NetworkLab, networkContract } from './network.ts';
export { type LogSinkHarness, logSinkContract, type MeterHarness, meterContract } from './observe.ts';
export { type StateStoreHarness, stateStoreContract } from './state-store.ts';
export { clockContract, randomContract, timersContract, type WorldLab } from './world.ts';
