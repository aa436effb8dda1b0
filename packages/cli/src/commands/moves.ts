import { setTimeout as sleep } from 'node:timers/promises';
import { parseBytes, sizeText } from '@flotilla/server/texts';
import type { Command } from 'commander';
import type { Database, PolicyChange } from '../database.ts';
import { CommandFailure } from '../failure.ts';
import { untilSignal } from '../moves/until-signal.ts';
import { type WatchSource, watchChanges, watchLive } from '../moves/watch.ts';
import type { CommandSpec, Options } from '../program.ts';
import { type MoveInput, snapshotLines } from '../text/moves.ts';
import { gidOf, moveOf, numberOf } from './arguments.ts';
import { planOption, tellChange } from './change.ts';

/** Commands on moves of shards between groups. */

const move: CommandSpec = {
  usage: 'move <shard> <gid>',
  summary: 'move one shard to a group, where it stays until the next join or leave',
  examples: ['move 17 2', 'move 0 1 --plan'],
  options: planOption,
  async run(context, args, options) {
    const shard = numberOf(args[0] as string, 'a shard');
    const gid = gidOf(args[1] as string);
    const plan = options.plan === true;
    const database = await context.database();
    await tellChange(context, await database.move(shard, gid, plan), plan);
  },
};

const rebalance: CommandSpec = {
  usage: 'rebalance',
  summary: 'even out how many shards, and how much load, each group has',
  examples: ['rebalance --plan', 'rebalance'],
  options: planOption,
  async run(context, _args, options) {
    const plan = options.plan === true;
    const database = await context.database();
    await tellChange(context, await database.rebalance(plan), plan);
  },
};

function sourceOf(database: Database, all: boolean, signal: AbortSignal): WatchSource {
  return {
    signal,
    all,
    nowMs: () => performance.now(),
    poll: () => database.moves(true, signal),
    // An end in the middle of a pause is an end like any other.
    pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
  };
}

const moves: CommandSpec = {
  usage: 'moves',
  summary:
    'list the moves under way, nothing if there are none; on a terminal, watch them until they are done',
  examples: ['moves', 'moves --all --json'],
  options: (command: Command) => {
    command
      .option('--all', 'also moves that ended lately')
      .option('--watch', 'tell every change until no move is open any more');
  },
  async run(context, _args, options) {
    const { output } = context;
    const all = options.all === true;
    const database = await context.database();
    const tell = async (found: readonly MoveInput[]): Promise<void> => {
      if (output.json) for (const each of found) await output.value(each);
      else for (const line of snapshotLines(found)) await output.line(line);
    };
    const { terminal } = output;
    if (terminal !== undefined) {
      await untilSignal((signal) => watchLive(sourceOf(database, all, signal), terminal));
    } else if (options.watch === true) {
      await untilSignal((signal) =>
        watchChanges(sourceOf(database, all, signal), async (changed) => {
          await tell([changed]);
          await output.flush();
        }),
      );
    } else {
      await tell(await database.moves(all));
    }
  },
};

function onMove(verb: 'pause' | 'resume' | 'cancel', summary: string): CommandSpec {
  return {
    usage: `${verb} <move>`,
    summary,
    examples: [`${verb} 17`, `${verb} 17/4`],
    async run(context, args) {
      const name = moveOf(args[0] as string);
      const database = await context.database();
      await tellChange(context, await database[verb](name), false);
    },
  };
}

function switchOf(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on';
  throw new CommandFailure(`--auto: "${text}" is neither on nor off`);
}

function rateOf(text: string): number {
  if (text === 'unlimited') return 0;
  try {
    const bytes = parseBytes(text.replace(/\/s$/, ''));
    if (bytes > 0) return bytes;
  } catch {}
  throw new CommandFailure(
    `--move-rate: "${text}" is not a rate: write bytes a second, like 16MB, or unlimited`,
  );
}

const MOVES_PER_STORE_MAX = 64;

function movesPerStoreOf(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= MOVES_PER_STORE_MAX) return count;
  throw new CommandFailure(
    `--moves-per-store: "${text}" is not a whole number from 1 to ${MOVES_PER_STORE_MAX}`,
  );
}

function policyOf({ auto, moveRate, movesPerStore }: Options): PolicyChange {
  return {
    ...(auto === undefined ? {} : { auto: switchOf(String(auto)) }),
    ...(moveRate === undefined ? {} : { moveBytesPerSecond: rateOf(String(moveRate)) }),
    ...(movesPerStore === undefined ? {} : { movesPerStore: movesPerStoreOf(String(movesPerStore)) }),
  };
}

const policy: CommandSpec = {
  usage: 'policy',
  summary: 'say how the cluster moves shards, or change it',
  examples: ['policy', 'policy --auto on --move-rate 16MB --moves-per-store 2'],
  options: (command: Command) => {
    command
      .option('--auto <switch>', 'balance groups without being asked: on or off')
      .option('--move-rate <rate>', 'bytes a second that moves may copy into one store, or unlimited')
      .option('--moves-per-store <n>', 'moves into one store at a time');
  },
  async run(context, _args, options) {
    const { output } = context;
    const change = policyOf(options);
    const database = await context.database();
    if (Object.keys(change).length > 0) {
      await tellChange(context, await database.policy(change), false);
      return;
    }
    const { policy: now } = await database.config();
    if (output.json) {
      await output.value(now);
      return;
    }
    const rate = now.moveBytesPerSecond === 0 ? 'unlimited' : sizeText(now.moveBytesPerSecond);
    await output.line(`auto ${now.auto ? 'on' : 'off'}`);
    await output.line(`move-rate ${rate}`);
    await output.line(`moves-per-store ${now.movesPerStore}`);
  },
};

export const moveCommands: readonly CommandSpec[] = [
  move,
  moves,
  onMove('pause', 'hold moves back: shards stay where they are served, until resume'),
  onMove('resume', 'let paused moves go on'),
  onMove('cancel', 'end moves: shards stay where they are served'),
  rebalance,
  policy,
];
