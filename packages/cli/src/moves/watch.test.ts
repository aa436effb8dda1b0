import { describe, expect, test } from 'vitest';
import type { MoveInput } from '../text/moves.ts';
import { type WatchSource, watchChanges, watchLive } from './watch.ts';

const move = (shard: number, change: Partial<MoveInput> = {}): MoveInput => ({
  moveId: 17,
  shard,
  source: 1,
  target: 3,
  state: 'copying',
  bytes: 0,
  totalBytes: 100,
  bytesPerSecond: 0,
  etaMs: undefined,
  pauseMs: undefined,
  ageMs: 0,
  problem: '',
  ...change,
});

const done = (shard: number, pauseMs = 38): MoveInput => move(shard, { state: 'done', bytes: 100, pauseMs });

/** A cluster that tells one list after the other; an error in the place of a list is a failed poll. */
class Script implements WatchSource {
  readonly stop = new AbortController();
  readonly signal = this.stop.signal;
  readonly all: boolean;
  polls = 0;
  pauses = 0;
  onPause: (pauses: number) => void = () => {};
  readonly #lists: readonly (readonly MoveInput[] | Error)[];

  constructor(lists: readonly (readonly MoveInput[] | Error)[], all = false) {
    this.#lists = lists;
    this.all = all;
  }

  nowMs = (): number => this.pauses * 300;

  poll = async (): Promise<readonly MoveInput[]> => {
    const list = this.#lists[Math.min(this.polls++, this.#lists.length - 1)] as readonly MoveInput[] | Error;
    if (list instanceof Error) throw list;
    return list;
  };

  pause = async (): Promise<void> => {
    this.onPause(++this.pauses);
  };
}

/** Understands as much of a terminal as the live view uses. */
class FakeTerminal {
  columns = 80;
  rows = 24;
  isCursorShown = true;
  writes = 0;
  #lines: string[] = [''];
  #row = 0;

  /** Lines that a person sees. */
  get screen(): string[] {
    return this.#lines.slice(0, -1);
  }

  write(text: string): void {
    this.writes++;
    for (const [, control, plain] of text.matchAll(/(\p{Cc}\[\??\d*[A-Za-z]|[\r\n])|(\P{Cc}+)/gu)) {
      if (plain !== undefined) this.#lines[this.#row] = plain;
      else this.#control(control as string);
    }
  }

  #control(control: string): void {
    const up = /^\p{Cc}\[(\d+)A$/u.exec(control);
    if (up !== null) this.#row -= Number(up[1]);
    else if (control === '\n') {
      this.#row++;
      if (this.#lines.length === this.#row) this.#lines.push('');
    } else if (control === '\x1b[J') this.#lines = [...this.#lines.slice(0, this.#row), ''];
    else if (control === '\x1b[?25l') this.isCursorShown = false;
    else if (control === '\x1b[?25h') this.isCursorShown = true;
    else if (control !== '\r' && control !== '\x1b[K')
      throw new Error(`a control that nobody expects: ${control}`);
    if (this.#row < 0) throw new Error('above the first line');
  }
}

const passing = Object.assign(new Error('the controller has no leader'), { retry: 'backoff' });

describe('the live view', () => {
  test('draws in place, ends by itself when nothing is left, and leaves the last picture', async () => {
    const terminal = new FakeTerminal();
    const script = new Script([
      [move(4, { bytes: 50 }), move(5, { state: 'waiting', totalBytes: 0 })],
      [done(4), move(5, { bytes: 10 })],
      [done(4), done(5, 41)],
    ]);
    const screens: string[][] = [];
    script.onPause = () => screens.push(terminal.screen);
    await watchLive(script, terminal);
    expect(screens[0]).toEqual([
      '17/4  1 -> 3  copying  50 %  [==============>               ]',
      '17/5  1 -> 3  waiting',
      '2 moves: 1 under way, 1 waiting',
    ]);
    expect(terminal.screen).toEqual([
      '17/4  1 -> 3  done                                    writes paused 38 ms',
      '17/5  1 -> 3  done                                    writes paused 41 ms',
      '2 moves: 2 done; took 0.6 s; longest pause of writes 41 ms',
    ]);
    expect([script.polls, terminal.isCursorShown]).toEqual([3, true]);
  });

  test('draws nothing at all when no move is open', async () => {
    for (const list of [[], [done(4)]]) {
      const terminal = new FakeTerminal();
      const script = new Script([list]);
      await watchLive(script, terminal);
      expect([script.polls, terminal.writes]).toEqual([1, 0]);
    }
    const terminal = new FakeTerminal();
    await watchLive(new Script([[done(4)]], true), terminal);
    expect(terminal.screen[0]).toContain('17/4  1 -> 3  done');
  });

  test('leaves out what had ended before, and takes in what begins later', async () => {
    const terminal = new FakeTerminal();
    const next = move(9, { moveId: 18 });
    const old = done(1);
    await watchLive(
      new Script([
        [old, move(4)],
        [old, done(4), next],
        [old, done(4), { ...next, state: 'cancelled' }],
      ]),
      terminal,
    );
    expect(terminal.screen.map((line) => line.slice(0, 24).trim())).toEqual([
      '17/4  1 -> 3  done',
      '18/9  1 -> 3  cancelled',
      '2 moves: 1 done, 1 cance',
    ]);
  });

  test('counts a move of which nobody tells any more as ended', async () => {
    const terminal = new FakeTerminal();
    await watchLive(new Script([[move(4), move(5)], [done(5)]]), terminal);
    expect(terminal.screen).toEqual([
      '17/4  1 -> 3  ended',
      '17/5  1 -> 3  done                                     writes paused 38 ms',
      '2 moves: 2 done; took 0.3 s; longest pause of writes 38 ms',
    ]);
  });

  test('ends at once and cleanly when a person has seen enough', async () => {
    const terminal = new FakeTerminal();
    const script = new Script([[move(4)]]);
    script.onPause = (pauses) => {
      expect(terminal.isCursorShown).toBe(false);
      if (pauses === 2) script.stop.abort();
    };
    await watchLive(script, terminal);
    expect([script.polls, terminal.isCursorShown, terminal.screen.length]).toEqual([2, true, 2]);
    const asking = new Script([[move(4)]]);
    const poll = asking.poll;
    asking.poll = async () => {
      if (asking.polls === 1) {
        asking.stop.abort();
        throw new Error('aborted');
      }
      return poll();
    };
    await watchLive(asking, terminal);
    expect(terminal.isCursorShown).toBe(true);
  });

  test('outlives a change of leaders, and says on the screen that the picture is old', async () => {
    const terminal = new FakeTerminal();
    const script = new Script([[move(4)], passing, passing, [done(4)]]);
    const notes: (string | undefined)[] = [];
    script.onPause = () => notes.push(terminal.screen[2]);
    await watchLive(script, terminal);
    const note = 'no answer from the cluster: the controller has no leader';
    expect(notes).toEqual([undefined, note, note]);
    expect(terminal.screen[0]).toContain('done');
  });

  test('fails with what the cluster said when that stays so, and gives the cursor back', async () => {
    const forGood = Object.assign(new Error('this store knows no moves'), { retry: 'never' });
    for (const [lists, polls] of [
      [[[move(4)], passing], 7],
      [[[move(4)], forGood], 2],
      [[passing], 1],
    ] as const) {
      const terminal = new FakeTerminal();
      const script = new Script(lists);
      await expect(watchLive(script, terminal)).rejects.toThrow(/no leader|knows no moves/);
      expect([script.polls, terminal.isCursorShown]).toEqual([polls, true]);
    }
  });

  test('finds its first line again after the window became narrower', async () => {
    const terminal = new FakeTerminal();
    const ups: string[] = [];
    const write = terminal.write.bind(terminal);
    terminal.write = (text) => {
      ups.push(/\p{Cc}\[(\d+)A/u.exec(text)?.[1] ?? '-');
      if (ups.length < 3) write(text);
    };
    const script = new Script([[move(4), move(5)]]);
    script.onPause = (pauses) => {
      // Both bars of 65 characters are broken in two; the summary is not.
      if (pauses === 2) terminal.columns = 40;
      if (pauses === 3) script.stop.abort();
    };
    await watchLive(script, terminal);
    expect(ups).toEqual(['-', '3', '5', '-']);
  });
});

describe('a stream of changes', () => {
  test('tells each move once as it is, then each change, and ends when nothing is open', async () => {
    const told: string[] = [];
    const script = new Script([
      [done(1), move(4, { bytes: 10 }), move(5)],
      [done(1), move(4, { bytes: 10, ageMs: 300, etaMs: 5, bytesPerSecond: 7 }), move(5)],
      [done(1), move(4, { bytes: 90 }), move(5, { problem: 'group 3 has no leader' })],
      [done(1), done(4), move(5, { problem: 'group 3 has no leader' })],
      [done(1), done(4)],
    ]);
    await watchChanges(script, async ({ shard, state, bytes, problem }) => {
      told.push(`${shard} ${state} ${bytes} ${problem}`.trim());
    });
    expect(told).toEqual([
      '4 copying 10',
      '5 copying 0',
      '4 copying 90',
      '5 copying 0 group 3 has no leader',
      '4 done 100',
      '5 ended 0',
    ]);
  });

  test('of no moves is empty', async () => {
    const told: MoveInput[] = [];
    await watchChanges(new Script([[]]), async (each) => void told.push(each));
    expect(told).toEqual([]);
  });
});
