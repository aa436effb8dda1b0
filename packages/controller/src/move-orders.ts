import { type ClusterConfig, type MoveIntent, MovePhase, type ShardRecord } from '@flotilla/wire';
import type { MoveOrderCommand } from './command.ts';
import { type Decision, type Refused, refused, unchanged } from './decision.ts';
import { listed, moveWords, plural, ranges } from './words.ts';

/**
 * What people may tell an open move: to stop, to wait, to go on. An order names all open moves that one config
 * made, or the one of them that moves a certain shard.
 */
export function order(config: ClusterConfig, command: MoveOrderCommand): Decision {
  const { moveId, shard } = command;
  const open = [...config.shards.entries()].flatMap(([at, { intent }]) =>
    intent?.moveId === moveId && (shard === undefined || shard === at) ? [at] : [],
  );
  if (open.length === 0) return unknownMove(config, command);
  if (command.kind === 'cancel') {
    const bad = cannotStay(config, open);
    if (bad !== undefined) return bad;
  }
  const shards = [...config.shards];
  for (const at of open) {
    const record = shards[at] as ShardRecord;
    shards[at] = orders[command.kind](record, record.intent as MoveIntent);
  }
  const changed = open.filter((at) => shards[at] !== config.shards[at]);
  if (changed.length === 0) return unchanged(`${moveWords(moveId, open)} ${states[command.kind]} already`);
  return {
    kind: 'changed',
    cause: `${command.kind} ${moveWords(moveId, changed)}`,
    message: message(config, command, changed),
    shards,
  };
}

const states = { cancel: 'is being cancelled', pause: 'is paused', resume: 'goes on' } as const;

const orders: {
  readonly [K in MoveOrderCommand['kind']]: (record: ShardRecord, intent: MoveIntent) => ShardRecord;
} = {
  /**
   * The shard stays where it is, and if that comes too late, where it then is. A place given by hand is taken back.
   * Nobody stays in nowhere: a first assignment that is cancelled is planned anew when it has ended.
   */
  cancel(record, intent) {
    const isDone =
      intent.phase === MovePhase.cancelling && (intent.next === 0 || intent.next === record.owner);
    if (isDone) return record;
    return { ...record, pinned: false, intent: { ...intent, phase: MovePhase.cancelling, next: 0 } };
  },
  pause: (record, intent) => (intent.paused ? record : { ...record, intent: { ...intent, paused: true } }),
  resume: (record, intent) => (intent.paused ? { ...record, intent: { ...intent, paused: false } } : record),
};

function message(
  config: ClusterConfig,
  { kind, moveId }: MoveOrderCommand,
  shards: readonly number[],
): string {
  const moves = moveWords(moveId, shards);
  if (kind === 'pause') return `${moves} waits until it is resumed, unless it is past its cut-over`;
  if (kind === 'resume') return `${moves} goes on`;
  const homeless = shards.filter((shard) => config.shards[shard]?.owner === 0).length;
  const anew =
    homeless === 0 ? '' : `; ${plural(homeless, 'shard')} that nobody serves yet will be assigned anew`;
  return `${moves} is being cancelled: what is not past its cut-over stays where it is${anew}`;
}

function unknownMove(config: ClusterConfig, { kind, moveId, shard }: MoveOrderCommand): Refused {
  const ids = new Set(config.shards.flatMap(({ intent }) => (intent === undefined ? [] : [intent.moveId])));
  const what = shard === undefined ? `move ${moveId}` : `move ${moveId} of shard ${shard}`;
  const open = ids.size === 0 ? 'no move is open' : `open moves: ${listed([...ids].sort((a, b) => a - b))}`;
  return refused('unknown-move', `there is no open ${what} to ${kind}: ${open}; see flotilla moves`);
}

function cannotStay(config: ClusterConfig, open: readonly number[]): Refused | undefined {
  const leaving = new Set(config.groups.filter((group) => group.leaving).map((group) => group.gid));
  const stuck = open.filter((at) => leaving.has((config.shards[at] as ShardRecord).owner));
  if (stuck.length === 0) return undefined;
  const owners = new Set(stuck.map((at) => (config.shards[at] as ShardRecord).owner));
  const gids = [...owners].sort((left, right) => left - right);
  return refused(
    'group-leaving',
    `${stuck.length === 1 ? 'shard' : 'shards'} ${ranges(stuck)} cannot stay at group ${listed(gids)}, which is ` +
      'leaving: join it again with its stores to keep its shards, or move a shard elsewhere',
  );
}
