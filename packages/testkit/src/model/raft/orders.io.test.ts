import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const child = fileURLToPath(new URL('./orders-child.ts', import.meta.url));

interface Compared {
  readonly states: readonly [number, number];
  readonly nodes: number;
  readonly onlyOne: number;
}

test.each([
  ['one-term', 46],
  ['learner', 319],
])(
  '%s meets the same nodes in fewer orders and with fewer messages as with all of them',
  {
    timeout: 120_000,
  },
  async (search, nodes) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--conditions=flotilla-source',
      child,
      search,
    ]);
    const compared = JSON.parse(stdout) as Compared;
    expect(compared).toMatchObject({ nodes, onlyOne: 0 });
    expect(compared.states[1]).toBeLessThan(compared.states[0]);
  },
);
