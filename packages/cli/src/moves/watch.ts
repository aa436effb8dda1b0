import type { Terminal } from '../output.ts';
import { liveLines, type MoveInput } from '../text/moves.ts';
import { width } from '../text/table.ts';
import { MoveTracker } from './tracker.ts';

/** Looks at the moves of a cluster again and again until none is open any more, or somebody ends it. */

const POLL_MS = 300;
/** So many polls in a row may fail: a cluster that changes leaders is worth watching most of all. */
const FAILURES_MAX = 5;

export interface WatchSource {
  /** The moves that are open, and those that ended lately. */
  readonly poll: () => Promise<readonly MoveInput[]>;
  /** Resolves after that time, or as soon as the signal fires. */
  readonly pause: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
  /** Ends the watch, quietly. */
  readonly signal: AbortSignal;
  /** Also moves that had ended before. */
  readonly all: boolean;
}

interface Picture {
  readonly tracker: MoveTracker;
  /** What is new in it. */
  readonly changed: readonly MoveInput[];
  readonly elapsedMs: number;
  /** Why it is old; empty if it is not. */
  readonly trouble: string;
}

async function* pictures(source: WatchSource): AsyncGenerator<Picture, void, undefined> {
  const { signal } = source;
  const tracker = new MoveTracker(source.all);
  const beginMs = source.nowMs();
  let failures = 0;
  while (!signal.aborted) {
    let changed: readonly MoveInput[] = [];
    let trouble = '';
    try {
      changed = tracker.take(await source.poll());
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      const isPassing = (error as { readonly retry?: string }).retry === 'backoff';
      // What never was there cannot be looked at again.
      if (!isPassing || failures > FAILURES_MAX || tracker.moves.length === 0) throw error;
      trouble = `no answer from the cluster: ${(error as Error).message}`;
    }
    yield { tracker, changed, elapsedMs: source.nowMs() - beginMs, trouble };
    if (trouble === '' && tracker.isOver) return;
    await source.pause(POLL_MS);
  }
}

/** Tells each move as it is, then each of its changes. */
export async function watchChanges(
  source: WatchSource,
  tell: (move: MoveInput) => Promise<void>,
): Promise<void> {
  for await (const { changed } of pictures(source)) for (const move of changed) await tell(move);
}

/** Draws all moves in place; draws nothing at all if there are none. The last picture stays. */
export async function watchLive(source: WatchSource, terminal: Terminal): Promise<void> {
  const frame = new Frame(terminal);
  try {
    for await (const { tracker, elapsedMs, trouble } of pictures(source)) {
      const { moves } = tracker;
      if (moves.length > 0) frame.draw(liveLines(moves, elapsedMs, trouble, terminal));
    }
  } finally {
    frame.end();
  }
}

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_REST_OF_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** Lines at the bottom of a terminal that are drawn again in the same place. */
class Frame {
  readonly #terminal: Terminal;
  #lines: readonly string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  draw(lines: readonly string[]): void {
    const begin = this.#lines.length === 0 ? HIDE_CURSOR : this.#up();
    this.#lines = lines;
    const drawn = lines.map((line) => `${line}${CLEAR_REST_OF_LINE}\n`).join('');
    this.#terminal.write(`${begin}${drawn}${CLEAR_BELOW}`);
  }

  end(): void {
    if (this.#lines.length > 0) this.#terminal.write(SHOW_CURSOR);
  }

  /** To the first line of the last picture: a window that was made narrower has broken its lines. */
  #up(): string {
    const { columns } = this.#terminal;
    const rows = this.#lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(width(line) / columns)), 0);
    return `\r\x1b[${rows}A`;
  }
}
