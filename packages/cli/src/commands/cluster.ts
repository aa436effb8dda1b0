import type { ChangeResult } from '@flotilla/client';
import type { Command } from 'commander';
import { CommandFailure, ExitCode, QuietExit } from '../failure.ts';
import type { CommandSpec, Context } from '../program.ts';
import { bytesOfHex, bytesOfText, jsonField, shown } from '../text/bytes.ts';
import { configJson, configLines, summaryLine } from '../text/config.ts';
import { judge, statusLines } from '../text/status.ts';

/** Commands on the cluster itself. */

const GID_MAX = 0xffff_fffe;

function gidOf(text: string, lowest = 1): number {
  const gid = Number(text);
  if (/^\d{1,10}$/.test(text) && gid >= lowest && gid <= GID_MAX) return gid;
  const why =
    text === '0'
      ? '0 is the controller group, which the cluster keeps by itself'
      : 'it is no number in range';
  throw new CommandFailure(`"${text}" is not the id of a data group: ${why}. Use 1 to ${GID_MAX}.`);
}

function numberOf(text: string, what: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new CommandFailure(`"${text}" is not ${what}: write a whole number`);
}

function storesOf(text: string): string[] {
  const ids = text.split(',').map((id) => id.trim());
  const wrong = ids.find((id) => !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id));
  if (wrong !== undefined) {
    throw new CommandFailure(
      `--stores: "${wrong}" is not a store id: use 1 to 64 of a-z A-Z 0-9 . _ - and part ids by commas, like s1,s2,s3`,
    );
  }
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined)
    throw new CommandFailure(`--stores names ${twice} twice: each store holds one replica`);
  return ids;
}

async function tellChange(context: Context, result: ChangeResult): Promise<void> {
  const { output } = context;
  if (output.json) return output.value(result);
  await output.line(result.message === '' ? `ok, config ${result.configNumber}` : result.message);
}

const join: CommandSpec = {
  usage: 'join <gid>',
  summary: 'make a data group on some stores and give it shards',
  examples: ['join 1 --stores s1,s2,s3', 'join 2 --stores s2,s3,s4 --json'],
  options: (command: Command) => {
    command.requiredOption('--stores <ids>', 'stores that hold a replica each, parted by commas');
  },
  async run(context, args, options) {
    const gid = gidOf(args[0] as string);
    const stores = storesOf(String(options.stores));
    if (stores.length > 7)
      throw new CommandFailure(`${stores.length} replicas are too many: a group has 1 to 7`);
    if (stores.length % 2 === 0 || stores.length > 5) {
      const why =
        stores.length > 5
          ? 'more than 5 replicas slow down every write'
          : 'an even number survives no more failures than one less';
      context.output.note(`warning: ${why}.`);
    }
    const database = await context.database();
    await tellChange(context, await database.join({ [gid]: stores }));
  },
};

const leave: CommandSpec = {
  usage: 'leave <gids...>',
  summary: 'move all shards away from groups and dissolve them',
  examples: ['leave 2', 'leave 2 3 --json'],
  async run(context, args) {
    const gids = args.map((text) => gidOf(text));
    const database = await context.database();
    await tellChange(context, await database.leave(gids));
  },
};

const move: CommandSpec = {
  usage: 'move <shard> <gid>',
  summary: 'move one shard to a group',
  examples: ['move 17 2', 'move 0 1 --json'],
  async run(context, args) {
    const shard = numberOf(args[0] as string, 'a shard');
    const gid = gidOf(args[1] as string);
    const database = await context.database();
    await tellChange(context, await database.move(shard, gid));
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
    const [store = ''] = storesOf(args[1] as string);
    const database = await context.database();
    const { leader } = await database.transferLeader(gid, store);
    await (output.json ? output.value({ gid, leader }) : output.line(`group ${gid} is led by ${leader}`));
  },
};

export const clusterCommands: readonly CommandSpec[] = [
  join,
  leave,
  move,
  config,
  status,
  where,
  transferLeader,
];
