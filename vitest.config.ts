import { defineConfig } from 'vitest/config';

const conditions = ['flotilla-source'];
const slow = ['**/*.io.test.ts', '**/*.sim.test.ts'];
const never = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    passWithNoTests: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/**/*.test.ts', 'tools/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [...never, ...slow, 'test/process/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'io',
          include: ['{packages,test,tools}/**/*.io.test.ts'],
          exclude: [...never, 'test/process/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'sim',
          include: ['{packages,test}/**/*.sim.test.ts'],
          exclude: [...never, 'test/process/**'],
          testTimeout: 120_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: ['test/process/**/*.test.ts'],
          exclude: never,
          testTimeout: 120_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
