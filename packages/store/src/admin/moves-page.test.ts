import { EMPTY_CONFIG } from '@flotilla/controller';
import {
  type ClusterConfig,
  MOVES_PER_PAGE,
  type MoveIntent,
  MovePhase,
  type MoveProgress,
} from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { makeMovesPage } from './moves-page.ts';
import type { MovesReport } from './moves-report.ts';

const intent: MoveIntent = { moveId: 7, target: 2, phase: MovePhase.moving, paused: false, next: 0 };

/** A config 9 whose first shards, of group 1, have these intents. */
function configOf(...intents: readonly (MoveIntent | undefined)[]): ClusterConfig {
  const shards = intents.map((each) => ({ owner: 1, epoch: 1, intent: each, pinned: false }));
  return { ...EMPTY_CONFIG, number: 9, shards };
}

function told(more: Partial<MoveProgress> = {}): MoveProgress {
  return {
    ...{ moveId: 7, shard: 0, source: 1, target: 2, state: 'copying', bytes: 5, totalBytes: 10 },
    ...{ bytesPerSecond: 1, etaMs: 5, pauseMs: undefined, ageMs: 5, problem: '', ...more },
  };
}

function pageOf(config: ClusterConfig, reports: readonly Partial<MovesReport>[], all = false, after = '') {
  const known = new Map(
    reports.map((report, at) => [`s${at}`, { moves: [], leads: [], ...report }] as const),
  );
  return makeMovesPage({ config, reports: known, all, after });
}

describe('a move of the config', () => {
  test('is told by whoever drives it', () => {
    expect(pageOf(configOf(intent), [{ moves: [told()], leads: [1, 2] }])).toEqual({
      configNumber: 9,
      moves: [told()],
      next: '',
    });
  });

  test('that nobody drives waits, and says for whom', () => {
    const problemOf = (leads: readonly number[], wish = intent) =>
      pageOf(configOf(wish), [{ leads }]).moves[0];
    expect(problemOf([1, 2])).toMatchObject({
      ...{ moveId: 7, shard: 0, source: 1, target: 2, state: 'waiting', bytes: 0 },
      problem: 'the leader of group 2 has not taken it up yet',
    });
    expect(problemOf([1])?.problem).toBe('group 2 has no leader');
    expect(problemOf([2])?.problem).toBe('group 1 has no leader');
    expect(problemOf([])?.problem).toBe('group 1 has no leader, and group 2 has no leader');
    const paused = problemOf([1, 2], { ...intent, paused: true });
    expect(paused).toMatchObject({ state: 'paused', problem: '' });
    const homeless = pageOf(
      { ...EMPTY_CONFIG, number: 9, shards: [{ owner: 0, epoch: 0, intent, pinned: false }] },
      [],
    );
    expect(homeless.moves[0]).toMatchObject({ source: 0, problem: 'group 2 has no leader' });
  });

  test('shows at once what people ordered, unless it is past that', () => {
    const paused = { ...intent, paused: true };
    const cancelling = { ...paused, phase: MovePhase.cancelling };
    const state = (wish: MoveIntent, now: MoveProgress['state']) =>
      pageOf(configOf(wish), [{ moves: [told({ state: now })] }]).moves[0]?.state;
    expect(state(paused, 'copying')).toBe('paused');
    expect(state(cancelling, 'copying')).toBe('cancelling');
    for (const wish of [paused, cancelling]) {
      expect(state(wish, 'cutting-over')).toBe('cutting-over');
      expect(state(wish, 'serving')).toBe('serving');
    }
  });

  test('is open, whatever a former driver says of its end', () => {
    const [move] = pageOf(
      configOf(intent),
      [{ moves: [told({ state: 'cancelled' })], leads: [1, 2] }],
      true,
    ).moves;
    expect(move?.state).toBe('waiting');
  });

  test('is told once, by the driver that is further', () => {
    const reports = [
      { moves: [told({ state: 'waiting', bytes: 9 })] },
      { moves: [told({ bytes: 3 })] },
      { moves: [told({ bytes: 8 })] },
      { moves: [told({ state: 'cancelled', bytes: 10 })] },
    ];
    for (const each of [reports, [...reports].reverse()]) {
      expect(pageOf(configOf(intent), each, true).moves).toEqual([told({ bytes: 8 })]);
    }
  });
});

describe('a move that is not in the config', () => {
  const done = told({ state: 'done', moveId: 5 });

  test('is listed if it has ended, on demand, once', () => {
    const reports = [{ moves: [done] }, { moves: [told({ state: 'cancelled', moveId: 5 }), done] }];
    expect(pageOf(configOf(), reports).moves).toEqual([]);
    expect(pageOf(configOf(), reports, true).moves).toEqual([done]);
  });

  test('is open if a newer config ordered it, and over if an older one did', () => {
    const [older, newer] = [told({ moveId: 8 }), told({ moveId: 10 })];
    expect(pageOf(configOf(), [{ moves: [older, newer] }], true).moves).toEqual([newer]);
  });
});

test('pages follow each other by move and shard, and name nothing twice when moves end in between', () => {
  const count = 2 * MOVES_PER_PAGE + 1;
  const intents = Array.from({ length: count }, (_, shard) => ({
    ...intent,
    moveId: shard % 2 === 0 ? 7 : 8,
  }));
  const config = configOf(...intents);
  const found: string[] = [];
  const sizes: number[] = [];
  for (let after = ''; ; ) {
    const page = pageOf(config, [], false, after);
    found.push(...page.moves.map(({ moveId, shard }) => `${moveId}.${shard}`));
    sizes.push(page.moves.length);
    after = page.next;
    if (after === '') break;
  }
  expect(sizes).toEqual([MOVES_PER_PAGE, MOVES_PER_PAGE, 1]);
  expect(new Set(found).size).toBe(count);
  const gone = configOf(...intents.map((each, shard) => (shard < 400 && shard % 2 === 0 ? undefined : each)));
  expect(pageOf(gone, [], false, found[MOVES_PER_PAGE - 1]).moves[0]).toMatchObject({
    moveId: 7,
    shard: 400,
  });
  expect(pageOf(config, [], false, 'nonsense').moves).toEqual([]);
});
