import { describe, expect, test } from 'vitest';
import { liveLines, type MoveInput, planLines, snapshotLines, summaryLine } from './moves.ts';

const MIB = 1_048_576;

const move = (shard: number, change: Partial<MoveInput> = {}): MoveInput => ({
  moveId: 17,
  shard,
  source: 1,
  target: 3,
  state: 'copying',
  bytes: 18 * MIB,
  totalBytes: 42 * MIB,
  bytesPerSecond: 16 * MIB,
  etaMs: 1500,
  pauseMs: undefined,
  ageMs: 900,
  problem: '',
  ...change,
});

const waiting = (shard: number): MoveInput =>
  move(shard, { state: 'waiting', bytes: 0, totalBytes: 0, bytesPerSecond: 0, etaMs: undefined });

const done = (shard: number, pauseMs: number): MoveInput =>
  move(shard, { state: 'done', bytes: 42 * MIB, bytesPerSecond: 0, etaMs: undefined, pauseMs });

describe('a snapshot of moves', () => {
  test('has one line for each, in columns and without titles', () => {
    const moves = [
      move(4),
      move(117, {
        state: 'catching-up',
        bytes: 43 * MIB,
        etaMs: undefined,
        problem: 'writers are throttled',
      }),
      waiting(5),
      move(6, { state: 'cutting-over', bytes: 42 * MIB, bytesPerSecond: 0, etaMs: 20 }),
      { ...done(7, 38), moveId: 8 },
      move(8, { source: 0, state: 'serving', totalBytes: 0, bytesPerSecond: 0, etaMs: undefined }),
    ];
    expect(snapshotLines(moves)).toEqual([
      '  17/4    1 -> 3  copying        42 %  18 MiB of 42 MiB  16 MiB/s  1.5 s left',
      '17/117    1 -> 3  catching-up    99 %  43 MiB of 42 MiB  16 MiB/s  writers are throttled',
      '  17/5    1 -> 3  waiting',
      '  17/6    1 -> 3  cutting-over   99 %  42 MiB of 42 MiB            0.0 s left',
      '   8/7    1 -> 3  done                           42 MiB            writes paused 38 ms',
      '  17/8  new -> 3  serving       100 %',
    ]);
  });

  test('of no moves has no lines, and one of idle moves no empty columns', () => {
    expect(snapshotLines([])).toEqual([]);
    expect(snapshotLines([waiting(5)])).toEqual(['17/5  1 -> 3  waiting']);
  });

  test('keeps what a store says on its line', () => {
    const [line] = snapshotLines([{ ...waiting(5), problem: 'group 3\nhas no \x1b[31mleader' }]);
    expect(line).toBe('17/5  1 -> 3  waiting  group 3 has no  [31mleader');
  });
});

describe('a plan', () => {
  test('gathers shards by the way they go', () => {
    const plan = {
      moves: [
        ...[9, 3, 1, 2].map((shard) => ({ shard, from: 1, to: 3, bytes: 10 * MIB })),
        ...[40, 41].map((shard) => ({ shard, from: 2, to: 3, bytes: 512 })),
        { shard: 50, from: 0, to: 2, bytes: 0 },
      ],
      count: 7,
      bytes: 40 * MIB + 1024,
      seconds: 3,
    };
    expect(planLines(plan)).toEqual([
      'FROM  TO  COUNT    BYTES  SHARDS',
      '   -   2      1      0 B  50',
      '   1   3      4   40 MiB  1-3,9',
      '   2   3      2  1.0 KiB  40-41',
      '',
      '7 shards, 40 MiB, about 3.0 s',
    ]);
  });

  test('says when it lists a part only', () => {
    const plan = { moves: [{ shard: 1, from: 1, to: 3, bytes: 7 }], count: 1024, bytes: 9000, seconds: 125 };
    expect(planLines(plan).at(-1)).toBe(
      '1,024 shards (the first 1 of them are listed), 8.8 KiB, about 2 min 5 s',
    );
  });
});

describe('the summary of moves', () => {
  test('counts them, adds up rates, and tells the longest pause so far', () => {
    const moves = [
      move(1),
      move(2),
      waiting(3),
      { ...waiting(4), state: 'paused' },
      done(5, 12),
      done(6, 38),
    ];
    expect(summaryLine(moves, 4000)).toBe(
      '6 moves: 2 done, 2 under way, 1 waiting, 1 paused; 32 MiB/s; about 2.8 s left; longest pause of writes 38 ms',
    );
    expect(summaryLine([waiting(3)], 0)).toBe('1 move: 1 waiting');
  });

  test('tells how long it took when nothing is left', () => {
    const ended = move(2, { state: 'ended', bytesPerSecond: 0 });
    expect(summaryLine([done(5, 1200), { ...waiting(6), state: 'cancelled' }, ended], 14_000)).toBe(
      '3 moves: 2 done, 1 cancelled; took 14 s; longest pause of writes 1.2 s',
    );
  });
});

describe('the live view', () => {
  test('shows a bar for each move that is open, and the pause of each that is done', () => {
    const moves = [
      move(4),
      { ...waiting(5), problem: 'group 3 has no leader, and nobody can say when it will have one again' },
      done(6, 38),
      move(7, { problem: 'the source is slow' }),
    ];
    expect(liveLines(moves, 2000, '', { columns: 110, rows: 24 })).toEqual([
      '17/4  1 -> 3  copying  42 %  [============>                 ]  16 MiB/s  1.5 s left',
      '17/5  1 -> 3  waiting        group 3 has no leader, and nobody can say when it will have one again',
      '17/6  1 -> 3  done                                                       writes paused 38 ms',
      '17/7  1 -> 3  copying  42 %  [============>                 ]  16 MiB/s  1.5 s left  the source is slow',
      '4 moves: 1 done, 2 under way, 1 waiting; 32 MiB/s; about 2.8 s left; longest pause of writes 38 ms',
    ]);
  });

  test('shortens its bars, then drops them, then cuts its lines: nothing is wider than the terminal', () => {
    const moves = [move(4), waiting(5), done(6, 38)];
    for (let columns = 1; columns < 120; columns++) {
      const lines = liveLines(moves, 2000, 'no answer from the cluster', { columns, rows: 24 });
      for (const line of lines) expect(line.length).toBeLessThan(columns);
    }
    expect(liveLines([move(4)], 0, '', { columns: 60, rows: 24 })[0]).toBe(
      '17/4  1 -> 3  copying  42 %  [==>   ]  16 MiB/s  1.5 s left',
    );
    expect(liveLines([move(4)], 0, '', { columns: 55, rows: 24 })[0]).toBe(
      '17/4  1 -> 3  copying  42 %  16 MiB/s  1.5 s left',
    );
  });

  test('of many moves shows those under way and counts the others', () => {
    const moves = [
      ...Array.from({ length: 12 }, (_, at) => done(at, at)),
      move(12),
      move(13),
      ...Array.from({ length: 37 }, (_, at) => waiting(14 + at)),
    ];
    expect(liveLines(moves, 2000, '', { columns: 100, rows: 24 })).toEqual([
      '17/12  1 -> 3  copying  42 %  [============>                 ]  16 MiB/s  1.5 s left',
      '17/13  1 -> 3  copying  42 %  [============>                 ]  16 MiB/s  1.5 s left',
      'and 37 waiting',
      '51 moves: 12 done, 2 under way, 37 waiting; 32 MiB/s; about 50 s left; longest pause of writes 11 m',
    ]);
  });

  test('never takes more lines than the terminal has', () => {
    const moves = [...Array.from({ length: 30 }, (_, at) => move(at)), ...[30, 31].map(waiting)];
    for (let rows = 2; rows < 40; rows++) {
      for (const note of ['', 'no answer']) {
        const lines = liveLines(moves, 0, note, { columns: 80, rows });
        expect(lines.length).toBeLessThan(Math.max(rows, note === '' ? 2 : 3));
      }
    }
    expect(liveLines(moves, 0, '', { columns: 80, rows: 6 }).slice(3, 4)).toEqual([
      'and 27 under way, 2 waiting',
    ]);
  });
});
