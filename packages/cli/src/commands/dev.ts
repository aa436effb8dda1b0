import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { Database } from '../database.ts';
import { checkData, type DevOptions, forgottenStores, planDev } from '../dev/plan.ts';
import { checkPortsFree } from '../dev/ports.ts';
import { Supervisor } from '../dev/supervisor.ts';
import { CommandFailure } from '../failure.ts';
import type { CommandSpec, Options } from '../program.ts';

function whole(options: Options, name: string, least: number, most: number): number {
  const text = String(options[name]);
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new CommandFailure(`--${name}: "${text}" is not a whole number from ${least} to ${most}`);
}

function devOptions(options: Options, directory: string): DevOptions {
  const shards = whole(options, 'shards', 1, 4096);
  const groups = whole(options, 'groups', 0, 64);
  if (groups > shards) {
    throw new CommandFailure(
      `--groups ${groups} is more than --shards ${shards}: some group would stay empty`,
    );
  }
  return {
    directory,
    stores: whole(options, 'stores', 1, 32),
    port: whole(options, 'port', 1, 65_535),
    groups,
    shards,
  };
}

/** A number with the right signs of plural is read more easily than one with brackets. */
function clusterText(options: DevOptions, continues: boolean): string {
  const { stores, groups, shards, directory } = options;
  const what = `${stores} ${stores === 1 ? 'store' : 'stores'}, ${groups} data ${groups === 1 ? 'group' : 'groups'}`;
  return continues
    ? `flotilla dev: continuing with ${what} and the data in ${directory}`
    : `flotilla dev: new cluster of ${what} and ${shards} shards in ${directory}`;
}

export const devCommand: CommandSpec = {
  usage: 'dev',
  summary: 'run a local cluster as real processes until Ctrl-C; its data stays, and starting again continues',
  examples: ['dev', 'dev --stores 5 --groups 3 --port 7501 --ephemeral'],
  options: (command: Command) => {
    command
      .option('--dir <directory>', 'where the data is kept', '.flotilla')
      .option('--stores <n>', 'number of stores: s1, s2, …', '3')
      .option('--port <port>', 'port of the first store; the others follow', '7401')
      .option('--groups <n>', 'number of data groups, beside the controller group', '2')
      .option('--shards <n>', 'number of shards of a new cluster', '64')
      .option('--ephemeral', 'keep the data in a temporary directory and remove it at the end')
      .option('--restart', 'start a store again when it ends');
  },
  async run({ output, globals }, _args, options) {
    const directory = resolve(String(options.dir));
    const settings = devOptions(options, directory);
    const ephemeral = options.ephemeral === true;
    await checkPortsFree(planDev(settings).endpoints);
    const place = ephemeral ? mkdtempSync(join(tmpdir(), 'flotilla-dev-')) : directory;
    const plan = planDev({ ...settings, directory: place });
    const continues = checkData(plan);
    mkdirSync(place, { recursive: true, mode: 0o700 });
    const forgotten = forgottenStores(place, plan).map(
      (id) =>
        `warning: ${place} also holds store ${id}, which stays down: start with more --stores to use it`,
    );
    const supervisor = new Supervisor({
      plan,
      logDirectory: join(place, 'logs'),
      restart: options.restart === true,
      temporaryDirectory: ephemeral ? place : undefined,
      output,
      greeting: [clusterText({ ...settings, directory: place }, continues), ...forgotten],
      open: () => Database.open(plan.endpoints, globals.timeoutMs),
    });
    await supervisor.run();
  },
};
