import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeInvocation } from '../child-command.ts';
import { CommandFailure, QuietExit } from '../failure.ts';
import type { CommandSpec } from '../program.ts';

/** The simulator is a program of its own, so that nothing of a real process is loaded next to virtual time. */
function simulator(): string {
  const entry = import.meta.resolve('@flotilla/testkit');
  const folder = dirname(fileURLToPath(entry));
  const script = ['sim-main.ts', 'sim-main.js'].map((name) => join(folder, name)).find(existsSync);
  if (script !== undefined) return script;
  const version = createRequire(import.meta.url)('../package.json').version as string;
  throw new CommandFailure(`flotilla ${version} comes without a simulator: use a checkout of the sources`);
}

export const simCommand: CommandSpec = {
  usage: 'sim [args...]',
  summary: 'run a whole cluster on virtual time with faults; a failure prints the command that replays it',
  examples: ['sim --seed 7', 'sim --seeds 100 --seconds 30'],
  options: (command) => {
    command.allowUnknownOption().passThroughOptions(false).helpOption(false);
  },
  async run(_context, args) {
    const { file, args: words } = nodeInvocation(simulator(), args);
    const child = spawn(file, words, { stdio: 'inherit' });
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => resolve(code ?? 1));
    });
    if (exitCode !== 0) throw new QuietExit(exitCode as 1);
  },
};
