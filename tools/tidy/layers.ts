// The layer table: what each package may depend on and import. It is a decision, not an observation: a package that
// needs more than its row asks for a change of the architecture first. Tooling for tests is not listed here.

export interface LayerRow {
  /** No I/O, no timers, no `async`; compiled without Node types. */
  readonly pure: boolean;
  /** Packages of this repository. */
  readonly packages: readonly string[];
  /** Packages from outside that may be there at run time. */
  readonly externals: readonly string[];
}

const core = ['base', 'ports', 'raft', 'wire', 'kv', 'controller'];
const stores = [...core, 'storage', 'transport', 'host', 'store', 'client'];

function pure(...packages: string[]): LayerRow {
  return { pure: true, packages, externals: [] };
}

function worldly(packages: readonly string[], externals: readonly string[]): LayerRow {
  return { pure: false, packages, externals };
}

export const layers: Readonly<Record<string, LayerRow>> = {
  base: pure(),
  ports: pure('base'),
  raft: pure('base'),
  wire: pure('base', 'ports'),
  kv: pure('base', 'ports', 'wire'),
  controller: pure('base', 'ports', 'wire'),
  storage: worldly(['base', 'ports'], ['lmdb', 'sorted-btree']),
  transport: worldly(['base', 'ports', 'wire'], ['ws', 'msgpackr']),
  host: pure(...core),
  store: pure(...core, 'host'),
  // The core of the client has a row of its own below: only its promise facade may know a transport.
  client: worldly(['base', 'ports', 'wire', 'transport'], []),
  server: worldly(stores, ['pino', 'p-queue', 'prom-client', 'xxhash-wasm', 'zod', 'yaml']),
  console: worldly(['wire'], []),
  cli: worldly(['client', 'server', 'console', 'testkit'], ['commander', 'p-queue']),
  testkit: worldly(stores, ['sorted-btree']),
};

/** Folders inside a package with a stricter row than the package. */
export const folders: Readonly<Record<string, LayerRow>> = {
  'client/src/core': pure('base', 'ports', 'wire'),
};

/** Packages that may import `node:` modules. */
export const nodePackages: readonly string[] = [
  'storage',
  'transport',
  'server',
  'console',
  'cli',
  'testkit',
];

/** Modules that every test may import. */
export const testTools: readonly string[] = ['vitest', 'fast-check'];

/** A test that needs more than its package may use belongs to one of these, or to the folder `test`. */
export const packageNames: readonly string[] = Object.keys(layers);
