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
  ['one-term', 110],
  ['swap-small', 864],
])(
  '%s meets the same nodes in fewer orders of events as in all of them',
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
