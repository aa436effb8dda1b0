import type { Command } from 'commander';
import { CommandFailure, ExitCode, QuietExit } from '../failure.ts';
import type { CommandSpec } from '../program.ts';
import { bytesOfHex, bytesOfText, jsonField, shown } from '../text/bytes.ts';
import { configJson, configLines, summaryLine } from '../text/config.ts';
import { judge, statusLines } from '../text/status.ts';
import { gidOf, groupsOf, numberOf, storeIdOf } from './arguments.ts';
import { planOption, tellChange } from './change.ts';

/** Commands on the cluster itself. */

const join: CommandSpec = {
  usage: 'join <groups...>',
  summary: 'make data groups on some stores and give them their part of the shards',
  examples: ['join 3 --stores s1,s2,s3', 'join 3=s1,s2,s3 4=s2,s3,s4 --plan'],
  options: (command: Command) => {
    command.option('--stores <ids>', 'stores that hold a replica each, parted by commas');
    planOption(command);
  },
  async run(context, args, options) {
    const groups = groupsOf(args, options.stores as string | undefined);
    for (const [gid, { length }] of Object.entries(groups)) {
      if (length > 5)
        context.output.note(`warning: group ${gid}: more than 5 replicas slow down every write.`);
      else if (length % 2 === 0) {
        context.output.note(`warning: group ${gid}: an even number survives no more failures than one less.`);
      }
    }
    const plan = options.plan === true;
    const database = await context.database();
    await tellChange(context, await database.join(groups, plan), plan);
  },
};

const leave: CommandSpec = {
  usage: 'leave <gids...>',
  summary: 'move all shards away from groups and dissolve them',
  examples: ['leave 2 --plan', 'leave 2 3 --json'],
  options: planOption,
  async run(context, args, options) {
    const gids = args.map((text) => gidOf(text));
    const plan = options.plan === true;
    const database = await context.database();
    await tellChange(context, await database.leave(gids, plan), plan);
  },
};

const config: CommandSpec = {
  usage: 'config [number]',
  summary: 'print the newest config, an older one, or the list of all',
  examples: ['config', 'config --all --json'],
  options: (command: Command) => {
    command.option('--all', 'one line for each config: number, time, cause, author');
  },
  async run(context, args, options) {
    const { output } = context;
    if (options.all === true && args[0] !== undefined) {
      throw new CommandFailure('a number and --all exclude each other: give one of them');
    }
    const number = args[0] === undefined ? undefined : numberOf(args[0], 'the number of a config');
    const database = await context.database();
    if (options.all === true) {
      for await (const summary of database.configs()) {
        await (output.json ? output.value(summary) : output.line(summaryLine(summary)));
      }
      return;
    }
    const found = await database.config(number);
    if (output.json) await output.value(configJson(found));
    else for (const line of configLines(found)) await output.line(line);
  },
};

const status: CommandSpec = {
  usage: 'status',
  summary:
    'say whether anything is wrong, then list stores and groups; exits 2 if degraded, 3 if unavailable',
  examples: ['status', 'status --json'],
  async run(context) {
    const { output } = context;
    const database = await context.database();
    const found = await database.status();
    const { health, headline, exitCode } = judge(found);
    if (output.json) await output.value({ health, headline, ...found });
    else for (const line of statusLines(found)) await output.line(line);
    if (exitCode !== ExitCode.done) throw new QuietExit(exitCode);
  },
};

const where: CommandSpec = {
  usage: 'where <key>',
  summary: 'say which shard and group hold a key, who leads it and where its replicas are',
  examples: ['where greeting', 'where greeting --json'],
  options: (command: Command) => {
    command.option('--hex', 'the key is written in hexadecimal');
  },
  async run(context, args, options) {
    const { output } = context;
    const text = args[0] as string;
    const hex = options.hex === true;
    const key = hex ? bytesOfHex(text, 'the key') : bytesOfText(text, 'the key');
    const database = await context.database();
    const { shard, gid, epoch, leader, replicas, configNumber } = await database.where(key);
    if (output.json) {
      const places = replicas.map(({ storeId, address }) => ({ store: storeId, address }));
      const place = { shard, group: gid, epoch, leader, replicas: places, config: configNumber };
      await output.value({ ...jsonField('key', key, hex), ...place });
    } else if (gid === 0) {
      await output.line(`${shown(key, hex)} -> shard ${shard}, which no group owns yet`);
    } else {
      const places = replicas.map(({ storeId, address }) => `${storeId} ${address}`).join(', ');
      const led = leader === '' ? 'no leader now' : `leader ${leader}`;
      await output.line(
        `${shown(key, hex)} -> shard ${shard}, group ${gid}, epoch ${epoch}, ${led}, replicas ${places}`,
      );
    }
    if (leader === '') throw new QuietExit(ExitCode.unavailable);
  },
};

const transferLeader: CommandSpec = {
  usage: 'transfer-leader <gid> <store>',
  summary: 'hand the leadership of a group (0: the controller) to one of its stores',
  examples: ['transfer-leader 1 s2', 'transfer-leader 0 s3 --json'],
  async run(context, args) {
    const { output } = context;
    const gid = gidOf(args[0] as string, 0);
    const store = storeIdOf(args[1] as string, 'the store');
    const database = await context.database();
    const { leader } = await database.transferLeader(gid, store);
    await (output.json ? output.value({ gid, leader }) : output.line(`group ${gid} is led by ${leader}`));
  },
};

export const clusterCommands: readonly CommandSpec[] = [join, leave, config, status, where, transferLeader];
