export { type MoveTuning, moveTuning } from './moves/move-tuning.ts';
export type { StoreOptions, StorePorts } from './ports.ts';
export { StoreNode } from './store-node.ts';
