import type { Output } from '../output.ts';
import { countText, timeText } from './table.ts';

const REDRAW_MS = 100;
const BAR_WIDTH_MAX = 30;

export interface ProgressState {
  /** What the bar measures, e.g. bytes of a file; `total` 0 when nobody knows the end. */
  readonly done: number;
  readonly total: number;
  /** What people count, e.g. records. */
  readonly count: number;
  readonly elapsedMs: number;
}

/** `[=====>    ] 52 %  10,412 records  9,870/s  1.0 s left` in at most `columns` characters. */
export function progressLine(state: ProgressState, noun: string, columns: number): string {
  const seconds = Math.max(state.elapsedMs, 1) / 1000;
  const rate = `${countText(state.count / seconds)}/s`;
  const parts = [`${countText(state.count)} ${noun}`, rate];
  const share = state.total > 0 ? Math.min(1, state.done / state.total) : undefined;
  if (share !== undefined) {
    const leftMs = share > 0 ? (state.elapsedMs / share) * (1 - share) : undefined;
    parts.unshift(`${Math.floor(share * 100)} %`);
    parts.push(leftMs === undefined ? 'time left unknown' : `${timeText(leftMs)} left`);
  }
  const text = parts.join('  ');
  const room = Math.min(BAR_WIDTH_MAX, columns - text.length - 5);
  if (share === undefined || room < 5) return text.slice(0, Math.max(0, columns - 1));
  return `${barText(share, room)} ${text}`;
}

/** `[====>     ]` with `room` characters inside. */
export function barText(share: number, room: number): string {
  const filled = Math.round(share * room);
  const bar = '='.repeat(Math.max(0, filled - 1)) + (filled > 0 ? '>' : '');
  return `[${bar.padEnd(room)}]`;
}

/** A line on a terminal that is drawn anew; nothing at all where no person looks. */
export class Progress {
  readonly #output: Output;
  readonly #noun: string;
  readonly #startMs = performance.now();
  #drawnMs = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(output: Output, noun: string) {
    this.#output = output;
    this.#noun = noun;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  update(done: number, total: number, count: number): void {
    const now = performance.now();
    if (!this.#output.showsProgress || now - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = now;
    this.#drawn = true;
    const state = { done, total, count, elapsedMs: this.elapsedMs };
    this.#output.draw(`\r\x1b[K${progressLine(state, this.#noun, this.#output.progressColumns)}`);
  }

  /** Takes the line away, so that other text can follow. */
  clear(): void {
    if (this.#drawn) this.#output.draw('\r\x1b[K');
    this.#drawn = false;
    this.#drawnMs = Number.NEGATIVE_INFINITY;
  }
}
