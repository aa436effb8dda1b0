import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { removeDirectories, temporaryDirectory } from './harness/places.ts';
import { commandLine, endAll, flotilla, Running } from './harness/running.ts';

// People paste the examples of --help first, so each of them is run as it stands there.

afterAll(async () => {
  await endAll();
  removeDirectories();
});

/** Those that answer; `dev` and `store` run until they are stopped, and `bench` and `sim` take their time. */
const commands = [
  ...['put', 'get', 'append', 'incr', 'cas', 'scan', 'load', 'dump', 'del'],
  ...['join', 'move', 'moves', 'pause', 'resume', 'cancel', 'rebalance', 'policy', 'leave'],
  ...['config', 'status', 'where', 'transfer-leader'],
];

async function examplesOf(command: string): Promise<string[]> {
  const { out } = await flotilla(['help', command]);
  const lines = out.split('\n');
  return lines.slice(lines.indexOf('Examples:') + 1, -2).map((line) => line.trim());
}

/** A directory in which the files of the examples lie, with `flotilla` in the path of its shell. */
function desk(endpoints: readonly string[]): { cwd: string; env: Record<string, string> } {
  const cwd = temporaryDirectory();
  const bin = join(cwd, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'flotilla'), `#!/bin/sh\nexec ${commandLine([])} "$@"\n`);
  chmodSync(join(bin, 'flotilla'), 0o755);
  writeFileSync(join(cwd, 'entry.txt'), 'entry\n');
  writeFileSync(join(cwd, 'records.jsonl'), '{"key":"user:1","value":{"name":"a"}}\n');
  const env = { PATH: `${bin}${delimiter}${process.env.PATH}`, FLOTILLA_ENDPOINTS: endpoints.join(',') };
  return { cwd, env };
}

test('every example of help is a command that this version understands', async () => {
  const cluster = await Cluster.start();
  const { cwd, env } = desk(cluster.endpoints);
  const examples = (await Promise.all(commands.map(examplesOf))).flat();
  expect(examples).toHaveLength(2 * commands.length);
  for (const example of examples) {
    const input = '{"key":"user:2","value":"b"}\n';
    const running = new Running(['-c', example], { file: 'sh', cwd, env, input });
    const { code } = await running.exit;
    const said = running.err.join('\n');
    // A lost race, an unknown store or a move that cannot be yet is an answer; a mistake in the line is not.
    expect([example, said]).not.toEqual([example, expect.stringMatching(/See flotilla|usage|defect/)]);
    expect([example, [0, 1].includes(code ?? -1)]).toEqual([example, true]);
  }
  const { out } = await cluster.run(['scan', 'user:', '--keys']);
  expect(out.split('\n')).toEqual(['user:1', 'user:2']);
});
