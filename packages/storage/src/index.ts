export { storageTuning } from './limits.ts';
export type { MemoryWorld } from './memory-commits.ts';
export { MemoryLogStore } from './memory-log-store.ts';
export { MemoryStateStore } from './memory-state-store.ts';
