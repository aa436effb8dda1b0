import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { sabotages } from './sabotages.ts';

const script = fileURLToPath(new URL('./patched-sim.ts', import.meta.url));

/** Busy clusters in which a shard moves four times a second. */
const options = ['--seed', '1', '--seeds', '12', '--seconds', '6', '--moves', '250', '--groups', '3'];

function runWith(name: string): string {
  const node = ['--conditions=flotilla-source', script, name, ...options];
  const { stdout, stderr, status } = spawnSync(process.execPath, node, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(1);
  return stdout;
}

describe('the simulator notices', () => {
  const cases = Object.entries(sabotages).map(([name, { checkers }]) => ({ name, checkers }));

  test.each(cases)('$name', { timeout: 120_000 }, ({ name, checkers }) => {
    const output = runWith(name);
    const found = /^seed \d+ failed\n(.+?): /m.exec(output)?.[1];
    expect(checkers, output).toContain(found);
  });
});
