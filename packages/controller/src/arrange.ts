import { type ClusterConfig, type MoveIntent, MovePhase, type ShardRecord } from '@flotilla/wire';
import { movesBetween, sendAll, sendTo } from './intents.ts';
import { plan, planInput } from './planner.ts';
import { plural } from './words.ts';

/**
 * The map after groups came or went: what was placed or kept by hand is free again, and every shard gets a home
 * among the groups that stay. Without any, what is open is cancelled.
 */
export function arrange(config: ClusterConfig): readonly ShardRecord[] {
  const number = config.number + 1;
  const shards = config.shards.map((record) => (record.pinned ? { ...record, pinned: false } : record));
  const input = planInput({ ...config, shards });
  if (input.groups.length === 0) return shards.map((record) => sendTo(record, 0, number));
  return sendAll(shards, plan(input), number).map(bound);
}

/** The plan counts on the owner of a shard that is kept there by hand; too late, it would stay at the target. */
function bound(record: ShardRecord): ShardRecord {
  const { owner, intent } = record;
  if (intent?.phase !== MovePhase.cancelling || intent.next !== 0) return record;
  return { ...record, intent: { ...intent, next: owner } };
}

function isCancelling(intent: MoveIntent | undefined): boolean {
  return intent?.phase === MovePhase.cancelling;
}

/** What the change means for shards, as sentences for people. */
export function arrangedText(before: ClusterConfig, after: ClusterConfig): readonly string[] {
  const moves = movesBetween(before, after);
  const lines: string[] = [];
  const assigned = byTarget(moves.filter((move) => move.from === 0));
  if (assigned !== undefined) {
    const { count, targets } = assigned;
    lines.push(`${plural(count, 'shard')} ${count === 1 ? 'is' : 'are'} assigned${targets}`);
  }
  const moving = byTarget(moves.filter((move) => move.from !== 0));
  if (moving !== undefined) {
    const { count, targets } = moving;
    lines.push(`${plural(count, 'shard')} ${count === 1 ? 'moves' : 'move'}${targets}; see flotilla moves`);
  }
  const cancelled = after.shards.filter(
    ({ intent }, shard) => isCancelling(intent) && !isCancelling(before.shards[shard]?.intent),
  ).length;
  if (cancelled > 0) {
    const lost = cancelled === 1 ? 'is' : 'are';
    lines.push(`${plural(cancelled, 'open move')} ${lost} cancelled, as far as it is not too late`);
  }
  return lines;
}

/** ` to group 3`, or `: 11 to group 1, 10 to group 2`; undefined without a move. */
function byTarget(moves: readonly { readonly to: number }[]) {
  const counts = new Map<number, number>();
  for (const { to } of moves) counts.set(to, (counts.get(to) ?? 0) + 1);
  const gids = [...counts.keys()].sort((left, right) => left - right);
  if (gids.length === 0) return undefined;
  const count = moves.length;
  if (gids.length === 1) return { count, targets: ` to group ${gids[0]}` };
  const shown = gids.slice(0, 16).map((gid) => `${counts.get(gid)} to group ${gid}`);
  const more = gids.length > shown.length ? ', and so on' : '';
  return { count, targets: `: ${shown.join(', ')}${more}` };
}
