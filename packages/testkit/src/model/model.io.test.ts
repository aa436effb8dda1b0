import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { models } from './models.ts';

// The searches run in processes of their own, since they patch modules as they are loaded. On a busy machine they
// come less far in their time; a wrong protocol is found however long it takes.

const main = fileURLToPath(new URL('./model-main.ts', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

function model(...args: readonly string[]): Promise<Ended> {
  const running = spawn(process.execPath, ['--conditions=flotilla-source', main, ...args]);
  let output = '';
  for (const stream of [running.stdout, running.stderr]) {
    stream.on('data', (data: Buffer) => {
      output += data.toString();
    });
  }
  return new Promise((resolve, reject) => {
    running.on('error', reject);
    running.on('close', (code) => resolve({ code, output }));
  });
}

test('a minute of moves in the real groups and the real controller breaks no promise', {
  timeout: 300_000,
}, async () => {
  const { code, output } = await model('move', '--clean', '--minutes', '1', '--seed', '1');
  expect(output).not.toContain('then:');
  expect(code).toBe(0);
  // The smaller ones are explored to their end on any machine.
  for (const search of ['two-writes', 'one-write', 'trimmed', 'no-writes']) {
    expect(output).toMatch(new RegExp(`^${search} .* empty `, 'm'));
    expect(output).not.toMatch(new RegExp(`^${search} .* not empty `, 'm'));
  }
});

test('three nodes with the real core break no promise, whatever arrives, is lost or crashes', {
  timeout: 300_000,
}, async () => {
  const { code, output } = await model('raft', '--clean', '--minutes', '0.25', '--seed', '1');
  expect(output).not.toContain('then:');
  expect(code).toBe(0);
  // The smallest ones are explored to their end on any machine.
  for (const search of ['elections', 'one-term']) {
    expect(output).toMatch(new RegExp(`^${search} .* empty `, 'm'));
    expect(output).not.toMatch(new RegExp(`^${search} .* not empty`, 'm'));
  }
});

test.each(models)(
  'everything of the model $name that is wrong by one rule is found by the harm that it does',
  {
    timeout: 900_000,
  },
  async ({ name, variants }) => {
    const { code, output } = await model(name, '--variants');
    expect(output).toContain(`${variants.length} of ${variants.length} wrong`);
    expect(code).toBe(0);
  },
);

test('a wrong core is told event by event, in the names of the beginning', { timeout: 120_000 }, async () => {
  const { code, output } = await model('raft', '--variant', 'votes-twice');
  expect(code).toBe(0);
  expect(output).toContain('campaigns in term 1');
  expect(output).toMatch(/receives vote of term 1 from \d, log ends at 0 of term 0/);
  expect(output).toMatch(/then: node \d leads term 1, which was led before/);
});

test('a wrong protocol alone is told event by event', { timeout: 120_000 }, async () => {
  const { code, output } = await model('move', '--variant', 'forget-before-the-flip-is-seen');
  expect(code).toBe(0);
  expect(output).toContain('group 1: freeze(m5, epoch 2, pos 0) -> frozen at 0');
  expect(output).toContain('then: no group holds what was written');
});

test('what cannot be explored is named, with the usage', { timeout: 60_000 }, async () => {
  for (const [args, why] of [
    [[], 'say what to explore: move or raft'],
    [['move', '--search', 'x'], 'there is no search x'],
    [['move', '--variant', 'x'], 'there is no variant x'],
    [['raft', '--search', 'two-writes'], 'there is no search two-writes'],
    [['move', '--minutes', '0'], '--minutes 0 is not a number above 0'],
    [['move', '--speed'], "Unknown option '--speed'"],
  ] as const) {
    const { code, output } = await model(...args);
    expect(output).toContain(why);
    expect(output).toContain('usage: npm run model');
    expect(code).toBe(1);
  }
});
