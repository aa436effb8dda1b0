import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// The name of a test file says what it may do:
//   x.test.ts       no I/O, virtual time only
//   x.io.test.ts    real LMDB, sockets or child processes
//   x.sim.test.ts   a seeded simulation of a whole cluster
//   test/process/   real store processes; one file at a time, after all others, since they measure real time

const conditions = ['flotilla-source'];
const never = ['**/node_modules/**', '**/dist/**'];
const beside = { maxWorkers: Math.max(2, availableParallelism() - 1), sequence: { groupOrder: 0 } };
const alone = { maxWorkers: 1, fileParallelism: false, sequence: { groupOrder: 1 } };

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    passWithNoTests: true,
    // CommonJS packages are imported exactly as Node does it, so that what passes here also starts there.
    deps: { interopDefault: false },
    projects: [
      {
        extends: true,
        test: {
          ...beside,
          name: 'unit',
          include: ['{packages,tools,test}/**/*.test.ts'],
          exclude: [...never, '**/*.{io,sim}.test.ts', 'test/process/**'],
        },
      },
      {
        extends: true,
        test: {
          ...beside,
          name: 'io',
          include: ['{packages,tools,test}/**/*.io.test.ts'],
          exclude: [...never, 'test/process/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          ...beside,
          name: 'sim',
          include: ['{packages,test,examples}/**/*.sim.test.ts'],
          exclude: [...never, 'test/process/**'],
          testTimeout: 120_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          ...alone,
          name: 'process',
          include: ['test/process/**/*.test.ts'],
          exclude: never,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
