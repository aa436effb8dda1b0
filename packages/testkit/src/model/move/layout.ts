import { assert } from '@flotilla/base';

/** What is counted up to a bound; four bits each, in one word. */
export const Counter = {
  moves: 0,
  cancels: 1,
  trims: 2,
  giveUps: 3,
  damages: 4,
  clock: 5,
  leaves: 6,
} as const;
export type Counter = (typeof Counter)[keyof typeof Counter];

const MOVE_WORDS = 3;

/**
 * Where a state keeps what, as words of a row: the config; the state of each group; of each move its flags, the
 * pieces that were ever readable and the facts of its freeze; the clients' account; the counters.
 */
export class Layout {
  readonly groups: number;
  readonly moves: number;
  readonly width: number;
  readonly account: number;
  readonly counters: number;

  constructor(groups: number, moves: number) {
    this.groups = groups;
    this.moves = moves;
    this.account = 1 + groups + MOVE_WORDS * moves;
    this.counters = this.account + 1;
    this.width = this.counters + 1;
  }

  readonly config = 0;

  group(place: number): number {
    return 1 + place;
  }

  move(at: number): number {
    return 1 + this.groups + MOVE_WORDS * at;
  }

  pool(at: number): number {
    return this.move(at) + 1;
  }

  /** Entry that activates, one higher; 0 while the move is not frozen. */
  activate(at: number): number {
    return this.move(at) + 2;
  }

  count(row: Uint32Array, counter: Counter): number {
    return ((row[this.counters] as number) >>> (4 * counter)) & 15;
  }

  setCount(row: Uint32Array, counter: Counter, count: number): void {
    assert(count < 16, 'a counter has four bits');
    const shift = 4 * counter;
    row[this.counters] = ((row[this.counters] as number) & ~(15 << shift)) | (count << shift);
  }
}
