import { must } from '@flotilla/base';
import { type ClusterConfig, MovePhase, type ShardRecord } from '@flotilla/wire';
import type { MoveEnd, ReportedMove } from './command.ts';
import { type Decision, refused, unchanged } from './decision.ts';
import { dismantle } from './dismantle.ts';
import { homeOf, sendTo } from './intents.ts';
import { liveGroups, planInput, planStrays } from './planner.ts';
import { moveWords, plural } from './words.ts';

/**
 * How moves ended, as the log of their source or target decided it. Only the move that is open can end: a report
 * of an older one, however late, would hand the shard back on the map while another group serves it.
 */

export function settle(config: ClusterConfig, end: MoveEnd, reports: readonly ReportedMove[]): Decision {
  const beyond = reports.find((report) => report.shard >= config.shards.length);
  if (beyond !== undefined) {
    return refused(
      'bad-request',
      `shard ${beyond.shard} does not exist: the cluster has shards 0 to ${config.shards.length - 1}`,
    );
  }
  const ended = new Map<number, ShardRecord>();
  const byMove = new Map<number, number[]>();
  for (const { shard, moveId } of reports) {
    const record = must(config.shards[shard], 'the shard was found above');
    if (record.intent?.moveId !== moveId || ended.has(shard)) continue;
    if (end === 'tooLate' && record.intent.phase === MovePhase.moving) continue;
    ended.set(shard, after(record, end));
    const shards = byMove.get(moveId) ?? [];
    shards.push(shard);
    byMove.set(moveId, shards);
  }
  if (ended.size === 0) return unchanged('none of these moves is open');
  const shards = followUp(config, ended);
  const { groups, note } = dismantle(config.groups, shards);
  const goOn = [...ended.keys()].filter((shard) => shards[shard]?.intent !== undefined).length;
  const onward = goOn === 0 || end === 'tooLate' ? '' : `; ${plural(goOn, 'shard')} to go on`;
  const rest = `${onward}${note}`;
  return {
    kind: 'changed',
    cause: `${causeOf(end, byMove)}${rest}`,
    message: `${plural(ended.size, 'move')} ${endWords[end]}${rest}`,
    shards,
    groups,
  };
}

const endWords: Readonly<Record<MoveEnd, string>> = {
  done: 'done',
  cancelled: 'cancelled',
  tooLate: 'past cancelling',
};

function after(record: ShardRecord, end: MoveEnd): ShardRecord {
  const intent = must(record.intent, 'only an open move ends');
  switch (end) {
    case 'done':
      return { ...record, owner: intent.target, epoch: record.epoch + 1, intent: undefined };
    case 'cancelled':
      return { ...record, intent: undefined };
    case 'tooLate':
      return { ...record, intent: { ...intent, phase: MovePhase.moving } };
  }
}

/**
 * Sends on the shards that had somewhere to go on to. Those without a home among the groups that stay (a first
 * assignment that was cancelled; a move by hand into a group that leaves meanwhile, cancelled by hand and too
 * late) go where least is, at once: nobody else would think of them again.
 */
function followUp(config: ClusterConfig, ended: ReadonlyMap<number, ShardRecord>): readonly ShardRecord[] {
  const number = config.number + 1;
  const live = new Set(liveGroups(config));
  const shards = [...config.shards];
  const strays: number[] = [];
  for (const [shard, record] of ended) {
    const next = config.shards[shard]?.intent?.next ?? 0;
    const home = next === 0 ? homeOf(record) : next;
    if (!live.has(home)) strays.push(shard);
    shards[shard] = record.intent === undefined && live.has(home) ? sendTo(record, home, number) : record;
  }
  for (const { shard, to } of planStrays(planInput({ ...config, shards }), strays)) {
    const record = must(shards[shard], 'a stray shard exists');
    const { intent } = record;
    // Past cancelling: it is not asked for again.
    shards[shard] =
      intent === undefined ? sendTo(record, to, number) : { ...record, intent: { ...intent, next: to } };
  }
  return shards;
}

function causeOf(end: MoveEnd, byMove: ReadonlyMap<number, readonly number[]>): string {
  const ids = [...byMove.keys()].sort((left, right) => left - right);
  const parts = ids.slice(0, 3).map((moveId) => {
    const shards = [...(byMove.get(moveId) ?? [])].sort((left, right) => left - right);
    return `${end === 'tooLate' ? 'too late to cancel' : end} ${moveWords(moveId, shards)}`;
  });
  return ids.length <= 3 ? parts.join('; ') : `${parts.join('; ')}; and more`;
}
