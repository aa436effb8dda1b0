import { join } from 'node:path';
import process from 'node:process';
import { BaseSequencer, type Reporter, startVitest, type TestSpecification } from 'vitest/node';
import { root } from './suites.ts';
import type { Task, Verdict } from './verdict.ts';

/**
 * Runs suites against changed sources, one task after the other, until the parent goes. The suites run in a thread of
 * this process: one that never ends goes with the process, which the parent kills.
 */

const conditions = ['flotilla-source'];
/** A mutant that needs more than this has lost its way. */
const TEST_MS_MAX = 60_000;

async function run({ texts, files }: Task): Promise<Verdict> {
  const loaded = new Set<string>();
  let by: string | undefined;
  let tests = 0;
  let broken: string | undefined;
  const reporter: Reporter = {
    onTestCaseResult(test) {
      tests++;
      if (test.result().state === 'failed') by ??= `${test.module.relativeModuleId} "${test.fullName}"`;
    },
    onTestModuleEnd(module) {
      const [error] = module.errors();
      if (error !== undefined) broken ??= `${module.relativeModuleId}: ${error.message}`;
    },
    onTestRunEnd(_modules, errors) {
      const [error] = errors;
      if (error !== undefined) broken ??= `outside of any test: ${error.message}`;
    },
  };
  class InOrder extends BaseSequencer {
    override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
      const place = ({ moduleId }: TestSpecification): number =>
        files.findIndex((file) => moduleId === join(root, file));
      return specifications.toSorted((left, right) => place(left) - place(right));
    }
  }
  const vitest = await startVitest(
    [],
    {
      config: false,
      root,
      include: [...files],
      watch: false,
      bail: 1,
      isolate: false,
      fileParallelism: false,
      pool: 'threads',
      reporters: [reporter],
      sequence: { sequencer: InOrder },
      testTimeout: TEST_MS_MAX,
      cache: false,
      deps: { interopDefault: false },
    },
    {
      logLevel: 'error',
      resolve: { conditions },
      ssr: { resolve: { conditions } },
      plugins: [
        {
          name: 'mutant',
          enforce: 'pre',
          // Transformed modules are kept on disk by the text of their file; these are no such modules.
          configureVitest: ({ defineCacheKeyGenerator }) =>
            defineCacheKeyGenerator(({ id }) => (texts[id] === undefined ? undefined : false)),
          load(id) {
            const text = texts[id];
            if (text !== undefined) loaded.add(id);
            return text;
          },
        },
      ],
    },
  );
  await vitest.close();
  if (by !== undefined) return { kind: 'killed', by };
  if (broken !== undefined) return { kind: 'broken', why: broken };
  for (const file of Object.keys(texts)) {
    if (!loaded.has(file)) return { kind: 'broken', why: `no suite loads ${file}` };
  }
  if (tests === 0) return { kind: 'broken', why: 'there are no tests' };
  return { kind: 'survived', tests };
}

process.on('message', async (task: Task) => {
  process.send?.(await run(task));
});
process.on('disconnect', () => process.exit());
