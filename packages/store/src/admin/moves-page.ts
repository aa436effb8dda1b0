import type { StoreId } from '@flotilla/base';
import {
  type ClusterConfig,
  MOVES_PER_PAGE,
  type MoveIntent,
  MovePhase,
  type MoveProgress,
  type MoveState,
  type MovesPage,
} from '@flotilla/wire';
import type { MovesReport } from './moves-report.ts';

interface Parts {
  readonly config: ClusterConfig;
  readonly reports: ReadonlyMap<StoreId, MovesReport>;
  /** Those that ended lately, too. */
  readonly all: boolean;
  /** Where the last page ended; empty for the first. */
  readonly after: string;
}

/**
 * The moves of the cluster: what the config orders, told by the stores that drive it. The config says which moves
 * are open and what people want of them; the drivers say how far they are.
 */
export function makeMovesPage({ config, reports, all, after }: Parts): MovesPage {
  const told = newest(reports);
  const leads = new Set([...reports.values()].flatMap((report) => report.leads));
  const moves: MoveProgress[] = [];
  for (const [shard, { owner, intent }] of config.shards.entries()) {
    if (intent === undefined) continue;
    const name = nameOf({ moveId: intent.moveId, shard });
    const report = told.get(name);
    told.delete(name);
    const isOpen = report !== undefined && !hasEnded(report);
    moves.push(isOpen ? wanted(report, intent) : untold(shard, owner, intent, leads));
  }
  for (const report of told.values()) {
    // Some drivers have heard of newer configs than this one. What else is not in it has ended.
    if (hasEnded(report) ? all : report.moveId > config.number) moves.push(report);
  }
  moves.sort((left, right) => left.moveId - right.moveId || left.shard - right.shard);
  return page(config.number, moves, after);
}

function nameOf({ moveId, shard }: { readonly moveId: number; readonly shard: number }): string {
  return `${moveId}.${shard}`;
}

function hasEnded({ state }: MoveProgress): boolean {
  return state === 'done' || state === 'cancelled';
}

/** After a change of leader two stores may tell of one move: whoever is further took it over, or ended it. */
function newest(reports: ReadonlyMap<StoreId, MovesReport>): Map<string, MoveProgress> {
  const told = new Map<string, MoveProgress>();
  const rank = (move: MoveProgress): number => ranks.indexOf(move.state);
  for (const { moves } of reports.values()) {
    for (const move of moves) {
      const other = told.get(nameOf(move));
      const isNewer =
        other === undefined ||
        rank(move) > rank(other) ||
        (rank(move) === rank(other) && move.bytes > other.bytes);
      if (isNewer) told.set(nameOf(move), move);
    }
  }
  return told;
}

/** States that a driver tells, by how far they are. A move that is open again anywhere has not ended. */
const ranks: readonly MoveState[] = [
  'cancelled',
  'done',
  'waiting',
  'paused',
  'cancelling',
  'copying',
  'catching-up',
  'cutting-over',
  'serving',
];

/** What people ordered shows at once, but for what no order reaches any more. */
function wanted(report: MoveProgress, intent: MoveIntent): MoveProgress {
  const isPastFreeze = report.state === 'cutting-over' || report.state === 'serving';
  const order = orderOf(intent);
  return isPastFreeze || order === undefined ? report : { ...report, state: order };
}

function orderOf({ phase, paused }: MoveIntent): 'cancelling' | 'paused' | undefined {
  if (phase === MovePhase.cancelling) return 'cancelling';
  return paused ? 'paused' : undefined;
}

/** A move that nobody drives: nothing is known of it but what the config says. */
function untold(shard: number, source: number, intent: MoveIntent, leads: ReadonlySet<number>): MoveProgress {
  const { moveId, target } = intent;
  const gids = source === 0 ? [target] : [source, target];
  const missing = gids.filter((gid) => !leads.has(gid)).map((gid) => `group ${gid} has no leader`);
  const order = orderOf(intent);
  const idle = order === 'paused' ? '' : `the leader of group ${target} has not taken it up yet`;
  return {
    ...{ moveId, shard, source, target, state: order ?? 'waiting' },
    ...{ bytes: 0, totalBytes: 0, bytesPerSecond: 0, etaMs: undefined, pauseMs: undefined, ageMs: 0 },
    problem: missing.length === 0 ? idle : missing.join(', and '),
  };
}

/** Pages name the last move of the page before, so that moves which come or go meanwhile shift none. */
function page(configNumber: number, moves: readonly MoveProgress[], after: string): MovesPage {
  const [moveId = 0, shard = 0] = after.split('.').map(Number);
  const rest =
    after === ''
      ? moves
      : moves.filter((move) => move.moveId > moveId || (move.moveId === moveId && move.shard > shard));
  const shown = rest.slice(0, MOVES_PER_PAGE);
  const last = shown.at(-1);
  return {
    configNumber,
    moves: shown,
    next: last !== undefined && shown.length < rest.length ? nameOf(last) : '',
  };
}
