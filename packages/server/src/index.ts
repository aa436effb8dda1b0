export { createWasmHasher } from './adapters/wasm-hasher.ts';
export type { ProcessHooks } from './process.ts';
export { EXIT_BROKEN, runStoreProcess } from './process.ts';
export type { RunningStore, StartHooks } from './start-store.ts';
export { startStore } from './start-store.ts';
