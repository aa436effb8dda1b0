import { rangesText } from './config.ts';
import { barText } from './progress.ts';
import { alignedLines, bytesText, plural, tableLines, timeText, width } from './table.ts';

/** Moves of shards for people: what would move, what moves now and how far it has come. */

export interface MoveInput {
  readonly moveId: number;
  readonly shard: number;
  /** 0: nobody served the shard before. */
  readonly source: number;
  readonly target: number;
  /** A state of the cluster, or `ended` for a move of which nobody can say how. */
  readonly state: string;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly etaMs: number | undefined;
  readonly pauseMs: number | undefined;
  readonly ageMs: number;
  readonly problem: string;
}

export interface PlanInput {
  readonly moves: readonly {
    readonly shard: number;
    readonly from: number;
    readonly to: number;
    readonly bytes: number;
  }[];
  readonly count: number;
  readonly bytes: number;
  readonly seconds: number;
}

const endedStates: readonly string[] = ['done', 'cancelled', 'ended'];
const idleStates: readonly string[] = ['waiting', 'paused'];
const servedStates: readonly string[] = ['serving', 'done'];

export function hasEnded({ state }: MoveInput): boolean {
  return endedStates.includes(state);
}

function isIdle({ state }: MoveInput): boolean {
  return idleStates.includes(state);
}

/** `17/4`, as the commands take it. */
export function moveName({ moveId, shard }: MoveInput): string {
  return `${moveId}/${shard}`;
}

function groupsText(source: number, target: number): string {
  return `${source === 0 ? 'new' : source} -> ${target}`;
}

/** Never 100 before the target serves: what is copied may be outrun by what is written. */
function shareOf(move: MoveInput): number | undefined {
  if (servedStates.includes(move.state)) return 1;
  if (move.totalBytes === 0) return undefined;
  return Math.min(0.99, move.bytes / move.totalBytes);
}

function percentText(move: MoveInput): string {
  const share = shareOf(move);
  return share === undefined || hasEnded(move) ? '' : `${Math.floor(share * 100)} %`;
}

function rateText(bytesPerSecond: number): string {
  return bytesPerSecond > 0 ? `${bytesText(Math.round(bytesPerSecond))}/s` : '';
}

function pauseText(ms: number): string {
  return ms < 1000 ? `${ms} ms` : timeText(ms);
}

/** The time that it still takes, or in the end the measured pause. */
function timesText(move: MoveInput): string {
  if (move.pauseMs !== undefined) return `writes paused ${pauseText(move.pauseMs)}`;
  return hasEnded(move) || move.etaMs === undefined ? '' : `${timeText(move.etaMs)} left`;
}

/** Why it does not go on. */
function problemText({ problem }: MoveInput): string {
  return problem.replace(/\p{Cc}/gu, ' ');
}

function amountText(move: MoveInput): string {
  if (hasEnded(move)) return bytesText(move.bytes);
  return move.totalBytes === 0 ? '' : `${bytesText(move.bytes)} of ${bytesText(move.totalBytes)}`;
}

/** One line a move, without titles, so that other programs may count and cut them. */
export function snapshotLines(moves: readonly MoveInput[]): string[] {
  return alignedLines(
    ['right', 'right', 'left', 'right', 'right', 'right', 'left'],
    moves.map((move) => [
      moveName(move),
      groupsText(move.source, move.target),
      move.state,
      percentText(move),
      amountText(move),
      hasEnded(move) ? '' : rateText(move.bytesPerSecond),
      [timesText(move), problemText(move)].filter((part) => part !== '').join('  '),
    ]),
  );
}

/** What moves from where to where, many shards on a line. */
export function planLines(plan: PlanInput): string[] {
  const routes = new Map<string, { from: number; to: number; shards: number[]; bytes: number }>();
  for (const { shard, from, to, bytes } of plan.moves) {
    const name = `${from} ${to}`;
    const route = routes.get(name) ?? { from, to, shards: [], bytes: 0 };
    routes.set(name, route);
    route.shards.push(shard);
    route.bytes += bytes;
  }
  const sorted = [...routes.values()].sort((left, right) => left.from - right.from || left.to - right.to);
  const table = tableLines(
    [
      { title: 'FROM', align: 'right' },
      { title: 'TO', align: 'right' },
      { title: 'COUNT', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'SHARDS' },
    ],
    sorted.map(({ from, to, shards, bytes }) => [
      from === 0 ? '-' : String(from),
      String(to),
      String(shards.length),
      bytesText(bytes),
      rangesText(shards.sort((left, right) => left - right)),
    ]),
  );
  const listed = plan.count > plan.moves.length ? ` (the first ${plan.moves.length} of them are listed)` : '';
  const whole = `${plural(plan.count, 'shard')}${listed}, ${bytesText(plan.bytes)}`;
  return [...table, '', `${whole}, about ${timeText(plan.seconds * 1000)}`];
}

/** Nobody has looked yet how large a shard is whose turn has not come: then it is taken for one like the others. */
function sizeOf(move: MoveInput, moves: readonly MoveInput[]): number {
  if (move.state !== 'waiting' || move.totalBytes > 0) return move.totalBytes;
  const known = moves.filter(({ totalBytes }) => totalBytes > 0);
  return known.reduce((sum, { totalBytes }) => sum + totalBytes, 0) / Math.max(1, known.length);
}

/** The whole picture in one line. */
export function summaryLine(moves: readonly MoveInput[], elapsedMs: number): string {
  const count = (...states: readonly string[]): number =>
    moves.filter(({ state }) => states.includes(state)).length;
  const open = moves.filter((move) => !hasEnded(move));
  const underWay = open.length - count(...idleStates);
  const counts = [
    [count('done', 'ended'), 'done'],
    [count('cancelled'), 'cancelled'],
    [underWay, 'under way'],
    [count('waiting'), 'waiting'],
    [count('paused'), 'paused'],
  ] as const;
  const told = counts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  const parts = [`${plural(moves.length, 'move')}: ${told.join(', ')}`];
  const rate = open.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
  const left = open.reduce((sum, move) => sum + Math.max(0, sizeOf(move, moves) - move.bytes), 0);
  if (open.length === 0) parts.push(`took ${timeText(elapsedMs)}`);
  else if (rate > 0) parts.push(rateText(rate), `about ${timeText((left / rate) * 1000)} left`);
  const pauses = moves.flatMap(({ pauseMs }) => (pauseMs === undefined ? [] : [pauseMs]));
  if (pauses.length > 0) parts.push(`longest pause of writes ${pauseText(Math.max(...pauses))}`);
  return parts.join('; ');
}

const BAR_WIDTH_MAX = 30;
const BAR_WIDTH_MIN = 5;

function withBars(moves: readonly MoveInput[], columns: number): string[] {
  const left = alignedLines(
    ['right', 'right', 'left', 'right'],
    moves.map((move) => [
      moveName(move),
      groupsText(move.source, move.target),
      move.state,
      percentText(move),
    ]),
  );
  const right = alignedLines(
    ['right', 'left'],
    moves.map((move) => [hasEnded(move) ? '' : rateText(move.bytesPerSecond), timesText(move)]),
  );
  const widest = (lines: readonly string[]): number =>
    lines.reduce((most, line) => Math.max(most, width(line)), 0);
  const leftWidth = widest(left);
  const room = Math.min(BAR_WIDTH_MAX, columns - 1 - leftWidth - widest(right) - 6);
  return moves.map((move, at) => {
    const begin = (left[at] as string).padEnd(leftWidth);
    // What may be a long sentence comes last, in the room that is left, and narrows no bar.
    const problem = problemText(move);
    if (isIdle(move)) return [begin, problem].join('  ').trimEnd();
    const bar = hasEnded(move) ? ' '.repeat(Math.max(0, room) + 2) : barText(shareOf(move) ?? 0, room);
    const end = [right[at], problem].filter((part) => part !== '');
    return [begin, ...(room < BAR_WIDTH_MIN ? [] : [bar]), ...end].join('  ').trimEnd();
  });
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

/**
 * Everything that a live view shows now, in lines that fit the screen. If not all moves fit, those under way
 * stay and the others are counted.
 */
export function liveLines(
  moves: readonly MoveInput[],
  elapsedMs: number,
  note: string,
  screen: Screen,
): string[] {
  // One line for the summary, one for the cursor below it.
  const room = Math.max(0, screen.rows - 2 - (note === '' ? 0 : 1));
  const lines: string[] = [];
  if (moves.length <= room) {
    lines.push(...withBars(moves, screen.columns));
  } else {
    const underWay = moves.filter((move) => !hasEnded(move) && !isIdle(move));
    const shown = underWay.slice(0, Math.max(0, room - 1));
    lines.push(...withBars(shown, screen.columns));
    const waiting = moves.filter(isIdle).length;
    const hidden = [
      underWay.length > shown.length ? `${underWay.length - shown.length} under way` : '',
      waiting > 0 ? `${waiting} waiting` : '',
    ].filter((part) => part !== '');
    if (hidden.length > 0 && room > 0) lines.push(`and ${hidden.join(', ')}`);
  }
  lines.push(summaryLine(moves, elapsedMs));
  if (note !== '') lines.push(note);
  return lines.map((line) =>
    [...line]
      .slice(0, Math.max(0, screen.columns - 1))
      .join('')
      .trimEnd(),
  );
}
