import process from 'node:process';
import { loadWith } from '../../../packages/testkit/src/model/patches.ts';
import { sabotages } from './index.ts';
import type { Task, Verdict } from './verdict.ts';

/** One process for one sabotage: its patches hold for every module that is loaded from here on. */

const LINE_LENGTH_MAX = 400;

async function run({ name, first, seeds }: Task): Promise<Verdict> {
  const sabotage = sabotages.find((each) => each.name === name);
  if (sabotage === undefined) return { kind: 'broken', why: `there is no sabotage ${name}` };
  const unloaded = loadWith(sabotage.patches);
  const { runOnce } = await import('../../../packages/testkit/src/simulation.ts');
  const [stray] = unloaded();
  if (stray !== undefined) return { kind: 'broken', why: `the simulator does not load ${stray.file}` };
  for (let tried = 1; tried <= seeds; tried++) {
    const seed = first + tried - 1;
    const { failure } = runOnce({ ...sabotage.world, seed });
    if (failure === undefined) continue;
    const says = failure.message.slice(0, LINE_LENGTH_MAX);
    return { kind: 'caught', seed, tried, checker: failure.checker, says };
  }
  return { kind: 'survived', tried: seeds };
}

process.on('message', async (task: Task) => {
  process.send?.(await run(task), () => process.disconnect());
});
