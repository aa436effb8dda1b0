export type { StoreOptions, StorePorts } from './ports.ts';
export { StoreNode } from './store-node.ts';
