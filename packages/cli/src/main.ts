#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { CommandFailure, failureOf, failureText } from './failure.ts';

/** The `flotilla` command. The rest is loaded only once this Node is known to be able to run it. */

const wantedMajor = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < wantedMajor) {
  const message =
    `flotilla runs on Node ${wantedMajor} or newer, and this is Node ${process.versions.node}. ` +
    `Start it with: npx --yes node@${wantedMajor} ${process.argv.slice(1).join(' ')}`;
  process.stderr.write(`${failureText(failureOf(new CommandFailure(message)))}\n`);
  process.exit(1);
}

// Parsed modules are kept between runs: commands and stores start in half the time.
enableCompileCache();

const { run } = await import('./program.ts');
const { stdin, stdout, stderr, env } = process;
process.exit(await run(process.argv.slice(2), { stdin, stdout, stderr, environment: env }));
